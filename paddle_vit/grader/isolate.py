"""Run a learner's code where it costs nobody else anything: in a forked child under limits, killed as a group.

What the child may do is the system call filter's business (seccomp.py). Where there is none, its descendants are hunted
down afterwards and it works in a temporary folder. What comes back is bytes, to be taken as a stranger's.

The child prints and answers into two files in memory, which the parent reads once everything is dead: no pipe that can
fill up while the parent is busy, or that a daemon holds open.
"""

import contextlib
import io
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from dataclasses import dataclass

from paddle_vit.grader import confine, seccomp

_HEAD, _BEGIN, _END = struct.Struct("<4sQ"), b"PVr1", b"1rVP"  # a result: mark, length, the bytes, mark
_FRAME = _HEAD.size + len(_END)
_MOST_PROCESSES = 64  # below the parent, where a child can start any
_POLL = 0.005  # s


@dataclass(frozen=True)
class Outcome:
    """How a run ended. Its status:

    "finished": data is what the function returned
    "timeout": stopped at the time limit
    "died": it ended without a complete result, whatever its exit status says
    "flooded": it printed more than it may
    "oversized": its result is larger than it may be
    """

    status: str
    data: bytes  # b"" unless finished
    printed: str  # the first 2,000 characters of stdout and stderr, control characters and all
    ending: str  # how a process that died ended: "exit status 3", "signal 11 (SIGSEGV)"; "" otherwise
    seconds: float  # wall clock, from the start until the end was seen


def can_fork():
    """Whether run_forked works here."""
    return hasattr(os, "fork")


def run_forked(
    function, *, seconds=10.0, memory=2 * 2**30, printed_limit=2**20, result_limit=64 * 2**20, meanwhile=None
):
    """Call function() in a forked child, return an Outcome.

    The parent should run no threads but its libraries', start no other process at the same time (it may be taken for
    the child's), and call this from a thread that stays: the child is killed when that thread ends. If function uses
    Paddle from several threads, it must call a matmul before it starts them: in a fork, the math library crashes in the
    first thread when another has used it earlier.

    Args:
        function: returns bytes. An exception that leaves it, SystemExit too, ends the child.
        seconds: wall clock from the fork on.
        memory: bytes of address space above what the parent has now (Linux).
        printed_limit: bytes on stdout and stderr together.
        result_limit: bytes returned.
        meanwhile: called without arguments in the parent after the fork: what it computes is unknown to the child. A
            child that has ended when it returns is judged by its result, any other by the clock.

    Raises:
        OSError: the system starts no process.
        Whatever meanwhile raises, and KeyboardInterrupt: once everything is cleaned up.
    """
    parent = os.getpid()

    def start(result, printed, folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: of the libraries' threads, which fork well
            process = _Forked(os.fork())
        if process.pid == 0:
            _work(function, parent, result.fileno(), printed.fileno(), folder, memory, printed_limit, result_limit)
        return process

    return _supervise(start, seconds, printed_limit, result_limit, meanwhile, seccomp.available())


def run_command(argv, stdin, *, seconds=60.0, printed_limit=2**20, result_limit=64 * 2**20, env=None):
    """Run a program that answers with serve(), return an Outcome: for where fork is missing, it pays for its own start.

    Args:
        argv: the program and its arguments, no relative paths: it starts in an empty folder.
        stdin: bytes, the job.
        seconds: wall clock, the program's start included.
        printed_limit, result_limit: as for run_forked.
        env: environment variables, None for those of this process.

    Raises:
        OSError: there is no such program, or the system starts none.
    """
    group = {"start_new_session": True} if os.name == "posix" else {"creationflags": 0x200}  # CREATE_NEW_PROCESS_GROUP

    def start(result, printed, folder):
        with _file() as job:
            job.write(stdin)
            job.seek(0)
            return subprocess.Popen(argv, stdin=job, stdout=result, stderr=printed, cwd=folder, env=env, **group)

    return _supervise(start, seconds, printed_limit, result_limit, None, False)


def serve(function, *, memory=2 * 2**30, printed_limit=2**20, result_limit=64 * 2**20):
    """The other end of run_command: send function(job) under the same limits as a forked child, and exit.

    Called last, when everything that the job needs is imported and warm. The result leaves by what was stdout; what is
    printed goes to stderr from here on.
    """
    job = sys.stdin.buffer.read()
    sys.stdout.flush()
    os.ftruncate(1, os.lseek(1, 0, os.SEEK_SET))  # what was printed while importing
    _work(lambda: function(job), os.getppid(), os.dup(1), 2, os.getcwd(), memory, printed_limit, result_limit)


def describe():
    """Which protections hold here: a dict of name -> bool, the first two tried out in a child."""

    def look():
        with contextlib.suppress(PermissionError):
            os.close(os.open(os.devnull, os.O_WRONLY))
            return b"open"
        return b"filtered"

    seen = run_forked(look).data if can_fork() else b""
    return {
        "fork": seen != b"",
        "system call filter": seen == b"filtered",
        "memory limit": seccomp.LINUX,
        "search for stray processes": confine.sees_children(),
    }


# ---- the child


def _work(function, parent, result, printed, folder, memory, printed_limit, result_limit):
    """Confine this process, send what function returns, exit. Never returns."""
    write, leave = os.write, os._exit  # the learner's code may put others in their place
    code = 1
    try:
        if os.name == "posix":
            result = _settle(parent, result, printed)
            confine.limit(memory, max(printed_limit, result_limit) + 2 * _FRAME)
            confine.drop_capabilities()
        else:
            os.dup2(printed, 1)
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        # The old ones stay referenced: thrown away they would close descriptors and write what the parent had buffered.
        kept = sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__, sys.__stderr__  # noqa: F841
        sys.stdin = sys.__stdin__ = open(os.devnull)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = _text(1), _text(2)
        if seccomp.available() and not seccomp.install():
            raise OSError("the system call filter does not hold")
        data = function()
        size = memoryview(data).nbytes
        for part in [_HEAD.pack(_BEGIN, size), data, _END] if size <= result_limit else [_HEAD.pack(_BEGIN, size)]:
            rest = memoryview(part).cast("B")
            while rest:
                rest = rest[write(result, rest) :]
        code = 0
    except SystemExit as stop:
        code = stop.code if type(stop.code) is int else stop.code is not None
    except BaseException:
        traceback.print_exc()
    finally:
        leave(code & 0xFF)


def _settle(parent, result, printed):
    """Own session, killed with the parent, no handlers, no descriptors but 0 to 2 and the result's: returned."""
    if os.getpid() != os.getsid(0):
        os.setsid()
    confine.die_with_parent()
    if os.getppid() != parent:  # it ended before that line
        os._exit(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    while result < 3:  # the parent had those closed, and this is the first file that it opened
        result = os.dup(result)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (printed, 1), (printed, 2)):
        os.dup2(source, target)
    for name in os.listdir("/proc/self/fd" if seccomp.LINUX else "/dev/fd"):
        if int(name) > 2 and int(name) != result:
            with contextlib.suppress(OSError):  # the one that listed them
                os.close(int(name))
    return result


def _text(descriptor):
    raw = open(descriptor, "wb", 0, closefd=False)  # unbuffered: what was printed before a crash is seen
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)


# ---- the parent


class _Forked:
    """What subprocess.Popen offers, for a forked child."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None

    def poll(self):
        if self.returncode is None:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
                self.returncode = os.waitstatus_to_exitcode(status) if ended else None
            except ChildProcessError:  # SIGCHLD is ignored here, so that the system kept no status
                self.returncode = 0
        return self.returncode


def _supervise(start, seconds, printed_limit, result_limit, meanwhile, filtered):
    """Start a process, wait for its end or bring it about, clean up, tell how it ended."""
    place = contextlib.nullcontext("/") if filtered else _folder()  # under the filter nothing can be written anyway
    with _interrupts_held() as pressed, confine.unseen(), place as folder, _file() as result, _file() as printed:
        known = confine.children()
        if not filtered:
            confine.adopt_orphans()
        began = time.monotonic()
        process = start(result, printed, folder)
        try:
            if meanwhile is not None:
                meanwhile()
            stopped, pause = "", _POLL / 10
            while process.poll() is None and not stopped:
                left = began + seconds - time.monotonic()
                if pressed:
                    stopped = "interrupted"
                elif _size(printed) > printed_limit or _size(result) > result_limit + _FRAME:
                    stopped = "too large"
                elif left <= 0:
                    stopped = "timeout"
                elif not filtered and len(confine.descendants(known)) > _MOST_PROCESSES:
                    stopped = f"more than {_MOST_PROCESSES} processes"
                else:
                    time.sleep(min(pause, left))
                    pause = min(1.5 * pause, _POLL)
        finally:
            _end(process, known, filtered)
        taken = time.monotonic() - began
        printed.seek(0)
        text = printed.read(8000).decode(errors="replace")[:2000]  # a character takes at most 4 bytes
        if _size(printed) > printed_limit:
            return Outcome("flooded", b"", text, "", taken)
        status, data = ("timeout", b"") if stopped == "timeout" else _read(result, result_limit)
        ending = (stopped or _ending(process.returncode)) if status == "died" else ""
        return Outcome(status, data, text, ending, taken)


def _read(result, limit):
    """What a dead child left in its result file, as status and data. Only a whole frame counts."""
    if _size(result) > limit + _FRAME:
        return "oversized", b""
    result.seek(0)
    head = result.read(_HEAD.size)
    if len(head) == _HEAD.size and head.startswith(_BEGIN):
        size = _HEAD.unpack(head)[1]
        if size > limit:
            return "oversized", b""
        data = result.read(size)
        if len(data) == size and result.read() == _END:
            return "finished", data
    return "died", b""


def _ending(code):
    names = {-number.value: f" ({number.name})" for number in signal.Signals}  # most real-time signals have none
    return f"exit status {code}" if code >= 0 else f"signal {-code}{names.get(code, '')}"


def _end(process, known, filtered):
    """Kill a process, its group and, where it could start others, all below this process but the known children."""
    if os.name == "nt":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True)
    else:  # negative for the group, which may not be there: it has ended, or is killed before it made one
        confine.send(signal.SIGKILL, [process.pid, -process.pid] if process.poll() is None else [-process.pid])
    while process.poll() is None:
        time.sleep(_POLL / 10)
    if not filtered:
        confine.end_descendants(known)


def _size(file):
    return os.fstat(file.fileno()).st_size


def _file():
    try:
        return open(os.memfd_create("paddle-vit"), "w+b", 0)
    except (AttributeError, OSError):
        return tempfile.TemporaryFile(buffering=0)


@contextlib.contextmanager
def _folder():
    """A temporary folder; removed although it may be closed to its owner, or deeper than recursion and a path can go."""
    folder = tempfile.mkdtemp(prefix="paddle-vit-")
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)
            while entries := list(os.scandir(folder)):  # what lies in a folder comes up one level, then the folder goes
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        os.chmod(entry, 0o700)
                        for inner in list(os.scandir(entry)):
                            if inner.is_dir(follow_symlinks=False):
                                os.chmod(inner, 0o700)  # a folder that is moved must be open itself
                            os.rename(inner, os.path.join(folder, os.urandom(8).hex()))
                        os.rmdir(entry)
                    else:
                        os.unlink(entry)
            os.rmdir(folder)


@contextlib.contextmanager
def _interrupts_held():
    """Hold Ctrl-C back, so that no child is lost between its start and the note of its number.

    Yields a list that fills when it is pressed; the handler that was there before hears of it at the end.
    """
    pressed = []
    handler = signal.getsignal(signal.SIGINT)
    hold = callable(handler) and threading.current_thread() is threading.main_thread()
    if hold:
        signal.signal(signal.SIGINT, lambda *call: pressed.append(call))
    try:
        yield pressed
    finally:
        if hold:
            signal.signal(signal.SIGINT, handler)
        if pressed:
            handler(*pressed[0])
