"""What else contains a process: limits, what it gives up for good, and the search for its descendants.

On systems other than Linux each function does what it can, down to nothing.
"""

import contextlib
import ctypes
import glob
import os
import signal
import struct
import time

from paddle_vit.grader.seccomp import LINUX, NO_NEW_PRIVS, PR_SET_PDEATHSIG, libc, prctl

try:
    import resource
except ImportError:  # Windows
    resource = None

_GET_DUMPABLE, _SET_DUMPABLE, _SET_CHILD_SUBREAPER = 3, 4, 36  # options of prctl(2)


def die_with_parent():
    """Have the kernel kill this process when the thread that forked it ends. Not after a change of user."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def unseen():
    """Meanwhile no other process of this user, its children included, reads or changes this one's memory in /proc.

    Root still does: it has a capability for it, see drop_capabilities.
    """
    before = prctl(_GET_DUMPABLE)
    prctl(_SET_DUMPABLE, 0)
    try:
        yield
    finally:
        prctl(_SET_DUMPABLE, before)


def drop_capabilities():
    """Leave root nothing beyond its user number but reading and writing files, for good, also over an exec."""
    if LINUX:
        prctl(NO_NEW_PRIVS, 1)
        head = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
        sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then again for the numbers from 32 on
        if libc.capget(head, sets) == 0:
            files = sets[1] & (1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: libraries may be another's
            libc.capset(head, (ctypes.c_uint32 * 6)(files, files))


def limit(memory, file_size):
    """Limit this process to memory bytes of address space above what it has, and each of its files to file_size bytes.

    The address space on Linux alone: elsewhere its limit cannot be set, or does not hold.
    """
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: 256, resource.RLIMIT_FSIZE: file_size}
    if LINUX:
        with open("/proc/self/statm") as file:
            limits[resource.RLIMIT_AS] = int(file.read().split()[0]) * resource.getpagesize() + memory
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


# ---- the processes below this one


def adopt_orphans():
    """Make this process the parent of every descendant whose own parent ends."""
    prctl(_SET_CHILD_SUBREAPER, 1)


def sees_children():
    """Whether the kernel lists a process's children here."""
    return bool(glob.glob("/proc/self/task/*/children"))


def children(pid="self"):
    """Ids of a process's children, zombies too; a set, empty where the kernel does not list them."""
    found = set()
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as file:  # a thread may end before it is read
            found.update(map(int, file.read().split()))
    return found


def descendants(known):
    """Ids of all processes below this one, but for the known children and what is below them."""
    found, new = set(), children() - known
    while new:
        found |= new
        new = set().union(*map(children, new)) - found
    return found


def send(number, pids):
    """Send a signal to processes; those that are gone do not matter."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def end_descendants(known, patience=10.0):
    """Kill and reap the descendants. Gives up after so many seconds of patience."""
    until = time.monotonic() + patience
    while (found := descendants(known)) and time.monotonic() < until:
        stopped = set()
        while found - stopped and time.monotonic() < until:  # what is stopped starts no others: it cannot outrun this
            send(signal.SIGSTOP, found - stopped)
            stopped |= found
            found = descendants(known)
        send(signal.SIGKILL, stopped)
        for pid in children() - known:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
