"""What a forked process gives up before it runs student code.

Order matters: `settle_in` needs privileges in the new user namespace, `give_up_privileges` ends them, and
`filter_system_calls` makes sure that they cannot be had again.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import threading
from collections.abc import Mapping

__all__ = [
    "be_nobody",
    "can_be_nobody",
    "filter_system_calls",
    "fork_into_namespaces",
    "give_up_privileges",
    "memory_in_use_mib",
    "rehearse",
    "set_limits",
    "settle_in",
    "use_large_pages",
]

_libc = ctypes.CDLL(None, use_errno=True)
_libc_with_gil = ctypes.PyDLL(None, use_errno=True)

_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_NOBODY = 65534
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_MOVE, _MS_REC, _MS_PRIVATE = 1, 2, 4, 0x1000, 0x2000, 0x4000, 0x40000
_MADV_COLLAPSE, _LARGE_PAGE = 25, 1 << 21
# What libcuda opens in /proc, as its strings and a trace of its start say (535.261); /proc/<pid>/exe besides.
_MACHINES = ("cpuinfo", "devices", "driver", "meminfo", "modules", "sys/kernel/modprobe", "sys/vm/mmap_min_addr")
_PROCESSES = ("cmdline", "comm", "maps", "stat", "status")
_THREADS = 512
"""Numbers of threads that can be named; CUDA starts a handful before any code of a student's."""
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 3, 4, 24, 38, 22


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(kind: str, target: str, flags: int, options: str) -> None:
    _check(_libc.mount(kind.encode(), target.encode(), kind.encode(), flags, options.encode()), f"mount {target}")


def can_be_nobody() -> bool:
    """Whether this is a root that can become another user.

    In a container of one user there is none: its root is that user under another name, and has no more rights.
    """
    if os.getuid() != 0:
        return False
    try:
        with open("/proc/self/setgroups") as file:
            if file.read().strip() == "deny":
                return False
        with open("/proc/self/uid_map") as users, open("/proc/self/gid_map") as groups:
            return all(any(_holds(line, _NOBODY) for line in lines) for lines in (users, groups))
    except OSError:  # a kernel without user namespaces
        return True


def _holds(line: str, number: int) -> bool:
    """Whether a line of a map (inside, outside, length) is about this user."""
    first, _, length = map(int, line.split())
    return first <= number < first + length


def be_nobody() -> None:
    """Stop being root, where there is somebody else to be.

    The limit on processes does not bind root, and root's files are none of the children's business.
    """
    if can_be_nobody():
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


def fork_into_namespaces() -> int:
    """As `os.fork`, but the child is the first process of its own namespaces: users, processes, mounts, network, ipc.

    `os.fork` and `unshare` would take two forks, since the one who unshares keeps its process namespace; each costs
    milliseconds for the warm parent's page tables.  Only for a process with one thread: unlike `os.fork`, this does not
    run the handlers of C libraries.
    """
    flags = _CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWIPC | _CLONE_NEWNET | _CLONE_NEWUTS
    number = _CLONE[_column()]
    own_number = threading.get_native_id()
    dumpable = _libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # or the child's /proc/self/uid_map belongs to root
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = int(_libc_with_gil.syscall(number, flags | signal.SIGCHLD, 0, 0, 0, 0))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        _pass_over(own_number)
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        _libc.prctl(_PR_SET_DUMPABLE, dumpable, 0, 0, 0)
        if pid < 0:
            number = ctypes.get_errno()
            _check(-1, "clone" if number != errno.ENOSPC else "no more user namespaces (user.max_user_namespaces)")
    return pid


def _pass_over(number: int) -> None:
    """See to it that no later thread of this process gets a number.

    The C library goes on taking this thread for the one that called `clone`, and knows the owner of a recursive lock by
    its number.  In a new process namespace numbers begin again, and the first thread would get just that one.
    """
    latest = 0
    while latest <= number:
        thread = threading.Thread(target=int)
        thread.start()
        latest = thread.native_id or 0
        thread.join()


def settle_in(uid: int, gid: int, scratch_mib: float, device: str = "cpu") -> None:
    """Furnish the namespaces that this process was forked into.

    It sees an empty /proc, so no other process; /tmp and /dev/shm are fresh, small and private.

    Args:
        uid, gid: who it was outside, and stays.
        device: for "cuda", /proc holds what the driver asks for.
    """
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # if memory runs out, this process goes first, not the warm parent or the grader
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "mount / private")
    _mount("tmpfs", "/tmp", _MS_NOSUID | _MS_NODEV, f"size={int(scratch_mib)}m,nr_inodes=4096,mode=0700")
    _mount("tmpfs", "/dev/shm", _MS_NOSUID | _MS_NODEV, "size=4m,nr_inodes=256,mode=0700")
    if os.path.isdir("/dev/pts"):  # two children could write to each other through a terminal of theirs
        _mount("tmpfs", "/dev/pts", _MS_NOSUID | _MS_NODEV | _MS_RDONLY, "size=4k,nr_inodes=2,mode=0500")
    if device == "cuda":
        _show_the_driver_proc()
    else:
        _mount("tmpfs", "/proc", _MS_NOSUID | _MS_NODEV | _MS_RDONLY, "size=4k,nr_inodes=2,mode=0500")


def _show_the_driver_proc() -> None:
    """Put a /proc in place that holds what CUDA's start reads of the machine and of this process, and nothing else.

    The kernel lets no process mount a whole one here: parts of the outer one are covered.  CUDA names its threads, by
    writing to /proc/self/task/<thread>/comm, and does not start where it can't (error 304).  In the outer /proc threads
    have other numbers than in this process's own namespace, so each number leads to one and the same file.
    """
    new, mine = "/tmp/proc", f"/tmp/proc/{os.getpid()}"
    os.mkdir(new)
    _mount("tmpfs", new, _MS_NOSUID | _MS_NODEV, f"size=64k,nr_inodes={_THREADS + 64},mode=0700")
    for path in _MACHINES:
        _show(f"/proc/{path}", f"{new}/{path}")
    for path in _PROCESSES:
        _show(f"/proc/self/{path}", f"{mine}/{path}")
    os.symlink(os.readlink("/proc/self/exe"), f"{mine}/exe")
    os.makedirs(f"{mine}/task/all")
    with open(f"{mine}/task/all/comm", "w"):
        pass
    for number in range(1, _THREADS + 1):
        os.symlink("all", f"{mine}/task/{number}")
    os.symlink(str(os.getpid()), f"{new}/self")
    os.symlink("self/task/all", f"{new}/thread-self")
    _check(_libc.mount(new.encode(), b"/proc", None, _MS_MOVE, None), "mount /proc")
    os.rmdir(new)


def _show(path: str, at: str) -> None:
    if not os.path.exists(path):
        return
    if os.path.isdir(path):
        os.makedirs(at)
    else:
        os.makedirs(os.path.dirname(at), exist_ok=True)
        with open(at, "w"):
            pass
    _check(_libc.mount(path.encode(), at.encode(), None, _MS_BIND | _MS_REC, None), f"mount {at}")


def rehearse() -> bool:
    """Whether a process can be isolated here: do it once; the child says on stderr what hinders it."""
    uid, gid = os.getuid(), os.getgid()
    pid = fork_into_namespaces()
    if pid == 0:
        status = 1
        try:
            settle_in(uid, gid, 1)
            give_up_privileges()
            status = 0
        except Exception as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def memory_in_use_mib() -> dict[int, int]:
    """Address space and writable data by their limits' numbers; to be asked before `settle_in` hides /proc."""
    with open("/proc/self/statm") as file:
        pages = [int(number) for number in file.read().split()]
    size = resource.getpagesize()
    return {resource.RLIMIT_AS: pages[0] * size >> 20, resource.RLIMIT_DATA: pages[5] * size >> 20}


def use_large_pages() -> None:
    """Put this process's data into pages of 2 MiB where the kernel can do that: forking then copies a small table.

    A fork takes a fifth of the time, and what the child writes to is copied in small pages all the same.  It takes a
    third of a second, once.  (`madvise` with `MADV_COLLAPSE`, Linux 6.1.)
    """
    with open("/proc/self/maps") as file:
        lines = [line.split() for line in file]
    for line in lines:
        place, rights, inode = line[0], line[1], line[4]
        first, last = (int(number, 16) for number in place.split("-"))
        first, last = -(-first // _LARGE_PAGE) * _LARGE_PAGE, last // _LARGE_PAGE * _LARGE_PAGE
        if rights.startswith("rw") and inode == "0" and first < last:
            _libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _MADV_COLLAPSE)


def set_limits(limits: Mapping[str, float], base_mib: Mapping[int, int], device: str = "cpu") -> None:
    """Set the kernel's limits for this process.

    Args:
        limits: `Limits.as_dict()`.
        base_mib: `memory_in_use_mib` when the process was forked.
        device: CUDA reserves address space as large as all memories together, without using it: there only data counts.
    """
    kind = resource.RLIMIT_DATA if device == "cuda" else resource.RLIMIT_AS
    values = {
        kind: int(base_mib[kind] + limits["memory_mib"]) << 20,
        resource.RLIMIT_CPU: int(limits["cpu_s"]),
        resource.RLIMIT_NOFILE: int(limits["files"]),
        resource.RLIMIT_NPROC: int(limits["threads"]),
        resource.RLIMIT_FSIZE: int(limits["scratch_mib"]) << 20,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for which, value in values.items():
        hard = resource.getrlimit(which)[1]  # whoever started the grader may have set a lower one
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def give_up_privileges() -> None:
    """Drop every capability that the new user namespace gave, for good."""
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 and ctypes.get_errno() == errno.EINVAL:
            break
    header = struct.pack("<Ii", 0x20080522, 0)
    _check(_libc.capset(header, bytes(24)), "capset")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


# System calls that a graded cell never needs, by (x86-64, arm64) number; None: does not exist there.
# New processes are refused as a whole (threads are not): one process is what the limits are counted for.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "personality": (135, 92),
    "sched_setaffinity": (203, 122),
    "socket": (41, 198),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
}
_CLONE = (56, 220)
_CLONE3 = 435
_CLONE_THREAD = 0x00010000
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_FIRST_ARGUMENT = 0, 4, 16


def _column() -> int:
    known = _ARCHITECTURES.get(platform.machine())
    if known is None:
        raise OSError(errno.ENOSYS, f"the sandbox does not know the processor {platform.machine()}")
    return known[0]


def _program(column: int, architecture: int, allowed: frozenset[str]) -> bytes:
    refuse, absent = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    steps: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _OFFSET_ARCH),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _OFFSET_NUMBER),
    ]
    if column == 0:  # the x32 numbers would pass by the list
        steps += [(_JUMP_GREATER_EQUAL, 0, 1, 0x40000000), (_RETURN, 0, 0, refuse)]
    for name, numbers in _REFUSED.items():
        number = numbers[column]
        if number is not None and name not in allowed:
            steps += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    # clone3 hides its flags from the filter; without it the C library falls back to clone.
    steps += [(_JUMP_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, absent)]
    steps += [
        (_JUMP_EQUAL, 0, 3, _CLONE[column]),
        (_LOAD, 0, 0, _OFFSET_FIRST_ARGUMENT),
        (_JUMP_SET, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


# CUDA does not start without memory files (error 304), and looks for its services' sockets: there is no network, and no
# socket's file is shown.
_CUDA_NEEDS = frozenset({"memfd_create", "socket"})


def filter_system_calls(device: str = "cpu") -> bool:
    """Refuse what no graded cell needs: new processes, programs, namespaces, sockets, debugging.

    Args:
        device: for "cuda", what the driver needs is not refused.

    Returns:
        False on a processor for which the numbers are not known; nothing is filtered then.
    """
    known = _ARCHITECTURES.get(platform.machine())
    if known is None:
        return False
    program = _program(*known, _CUDA_NEEDS if device == "cuda" else frozenset())
    buffer = ctypes.create_string_buffer(program, len(program))

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]

    filter_program = Filter(len(program) // 8, ctypes.addressof(buffer))
    _check(_libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(filter_program), 0, 0), "seccomp")
    return True
