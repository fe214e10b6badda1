"""A filter on the system calls of a hostile process.

Under the filter a process can compute, read and print, and do nothing to anybody else. It needs no privilege and cannot
be taken off. What it refuses fails with EPERM, in Python an ordinary PermissionError. On x86_64 only: the numbers
below are that machine's. See seccomp(2) and linux/seccomp.h.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

LINUX = sys.platform == "linux"
libc = ctypes.CDLL(None, use_errno=True) if LINUX else None

# Refused whatever their arguments are. What needs a capability is listed only where root is often left with it.
_REFUSED = {
    # new processes and programs
    **dict(fork=57, vfork=58, execve=59, execveat=322, unshare=272, setns=308),
    # signals to others, other groups and sessions, other identities (which would undo the death with the parent)
    **dict(rt_sigqueueinfo=129, rt_tgsigqueueinfo=297, setsid=112, setpgid=109, setuid=105, setgid=106, setreuid=113),
    **dict(setregid=114, setgroups=116, setresuid=117, setresgid=119, setfsuid=122, setfsgid=123, capset=126),
    # a look into other processes, their memory and their share of the machine
    **dict(ptrace=101, process_vm_readv=310, process_vm_writev=311, kcmp=312, migrate_pages=256, move_pages=279),
    **dict(setpriority=141, ioprio_set=251, sched_setscheduler=144, sched_setparam=142, sched_setattr=314),
    **dict(setrlimit=160),
    # talk, and memory or queues that outlive the process
    **dict(socket=41, socketpair=53, memfd_create=319, shmget=29, shmat=30, shmctl=31, semget=64, semop=65, semctl=66),
    **dict(semtimedop=220, msgget=68, msgsnd=69, msgrcv=70, msgctl=71, mq_open=240, mq_unlink=241),
    # changes to files
    **dict(creat=85, open_by_handle_at=304, truncate=76, ftruncate=77, fallocate=285, mknod=133, mknodat=259),
    **dict(unlink=87, unlinkat=263, rename=82, renameat=264, renameat2=316, rmdir=84, mkdir=83, mkdirat=258),
    **dict(link=86, linkat=265, symlink=88, symlinkat=266, chmod=90, fchmod=91, fchmodat=268),
    **dict(chown=92, fchown=93, lchown=94, fchownat=260, utime=132, utimes=235, utimensat=280, futimesat=261),
    **dict(setxattr=188, lsetxattr=189, fsetxattr=190, removexattr=197, lremovexattr=198, fremovexattr=199),
    # the machine
    **dict(mount=165, umount2=166, chroot=161, bpf=321, perf_event_open=298, userfaultfd=323),
    **dict(keyctl=250, add_key=248, request_key=249),
}
# Everything from here on is younger than Linux 5.1 (io_uring, pidfd, clone3, openat2, fchmodat2, ...), and the calls of
# the x32 interface have numbers above 2**30. C libraries go back to the older calls when they hear ENOSYS.
_FIRST_UNKNOWN = 424

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CLONE_THREAD = 0x10000
_TERMINAL_QUESTIONS = [0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A]  # TCGETS, TIOCGWINSZ, FIONREAD,
# FIONBIO, FIONCLEX, FIOCLEX, TCGETS2: the others can type into a terminal (TIOCSTI) or set a file's attributes
_SIGNALS_BY_DESCRIPTOR = [8, 10, 15]  # F_SETOWN, F_SETSIG, F_SETOWN_EX: with O_ASYNC they send any signal to anybody

PR_SET_PDEATHSIG, _PR_SET_SECCOMP, NO_NEW_PRIVS, _MODE_FILTER = 1, 22, 38, 2
_AUDIT_ARCH_X86_64 = 0xC000003E
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF opcodes, operands of 32 bits


def _end(error=0):
    return _RETURN, 0, 0, 0x00050000 | error if error else 0x7FFF0000  # SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW


def _argument(index, high=False):
    return _LOAD, 0, 0, 16 + 8 * index + 4 * high  # its place in struct seccomp_data, little endian


def _one_of(index, values, then, otherwise):
    tests = [step for value in values for step in ((_EQUAL, 0, 1, value), then)]
    return [_argument(index), *tests, otherwise]


def _program():
    """The filter as BPF steps (code, jump if true, jump if false, operand); jumps count the steps to leave out.

    Where an argument decides, the kernel takes it as an int and so does the filter. prlimit64's is a pointer.
    """
    allow, refuse, myself = _end(), _end(errno.EPERM), [os.getpid()]
    by_argument = {
        56: [_argument(0), (_ANY_BIT, 0, 1, _CLONE_THREAD), allow, refuse],  # clone: threads only
        2: [_argument(1), (_ANY_BIT, 0, 1, _WRITING), refuse, allow],  # open
        257: [_argument(2), (_ANY_BIT, 0, 1, _WRITING), refuse, allow],  # openat
        62: _one_of(0, myself, allow, refuse),  # kill
        200: _one_of(0, myself, allow, refuse),  # tkill
        234: _one_of(0, myself, allow, refuse),  # tgkill
        203: _one_of(0, [0], allow, refuse),  # sched_setaffinity: of the calling thread
        16: _one_of(1, _TERMINAL_QUESTIONS, allow, refuse),  # ioctl
        72: _one_of(1, _SIGNALS_BY_DESCRIPTOR, refuse, allow),  # fcntl
        157: _one_of(0, [PR_SET_PDEATHSIG], refuse, allow),  # prctl
        302: [_argument(2), (_EQUAL, 0, 3, 0), _argument(2, high=True), (_EQUAL, 0, 1, 0), allow, refuse],  # prlimit64
    }
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _AUDIT_ARCH_X86_64), refuse, (_LOAD, 0, 0, 0)]
    steps += [(_AT_LEAST, 0, 1, _FIRST_UNKNOWN), _end(errno.ENOSYS)]
    for number, rule in by_argument.items():
        steps += [(_EQUAL, 0, len(rule), number), *rule]
    for number in _REFUSED.values():
        steps += [(_EQUAL, 0, 1, number), refuse]
    return [*steps, allow]


def prctl(option, value=0):
    return libc.prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3) if LINUX else -1


def available():
    """Whether install would work here. Changes nothing: a filter at address 0 fails with EFAULT where filters exist."""
    if not LINUX or platform.machine() != "x86_64" or sys.maxsize < 2**32:
        return False
    ctypes.set_errno(0)
    return prctl(_PR_SET_SECCOMP, _MODE_FILTER) == -1 and ctypes.get_errno() == errno.EFAULT


def install():
    """Put the calling thread, and the threads that it starts from now on, under the filter for good.

    Call it in a process that has no other thread yet: one that was just forked.

    Returns:
        Whether it is in force. False where it is unsupported.
    """
    if not available():
        return False
    steps = _program()
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))  # struct sock_fprog
    return prctl(NO_NEW_PRIVS, 1) == 0 and (
        libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), program, ctypes.c_ulong(0), ctypes.c_ulong(0)) == 0
    )
