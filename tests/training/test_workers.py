"""Processes beside the training: results in order, errors, and a process that dies."""

import os
import signal
import time

import pytest

from paddle_vit.training import RecipeError
from paddle_vit.training.workers import in_order


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_jobs(workers):
    def slow_first(job):
        time.sleep(0.1 if job == 0 else 0.0)
        return job, job**2

    assert list(in_order(slow_first, range(20), workers)) == [(n, n**2) for n in range(20)]


def test_other_processes_work():
    pids = set(in_order(lambda _: os.getpid(), range(8), 2))
    assert os.getpid() not in pids and 1 <= len(pids) <= 2


def test_only_some_jobs_are_computed_ahead():
    taken = []

    def jobs():
        for job in range(100):
            taken.append(job)
            yield job

    results = in_order(lambda job: job, jobs(), 2)
    assert next(results) == 0 and len(taken) <= 6
    results.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_back(workers):
    def fail(job):
        raise RecipeError(f"job {job}")

    with pytest.raises(RecipeError, match="job 0"):
        list(in_order(fail, range(5), workers))


def test_a_process_that_dies_is_told():
    with pytest.raises(RecipeError, match="a process that prepares images died"):
        list(in_order(lambda job: os.kill(os.getpid(), signal.SIGKILL), range(5), 2))


def test_workers_do_not_hear_ctrl_c():
    heard = list(in_order(lambda _: signal.getsignal(signal.SIGINT) == signal.SIG_IGN, range(2), 1))
    assert heard == [True, True]


def test_without_fork(monkeypatch):
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    with pytest.raises(RecipeError, match="workers need fork"):
        list(in_order(abs, [1], 2))
