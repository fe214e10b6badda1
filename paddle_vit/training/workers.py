"""Work for several processes whose results come in the order of the jobs."""

import multiprocessing
import signal
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from paddle_vit.training.config import RecipeError

_function = None  # in a worker, what it does


def in_order(function, jobs, workers):
    """function of each job, computed ahead by other processes; the same results for any number of them.

    Args:
        function: of one job. It is inherited, not sent: it may hold large things.
        jobs: iterable of small things, which are sent.
        workers: how many processes; with 0 this one computes, when a result is asked for.

    Yields:
        results, in the order of the jobs

    Raises:
        RecipeError: a process died, or there is no fork on this system.
        what function raises
    """
    if not workers:
        yield from map(function, jobs)
        return
    if "fork" not in multiprocessing.get_all_start_methods():
        raise RecipeError("workers need fork, which this system does not have: workers=0")
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(function,)) as pool:
        waiting = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(_work, job))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise RecipeError(
                "a process that prepares images died: is there enough memory? Try fewer workers"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _begin(function):
    global _function
    _function = function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that trains
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _work(job):
    return _function(job)
