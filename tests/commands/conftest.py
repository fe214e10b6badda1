"""What all tests of the commands need."""

import pytest


@pytest.fixture(autouse=True)
def language_restored(monkeypatch):
    """--lang sets the variable for the pictures; where a command runs in the tests' own process, that has to be undone."""
    monkeypatch.setenv("PADDLE_VIT_LANG", "en")
