"""Ctrl-C and a polite kill: the run finishes its step, saves, and ends."""

import signal
import threading
from contextlib import contextmanager


@contextmanager
def stop_requests():
    """Collect SIGINT and SIGTERM for a while, instead of being interrupted by them.

    Whoever is in a hurry presses Ctrl-C again: the second one interrupts at once, as usual. More SIGTERMs do nothing:
    paddle.distributed.launch sends three, a fifth of a second apart, which may be less than a step takes.

    Yields:
        list of the signals' numbers, empty while nobody has asked; in another than the main thread, where Python gives no
        signals, it stays empty
    """
    asked = []

    def ask(number, _):
        asked.append(number)
        if asked.count(signal.SIGINT) > 1:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    # None: a handler that was not set from Python, such as Paddle's for SIGTERM, which prints a stack and then ends all
    before = {number: signal.signal(number, ask) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
