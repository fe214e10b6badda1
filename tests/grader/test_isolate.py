"""Attacks on the process that runs a learner's code: each costs its author the result, and nobody else anything.

Everything runs twice, under the system call filter and with the filter taken away. Attacks that only the filter stops
(signals to the parent) are sent as signal 0, which changes nothing where the filter should fail.
"""

import ctypes
import errno
import glob
import importlib.util
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import pytest

from paddle_vit.grader import confine, isolate, seccomp
from paddle_vit.grader.isolate import run_command, run_forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the attacks and the search for leftovers are Linux's")

ROOT = Path(__file__).parents[2]
GB = 2**30


# ---- what is left behind


def processes():
    """Processes that are this one, forks of it, or a sleep started by an attack."""
    found = set()
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            line = Path(path).read_bytes()
        except OSError:
            continue
        if line == Path("/proc/self/cmdline").read_bytes() or b"98765" in line:
            found.add(path)
    return found | confine.children()  # zombies have no command line


def leftovers(folder):
    return processes(), set(os.listdir("/proc/self/fd")), os.listdir(folder)


@pytest.fixture(params=["filter", "no filter"])
def filtered(request, monkeypatch, tmp_path):
    """Whether the filter is on; afterwards nothing may be left, and the next run must be right."""
    if request.param == "no filter":
        monkeypatch.setattr(seccomp, "available", lambda: False)
    elif not seccomp.available():
        pytest.skip("no system call filter here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = leftovers(tmp_path)
    yield request.param == "filter"
    assert leftovers(tmp_path) == before
    assert run_forked(lambda: b"right").data == b"right"


# ---- attacks: name, function, arguments of run_forked, what must come


def loop():
    while True:
        pass


def loop_ignoring_signals():
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    loop()


def loop_in_threads():
    threads = [threading.Thread(target=loop) for _ in range(3)]
    [thread.start() for thread in threads]
    threads[0].join()


def leave_a_thread_behind():
    threading.Thread(target=loop).start()
    return b"x"


def threads_without_end():
    threading.stack_size(2**15)
    while True:
        threading.Thread(target=time.sleep, args=(60,)).start()


def grow():
    kept = []
    while True:
        kept.append(bytearray(2**20))


def print_without_end():
    while True:
        print("spam " * 20)


def write_without_end(descriptor):
    while True:
        os.write(descriptor, b"spam " * 20)


def fork_without_end():
    until = time.monotonic() + 20  # should these tests be killed in the middle, the machine gets free again
    while time.monotonic() < until:
        os.fork()


def fork_and_flee():
    """Each child in a session of its own, with a parent that has ended: nobody's descendant but for the adoption."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if os.fork():
            os._exit(0)
        os.setsid()


def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    return b"x"


def start_a_program():
    subprocess.Popen(["sleep", "98765"], start_new_session=True)
    return b"x"


def kill_group():
    os.killpg(0, signal.SIGKILL)


def stop_itself():
    os.kill(os.getpid(), signal.SIGSTOP)


def close_everything():
    os.closerange(0, 256)
    return b"x"


def answer_to_stdout():
    for descriptor in range(3, 256):
        os.dup2(1, descriptor)
    return b"x"


def to_every_descriptor(*parts):
    for descriptor in range(3, 256):
        for part in parts:
            try:
                os.write(descriptor, part)
            except OSError:
                pass


def garbage_first():
    to_every_descriptor(b"garbage")
    return b"x"


def half_a_frame():
    to_every_descriptor(isolate._HEAD.pack(isolate._BEGIN, 5), b"for")
    os._exit(0)


def a_frame_of_endless_length():
    to_every_descriptor(isolate._HEAD.pack(isolate._BEGIN, 2**64 - 1), b"forged")
    os._exit(0)


def a_frame_too_many():
    to_every_descriptor(isolate._HEAD.pack(isolate._BEGIN, 6), b"forged", isolate._END)
    return b"x"


def flood_the_result():
    while True:
        to_every_descriptor(bytes(2**16))


def a_hole_in_the_result():
    for descriptor in range(3, 256):
        try:
            os.lseek(descriptor, 2**40, os.SEEK_SET)
        except OSError:
            pass
    return b"x"


def raise_long():
    raise ValueError("x" * 50_000_000)


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError


def raise_unprintable():
    raise Unprintable


def raise_in_signal_handlers():
    def handler(number, frame):
        raise RuntimeError

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    return b"x"


def patch_what_the_child_uses():
    import builtins

    os._exit = os.write = os.getpid = builtins.len = builtins.print = lambda *arguments: 0
    return b"x"


def close_stdout():
    sys.stdout.close()
    sys.stderr = None
    os.close(1)
    return b"x"


def raise_limits():
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)


DENIED = "died, exit status 1, PermissionError"
ATTACKS = [  # what comes with the filter, and without it where that differs
    ("loop", loop, dict(seconds=0.5), "timeout"),
    ("sleep", lambda: time.sleep(60), dict(seconds=0.5), "timeout"),
    ("loop ignoring signals", loop_ignoring_signals, dict(seconds=0.5), "timeout"),
    ("loop in threads", loop_in_threads, dict(seconds=0.5), "timeout"),
    ("stop itself", stop_itself, dict(seconds=0.5), "timeout"),
    ("leave a thread behind", leave_a_thread_behind, {}, "finished"),
    ("threads without end", threads_without_end, dict(seconds=1), "died, exit status 1|timeout"),
    ("sys.exit", lambda: sys.exit(), {}, "died, exit status 0"),
    ("sys.exit(3)", lambda: sys.exit(3), {}, "died, exit status 3"),
    ("sys.exit(text)", lambda: sys.exit("text"), {}, "died, exit status 1"),
    ("os._exit(0)", lambda: os._exit(0), {}, "died, exit status 0"),
    ("os._exit(7)", lambda: os._exit(7), {}, "died, exit status 7"),
    ("kill itself", lambda: os.kill(os.getpid(), signal.SIGKILL), {}, r"died, signal 9 \(SIGKILL\)"),
    ("a signal without name", lambda: os.kill(os.getpid(), 40), {}, "died, signal 40"),
    ("terminate itself", lambda: os.kill(os.getpid(), signal.SIGTERM), {}, r"died, signal 15 \(SIGTERM\)"),
    ("segfault", lambda: ctypes.string_at(0), {}, r"died, signal 11 \(SIGSEGV\)"),
    ("kill the group", kill_group, {}, DENIED, r"died, signal 9 \(SIGKILL\)"),
    ("input", input, {}, "died, exit status 1"),
    ("16 GB", lambda: bytearray(16 * GB), {}, "died, exit status 1"),
    ("grow", grow, dict(memory=2**27), "died, exit status 1"),
    ("raise limits", raise_limits, {}, "died, exit status 1"),
    ("print without end", print_without_end, {}, "flooded"),
    ("write to 1 without end", lambda: write_without_end(1), {}, "flooded"),
    ("write to 2 without end", lambda: write_without_end(2), {}, "flooded"),
    ("fork without end", fork_without_end, {}, DENIED, "died, more than 64 processes"),
    ("fork and flee", fork_and_flee, {}, DENIED, "died, exit status 0"),
    ("daemon", daemon, {}, DENIED, "finished"),
    ("a program in another session", start_a_program, {}, DENIED, "finished"),
    ("close everything", close_everything, {}, "died, exit status 1"),
    ("answer to stdout", answer_to_stdout, {}, "died, exit status 0"),
    ("garbage before the frame", garbage_first, {}, "died, exit status 0"),
    ("half a frame", half_a_frame, {}, "died, exit status 0"),
    ("a frame of endless length", a_frame_of_endless_length, {}, "oversized"),
    ("a frame too many", a_frame_too_many, {}, "died, exit status 0"),
    ("flood the result", flood_the_result, dict(result_limit=2**20), "oversized"),
    ("a hole in the result", a_hole_in_the_result, {}, "died, exit status 1"),
    ("a long result", lambda: bytes(1001), dict(result_limit=1000), "oversized"),
    ("no bytes", lambda: None, {}, "died, exit status 1"),
    ("raise a long text", raise_long, {}, "flooded"),
    ("raise the unprintable", raise_unprintable, {}, "died, exit status 1"),
    ("raise in signal handlers", raise_in_signal_handlers, dict(seconds=2), "finished|died.*"),
    ("patch what the child uses", patch_what_the_child_uses, {}, "finished"),
    ("close stdout", close_stdout, {}, "finished"),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack[0].replace(" ", "-") for attack in ATTACKS])
def test_attack_costs_only_its_author(attack, filtered):
    _, function, arguments, *expected = attack
    began = time.monotonic()
    outcome = run_forked(function, **{"seconds": 5, **arguments})
    took = time.monotonic() - began
    came = f"{outcome.status}, {outcome.ending}" if outcome.ending else outcome.status
    came += ", PermissionError" if "\nPermissionError" in outcome.printed else ""
    assert re.fullmatch(expected[0 if filtered else -1], came), (came, outcome.printed)
    assert outcome.data == (b"x" if outcome.status == "finished" else b"")
    assert len(outcome.printed) <= 2000
    assert took < arguments.get("seconds", 5) + 1


def test_memory_error_is_seen(filtered):
    assert "MemoryError" in run_forked(lambda: bytearray(16 * GB)).printed
    assert run_forked(lambda: bytes(2**24), memory=2**27).status == "finished"


# ---- the filter, call by call

_libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    ctypes.set_errno(0)
    answer = _libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return ctypes.get_errno() if answer == -1 else 0


def errors(attempts):
    """errno of each call, tried in one child under the filter. Each is harmless if it should succeed."""

    def attempt():
        found = {}
        for name, function in attempts.items():
            try:
                found[name] = function() or 0
            except OSError as error:
                found[name] = error.errno
        return json.dumps(found).encode()

    outcome = run_forked(attempt)
    assert outcome.status == "finished", outcome
    return json.loads(outcome.data)


@pytest.fixture
def filter_only(monkeypatch):
    if not seccomp.available():
        pytest.skip("no system call filter here")


def test_filter_refuses(filter_only, tmp_path):
    here, parent = tmp_path / "file", os.getpid()
    here.write_text("text")
    name = ctypes.c_char_p(str(here).encode())
    place = ctypes.cast(name, ctypes.c_void_p).value

    def fcntl_on_a_pipe(command):
        return lambda: call(72, os.pipe()[0], command, parent if command != 10 else signal.SIGKILL)

    attempts = {
        "kill parent": lambda: os.kill(parent, 0),
        "kill everybody": lambda: os.kill(-1, 0),
        "kill the group": lambda: os.killpg(0, 0),
        "tkill parent": lambda: call(200, parent, 0),
        "tgkill parent": lambda: call(234, parent, parent, 0),
        "sigqueue parent": lambda: call(129, parent, 0, 0),
        "F_SETOWN": fcntl_on_a_pipe(8),
        "F_SETSIG": fcntl_on_a_pipe(10),
        "setsid": os.setsid,
        "setuid": lambda: call(105, os.getuid()),  # glibc's own wrapper aborts when it is refused
        "prctl PDEATHSIG": lambda: call(157, 1, 0),
        "setrlimit": lambda: call(160, 0, place),
        "prlimit64": lambda: call(302, 0, 0, place, 0),
        "prlimit64, low half 0": lambda: call(302, 0, 0, 2**32, 0),
        "clone": lambda: call(56, signal.SIGCHLD, 0, 0, 0, 0) or os._exit(0),
        "execve": lambda: os.execv("/bin/true", ["true"]),
        "open to write": lambda: os.open(here, os.O_WRONLY),
        "open both": lambda: os.open(here, os.O_RDWR),
        "open with both bits": lambda: os.open(here, 3),
        "open to truncate": lambda: os.open(here, os.O_TRUNC),
        "open to create": lambda: os.open(here, os.O_CREAT),
        "the old open": lambda: call(2, place, os.O_WRONLY),
        "creat": lambda: call(85, place, 0o600),
        "memory of the parent": lambda: os.open(f"/proc/{parent}/mem", os.O_RDWR),
        "unlink": lambda: os.unlink(here),
        "rename": lambda: os.rename(here, tmp_path / "other"),
        "link": lambda: os.link(here, tmp_path / "other"),
        "symlink": lambda: os.symlink(here, tmp_path / "other"),
        "mkdir": lambda: os.mkdir(tmp_path / "folder"),
        "rmdir": lambda: os.rmdir(tmp_path),
        "mkfifo": lambda: os.mkfifo(tmp_path / "fifo"),
        "truncate": lambda: os.truncate(here, 0),
        "chmod": lambda: os.chmod(here, 0),
        "chown": lambda: os.chown(here, 1, 1),
        "utime": lambda: os.utime(here, (0, 0)),
        "setxattr": lambda: os.setxattr(here, "user.x", b"x"),
        "FS_IOC_SETFLAGS": lambda: call(16, os.open(here, os.O_RDONLY), 0x40086602, place),
        "TIOCSTI": lambda: call(16, 0, 0x5412, place),
        "socket": lambda: call(41, 1, 1, 0),
        "socketpair": lambda: call(53, 1, 1, 0, place),
        "memfd_create": lambda: os.memfd_create("x"),
        "shmget": lambda: call(29, 0, 4096, 0),
        "ptrace": lambda: call(101, 16, parent, 0, 0),
        "process_vm_readv": lambda: call(310, parent, 0, 0, 0, 0, 0),
        "priority": lambda: os.nice(1) and 0,
        "affinity of the parent": lambda: os.sched_setaffinity(parent, os.sched_getaffinity(0)),
        "unshare": lambda: call(272, 0),
        "perf_event_open": lambda: call(298, 0, 0, 0, 0, 0),
        "bpf": lambda: call(321, 0, 0, 0),
        "keyctl": lambda: call(250, 0, 0, 0),
    }
    found = errors(attempts)
    assert found == dict.fromkeys(attempts, errno.EPERM)
    young = {"clone3": 435, "openat2": 437, "io_uring_setup": 425, "pidfd_open": 434, "fchmodat2": 452, "x32": 2**30}
    calls = {name: lambda number=number: call(number, 0, 0, 0, 0) for name, number in young.items()}
    assert errors(calls) == dict.fromkeys(young, errno.ENOSYS)
    assert here.read_text() == "text" and os.listdir(tmp_path) == ["file"]


def test_filter_allows_what_computing_needs(filter_only):
    def work():
        results = []
        thread = threading.Thread(target=lambda: results.append(sum(range(1000))))
        thread.start()
        thread.join()
        import colorsys  # noqa: F401  (read from disk)
        import mmap

        mmap.mmap(-1, 2**20).close()
        os.urandom(3), os.listdir("/"), time.sleep(0.001), Path(__file__).read_text(), os.isatty(1)
        os.kill(os.getpid(), 0), signal.raise_signal(signal.SIGCHLD), resource.getrlimit(resource.RLIMIT_AS)
        os.write(os.pipe()[1], b"x"), os.sched_setaffinity(0, os.sched_getaffinity(0))
        print(results[0], file=sys.stderr)
        return b"x"

    assert run_forked(work).printed == "499500\n"


def test_filter_numbers_are_the_systems():
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("no kernel headers here")
    numbers = {name: int(number) for name, number in re.findall(r"__NR_(\w+) (\d+)", header.read_text())}
    assert seccomp._REFUSED.items() <= numbers.items()


# ---- what crosses


def test_result_larger_than_any_pipe(filtered):
    data = os.urandom(10 * 2**20)
    outcome = run_forked(lambda: data, meanwhile=lambda: time.sleep(0.2))
    assert outcome.status == "finished" and outcome.data == data
    assert run_forked(lambda: b"").data == b"" and run_forked(lambda: b"").status == "finished"
    assert run_forked(lambda: memoryview(b"abcd")[::1]).data == b"abcd"


def test_prints_of_both_kinds_arrive_in_order(filtered):
    def speak():
        print("one ä")
        print("two", file=sys.stderr)
        os.write(1, b"three \xff\n")
        print("四", file=sys.__stdout__, end="")
        return b"x"

    assert run_forked(speak).printed == "one ä\ntwo\nthree �\n四"
    assert run_forked(lambda: print("界" * 5000) or b"x").printed == "界" * 2000


def test_what_the_parent_had_buffered_is_not_printed_twice(filtered, monkeypatch, tmp_path):
    path = tmp_path / "stdout"
    with open(path, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        stdout.write("the parent's, ")
        assert run_forked(lambda: print("the child's") or b"x").printed == "the child's\n"
        stdout.write("complete")
    monkeypatch.undo()
    assert path.read_text() == "the parent's, complete"
    path.unlink()


def test_child_begins_in_an_orderly_state(filtered):
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)

    def look():
        descriptors = set(os.listdir("/proc/self/fd"))
        state = {
            "stdin": sys.stdin.read() + os.read(0, 9).decode(),
            "pipe": str(writer) in descriptors,
            "descriptors": len(descriptors) < 7,
            "leader": os.getsid(0) == os.getpgid(0) == os.getpid(),
            "handlers": [signal.getsignal(number) == signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)],
            "empty folder": os.getcwd() == "/" or os.listdir() == [],
            "core": resource.getrlimit(resource.RLIMIT_CORE),
        }
        return json.dumps(state).encode()

    state = json.loads(run_forked(look).data)
    os.close(reader), os.close(writer)
    expected = {"stdin": "", "pipe": False, "descriptors": True, "leader": True, "handlers": [True, True]}
    assert state == {**expected, "empty folder": True, "core": [0, 0]}


def test_files_of_the_learner(filtered, tmp_path, monkeypatch):
    def write_files():
        (Path.cwd() / "closed").mkdir()
        Path("closed/file").write_text("x")
        tempfile.mkstemp()
        os.chmod("closed", 0)
        for _ in range(3000):  # deeper than a recursive removal can go
            os.mkdir("d")
            os.chdir("d")
        return b"x"

    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        outcome = run_forked(write_files)
        assert os.listdir(folder) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert outcome.status == ("died" if filtered else "finished"), outcome


# ---- secrets of the parent


def peek(secret):
    """Tries to read what the parent keeps at the address of a buffer, in the ways the kernel has."""
    parent, address = os.getpid(), ctypes.addressof(secret)

    def function():
        time.sleep(0.1)
        found = []
        for path in (f"/proc/{parent}/mem", f"/proc/{parent}/fd/0", f"/proc/{parent}/environ"):
            try:
                with open(path, "rb", 0) as file:
                    if path.endswith("mem"):
                        file.seek(address)
                    found.append(file.read(6).decode(errors="replace"))
            except OSError as error:
                found.append(error.errno)
        buffer = ctypes.create_string_buffer(6)
        local = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 6)
        remote = (ctypes.c_void_p * 2)(address, 6)
        found.append(_libc.process_vm_readv(parent, local, 1, remote, 1, 0))
        return json.dumps(found).encode()

    return function


def test_child_cannot_read_the_parent(filtered):
    secret = ctypes.create_string_buffer(b"------")
    outcome = run_forked(peek(secret), meanwhile=lambda: setattr(secret, "value", b"secret"))
    assert secret.value == b"secret"
    assert json.loads(outcome.data) == [errno.EACCES] * 3 + [-1]


def in_fork(function, user=None):
    """Run function in a fork of this process, as another user; returns what it returns, a JSON value."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if user is not None:
                os.setgid(user), os.setuid(user)
                seccomp.prctl(confine._SET_DUMPABLE, 1)  # as in a process that was started by this user
            os.write(writer, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        written = file.read()
    os.waitpid(pid, 0)
    return json.loads(written)


@pytest.mark.parametrize("user", [None, 65534])
def test_works_in_a_fork_and_without_privileges(filtered, user, monkeypatch):
    if user and os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, monkeypatch.context() as patch:
        os.chmod(folder, 0o777)
        patch.setattr(tempfile, "tempdir", folder)

        def work():
            secret = ctypes.create_string_buffer(b"------")
            outcomes = [
                run_forked(lambda: bytes(2**20)),
                run_forked(loop, seconds=0.3),
                run_forked(print_without_end),
                run_forked(daemon),
                run_forked(test_files),
            ]
            peeked = run_forked(peek(secret), meanwhile=lambda: setattr(secret, "value", b"secret"))
            dumpable = seccomp.prctl(confine._GET_DUMPABLE)
            left = [len(confine.children()), os.listdir(folder), dumpable]
            return [outcome.status for outcome in outcomes], json.loads(peeked.data), left

        def test_files():
            os.mkdir("closed"), Path("closed/file").write_text("x"), os.chmod("closed", 0), os.chmod(".", 0)
            return b"x"

        done = "died" if filtered else "finished"
        statuses, peeked, left = in_fork(work, user)
    assert statuses == ["finished", "timeout", "flooded", done, done]
    assert peeked == [errno.EACCES] * 3 + [-1]
    assert left == [0, [], 1]


# ---- meanwhile, Ctrl-C and other trouble of the parent


def test_meanwhile_runs_beside_the_child_unknown_to_it(filtered):
    known = []

    def function():
        time.sleep(0.3)
        return str(known).encode()

    began = time.monotonic()
    outcome = run_forked(function, meanwhile=lambda: (time.sleep(0.3), known.append("expected")))
    assert outcome.data == b"[]" and known == ["expected"]
    assert time.monotonic() - began < 0.55


def test_clock_is_fair_when_meanwhile_is_slow(filtered):
    slow = dict(seconds=0.3, meanwhile=lambda: time.sleep(0.6))
    assert run_forked(lambda: bytes(2**21), **slow).data == bytes(2**21)
    outcome = run_forked(lambda: print("x" * 2**18) or b"x", **slow)
    assert outcome.status == "finished"
    outcome = run_forked(loop, **slow)
    assert outcome.status == "timeout" and outcome.seconds < 0.9


def test_error_in_meanwhile_ends_the_child(filtered):
    with pytest.raises(ZeroDivisionError):
        run_forked(lambda: time.sleep(60), meanwhile=lambda: 1 / 0)


def press_after(seconds):
    """Ctrl-C for this process, from a process of its own: sleep and kill have no threads to be forked along."""
    return subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -INT {os.getpid()}"])


def test_interrupt_ends_the_child(filtered):
    handler = signal.getsignal(signal.SIGINT)
    began = time.monotonic()
    presser = press_after(0.3)
    with pytest.raises(KeyboardInterrupt):
        run_forked(lambda: time.sleep(60))
    assert 0.2 < time.monotonic() - began < 2
    assert presser.wait() == 0
    with pytest.raises(KeyboardInterrupt):
        run_forked(lambda: time.sleep(60), meanwhile=lambda: os.kill(os.getpid(), signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("moment", ["fork", "waitpid", "fstat"])
def test_interrupt_at_the_worst_moment_leaves_nothing(moment, filtered, monkeypatch):
    """Ctrl-C just before the number of the child is noted, while it is reaped, and while its files are measured."""
    genuine = getattr(os, moment)

    def press(*arguments):
        answer = genuine(*arguments)
        if os.getpid() == parent:
            signal.raise_signal(signal.SIGINT)
        return answer

    parent = os.getpid()
    monkeypatch.setattr(os, moment, press)
    with pytest.raises(KeyboardInterrupt):
        run_forked(lambda: time.sleep(60))
    monkeypatch.setattr(os, moment, genuine)


def test_child_dies_with_its_parent(filtered):
    pid = os.fork()
    if pid == 0:
        run_forked(lambda: time.sleep(60), seconds=60)
        os._exit(0)
    give_up = time.monotonic() + 5
    while not (children := confine.children(pid)) and time.monotonic() < give_up:
        time.sleep(0.01)
    time.sleep(0.2)  # until it is sleeping
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for folder in glob.glob(f"{tempfile.tempdir}/paddle-vit-*"):
        os.rmdir(folder)  # nobody was left to do it
    assert len(children) == 1
    while os.path.exists(f"/proc/{min(children)}") and time.monotonic() < give_up:
        for child in confine.children():  # where this process adopts orphans
            os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
    assert time.monotonic() < give_up


def test_other_children_of_the_parent_live_on(filtered):
    with subprocess.Popen(["sleep", "98765"]) as other:
        assert run_forked(daemon, seconds=1).status in ("finished", "died")
        assert other.poll() is None
        other.kill()


def test_odd_parents(filtered):
    def with_ignored_children():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        return [run_forked(lambda: b"x").status, run_forked(lambda: os._exit(0)).status]

    assert in_fork(with_ignored_children) == ["finished", "died"]

    def with_closed_descriptors():
        os.closerange(0, 3)
        outcome = run_forked(lambda: print("said") or b"x")
        return [outcome.status, outcome.printed]

    assert in_fork(with_closed_descriptors) == ["finished", "said\n"]

    def in_a_thread():
        found = []
        thread = threading.Thread(target=lambda: found.append(run_forked(lambda: b"x").status))
        thread.start(), thread.join()
        return found

    assert in_fork(in_a_thread) == ["finished"]


def test_no_warning_of_threads():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert run_forked(lambda: b"x").status == "finished"
    finally:
        stop.set(), thread.join()


# ---- where fork is missing

SERVE = "from paddle_vit.grader.isolate import serve\n"


def command(code, stdin=b"job", **arguments):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return run_command([sys.executable, "-c", code], stdin, env=env, **{"seconds": 20, **arguments})


@pytest.fixture
def forkless(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "fork")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = leftovers(tmp_path)
    yield
    assert leftovers(tmp_path) == before


def test_command_answers(forkless):
    assert not isolate.can_fork()
    job = os.urandom(2**20)
    outcome = command(SERVE + "print('before'); serve(lambda job: print('said') or job[::-1] * 9)", job)
    assert outcome.status == "finished" and outcome.data == job[::-1] * 9
    assert outcome.printed == "said\n"


ENDS = {
    "import time; time.sleep(60)": "timeout",
    SERVE + "serve(lambda job: exec('while True: pass'))": "timeout",
    SERVE + "serve(lambda job: exec('while True: print(1)'))": "flooded",
    SERVE + "serve(lambda job: bytes(1000))": "oversized",
    SERVE + "serve(lambda job: exec('import sys; sys.exit(3)'))": "died, exit status 3",
    SERVE + "import os; serve(lambda job: os._exit(0))": "died, exit status 0",
    SERVE + "serve(lambda job: bytearray(16 * 2**30))": "died, exit status 1",
    SERVE + "serve(lambda job: input())": "died, exit status 1",
    "print('not a frame')": "died, exit status 0",
    "import os; os.kill(os.getpid(), 9)": "died, signal 9 (SIGKILL)",
    "import subprocess; subprocess.Popen(['sleep', '98765'], start_new_session=True)": "died, exit status 0",
}


@pytest.mark.parametrize("code", ENDS)
def test_command_that_fails(code, forkless):
    outcome = command(code, seconds=1 if ENDS[code] == "timeout" else 5, result_limit=999)
    assert (f"{outcome.status}, {outcome.ending}" if outcome.ending else outcome.status) == ENDS[code], outcome.printed
    assert outcome.data == b"" and outcome.seconds < 6


def test_command_missing(forkless):
    with pytest.raises(OSError):
        run_command(["/there/is/no/such/program"], b"")


def test_describe(filtered, monkeypatch):
    assert isolate.describe() == {
        "fork": True,
        "system call filter": filtered,
        "memory limit": True,
        "search for stray processes": True,
    }
    monkeypatch.delattr(os, "fork")
    assert not any([isolate.describe()["fork"], isolate.describe()["system call filter"]])
    monkeypatch.undo()


# ---- with paddle, in a process of its own: this one stays without

PADDLE = """
import zlib, sys, threading
import paddle, paddle.nn as nn, paddle.nn.functional as F
from paddle_vit.grader import confine, isolate, seccomp

def work():
    paddle.seed(3)
    x = paddle.randn([32, 64])
    x.stop_gradient = False
    net = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.LayerNorm(128))
    y = net(F.softmax(x @ x.T) @ x)
    (y * y).mean().backward()
    big = paddle.matmul(paddle.randn([500, 500]), paddle.randn([500, 500])).sum()
    return x.grad.numpy().tobytes() + net[0].weight.grad.numpy().tobytes() + big.numpy().tobytes()

def in_child():
    # The thread that forked must use the math library before any other thread of the child does: it crashes otherwise.
    paddle.matmul(paddle.ones([2, 2]), paddle.ones([2, 2]))
    sums = []
    ones = lambda: sums.append(paddle.matmul(paddle.ones([99, 99]), paddle.ones([99, 99])).sum().item())
    threads = [threading.Thread(target=ones) for _ in range(4)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert sums == [99.0**3] * 4
    return work()

expected = work()
for _ in range(2):
    for _ in range(3):
        outcome = isolate.run_forked(in_child, seconds=60)
        assert outcome.status == "finished", outcome
        assert outcome.data == expected, "other numbers"
    outcome = isolate.run_forked(lambda: paddle.zeros([4 * 2**30]).numpy().tobytes())
    assert outcome.status == "died" and "ResourceExhausted" in outcome.printed, outcome
    seccomp.available = lambda: False
print("all right")
"""


@pytest.mark.skipif(not importlib.util.find_spec("paddle"), reason="needs paddle")
@pytest.mark.parametrize("threads", [1, 2])
def test_paddle_works_in_the_child(threads):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run([sys.executable, "-c", PADDLE], env=env, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().endswith("all right"), done.stdout + done.stderr
