"""Attacks on what is outside: files, other processes, the network, the next submission."""

from __future__ import annotations

from tests.attacks.attack import Attack

__all__ = ["HOST"]

_TRY = """
import os
def attempt(what, *args, **kwargs):
    try:
        print("REACHED", getattr(what, "__name__", what), args, what(*args, **kwargs))
    except BaseException as error:
        print(type(error).__name__, error)
"""
_SYSCALL = (
    _TRY
    + """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(*numbers):
    result = libc.syscall(*numbers)
    if result >= 0:
        print("REACHED", numbers, result)
    else:
        print(os.strerror(ctypes.get_errno()))
"""
)


def _attack(name: str, aim: str, text: str, before: str = _TRY) -> Attack:
    return Attack(name, aim, cell=before + text)


HOST = (
    _attack("environment", "reads the environment", "print(dict(os.environ)); print(os.environb)"),
    _attack(
        "home-and-keys",
        "reads home folders and ssh keys",
        """
for path in ("~", "~/.ssh/id_ed25519", "~/.ssh/id_rsa", "/root/.ssh", "/root/.bashrc", "/home", "/etc/passwd",
             "/etc/shadow",
             "/etc/hostname", "/var/log", "/run", "/sys", "/boot", "/srv", "/mnt"):
    path = os.path.expanduser(path)
    if os.path.isdir(path): attempt(lambda: os.listdir(path) or 1 / 0)
    else: attempt(open, path)
""",
    ),
    _attack(
        "course-folder",
        "reads the gradebook, the sources, the seed and other submissions",
        """
for path in ("SECRET_PLACE", "SECRET_PLACE/secret.txt", "SECRET_PLACE/gradebook.db", "SECRET_PLACE/../",
             "/proc/1/root/SECRET_PLACE", "/proc/self/cwd/../../SECRET_PLACE"):
    attempt(os.listdir, path); attempt(open, path)
""",
    ),
    _attack(
        "walk-everything",
        "searches the whole file system for the secret",
        """
import itertools
for folder, folders, files in itertools.islice(os.walk("/"), 30_000):
    folders[:] = [f for f in folders if f not in ("packages0", "usr", "lib")]
    for name in files:
        if name in ("secret.txt", "gradebook.db", "seed.json") or name.endswith(".ipynb"):
            attempt(open, os.path.join(folder, name))
""",
    ),
    _attack(
        "proc",
        "reads and writes other processes through /proc",
        """
attempt(lambda: os.listdir("/proc") or 1 / 0)
for pid in ("self", "1", "2", str(os.getppid())):
    for name in ("environ", "mem", "maps", "fd", "root", "cmdline", "task"):
        attempt(open, f"/proc/{pid}/{name}", "rb")
""",
    ),
    _attack(
        "processes",
        "ptrace, process_vm_readv, pidfd, kcmp on other processes",
        """
for pid in (0, 1, 2, 3, os.getppid()):
    call(101, 16, pid, 0, 0); call(310, pid, 0, 0, 0, 0, 0); call(434, pid, 0); call(312, pid, pid, 0, 0, 0)
""",
        _SYSCALL,
    ),
    _attack(
        "network",
        "TCP, UDP, DNS and raw sockets",
        """
import socket, urllib.request
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
    for family in (socket.AF_INET, socket.AF_INET6, 17, 16):
        attempt(socket.socket, family, kind)
attempt(socket.create_connection, ("127.0.0.1", 22), 1)
attempt(socket.getaddrinfo, "example.org", 80)
attempt(urllib.request.urlopen, "http://192.0.2.1/", timeout=1)
""",
    ),
    _attack(
        "local-sockets",
        "unix sockets by path and by abstract name",
        """
import socket
def connect(name):
    s = socket.socket(socket.AF_UNIX); s.connect(name)
for name in ("/run/docker.sock", "/var/run/dbus/system_bus_socket", "\\0/tmp/.X11-unix/X0", "/tmp/.X11-unix/X0"):
    attempt(connect, name)
""",
    ),
    _attack(
        "installed-packages",
        "writes into installed packages so that the next submission suffers",
        """
import torch, numpy, course_lib, inside, sys
for module in (torch, numpy, course_lib, inside):
    folder = os.path.dirname(module.__file__)
    attempt(open, os.path.join(folder, "poison.py"), "w")
    attempt(open, module.__file__, "a")
    attempt(os.rename, module.__file__, module.__file__ + "x"); attempt(os.chmod, folder, 0o777)
for path in sys.path:
    attempt(open, os.path.join(path or ".", "scipy_poison.py"), "w") if path != "/tmp" else None
""",
    ),
    _attack(
        "shared-places",
        "leaves files where the next submission would find them",
        """
for place in ("/", "/dev", "/sandbox", "/etc", "/root", "/usr/local", "/proc", "/sandbox/inside", "/sandbox/packages0"):
    attempt(open, f"{place}/sympy.py", "w"); attempt(os.mkdir, f"{place}/left")
    attempt(os.symlink, "/tmp", f"{place}/link")
""",
    ),
    Attack(
        "left-in-tmp",
        "leaves files in /tmp and /dev/shm for the next submission",
        cell="""
            import os
            for place in ("/tmp", "/dev/shm", "/tmp/home", "/tmp/work"):
                try:
                    if os.path.exists(f"{place}/left-behind"): print("REACHED what an earlier submission left")
                    os.makedirs(place, exist_ok=True); open(f"{place}/left-behind", "w").write("poison")
                    open(f"{place}/scipy.py", "w").write("raise SystemExit")
                except OSError as error: print(error)
        """,
    ),
    _attack(
        "namespaces",
        "new namespaces, mounts, chroot, setuid",
        """
for number in (272, 56):
    call(number, 0x10000000 | 17, 0, 0, 0, 0)
call(165, b"tmpfs", b"/usr", b"tmpfs", 0, 0); call(166, b"/proc", 2); call(166, b"/tmp", 2); call(161, b"/tmp")
call(308, 3, 0); call(428, -100, b"/", 1); call(155, b"/tmp", b"/tmp")
call(442, -100, b"/", 0, 0, 0); call(430, b"tmpfs", 0)
attempt(lambda: os.setuid(0) or os.getuid() != 0 and 1 / 0); attempt(lambda: os.setgroups([0]) or 1)
""",
        _SYSCALL,
    ),
    _attack(
        "kernel-doors",
        "io_uring, bpf, keyrings, userfaultfd, perf, modules, memfd, shared memory",
        """
call(425, 8, 0); call(321, 0, 0, 0); call(248, b"user", b"a", b"b", 1, -3); call(323, 1); call(298, 0, 0, -1, -1, 0)
call(175, 0, 0, b""); call(319, b"a", 0); call(29, 1, 4096, 0o1777); call(246, 0, 0, 0, 0)
call(169, 0xfee1dead, 672274793, 0, 0)
call(0x40000000 + 41, 2, 1, 0); call(304, -100, 0, 0); call(203, 0, 8, b"\\xff" * 8)
""",
        _SYSCALL,
    ),
    _attack(
        "new-programs",
        "starts programs in every way",
        """
import subprocess
for program in (["/bin/sh", "-c", "id"], ["curl", "http://192.0.2.1"], ["bwrap", "--help"]):
    attempt(subprocess.check_output, program)
attempt(os.posix_spawn, "/bin/true", ["true"], {}); attempt(os.execv, "/bin/true", ["true"])
print(os.system("touch /tmp/SYSTEM"), os.path.exists("/tmp/SYSTEM") and "REACHED a shell")
get_ipython().system("touch /tmp/BANG")
print(os.path.exists("/tmp/BANG") and "REACHED a shell by !")
""",
    ),
    _attack(
        "terminal",
        "types into the instructor's terminal",
        """
import fcntl, termios
for path in ("/dev/tty", "/dev/console", "/dev/pts/0", "/dev/ptmx"):
    def type_in():
        fd = os.open(path, os.O_RDWR); fcntl.ioctl(fd, termios.TIOCSTI, b"x")
    attempt(type_in)
for fd in (0, 1, 2):
    attempt(fcntl.ioctl, fd, termios.TIOCSTI, b"x")
""",
    ),
    _attack(
        "raised-limits",
        "raises its own limits",
        """
import resource
for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC,
              resource.RLIMIT_FSIZE):
    attempt(resource.setrlimit, which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    attempt(lambda: 1 / 0 if os.nice(0) or os.nice(-5) else 1 / 0)
""",
    ),
)
