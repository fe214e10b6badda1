"""The language of what is shown, where neither an option nor a notebook says it."""

import locale
import os


def default_language():
    """ "zh" or "en": PADDLE_VIT_LANG, then the locale."""
    return chosen_language() or locale_language()


def chosen_language():
    """What PADDLE_VIT_LANG says, None where it says nothing known."""
    language = os.environ.get("PADDLE_VIT_LANG")
    return language if language in ("zh", "en") else None


def locale_language():
    """Chinese where the locale is Chinese, English everywhere else."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(variable):
            return "zh" if os.environ[variable].lower().startswith("zh") else "en"
    return "zh" if (locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"
