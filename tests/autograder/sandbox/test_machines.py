"""The grader on machines of other people: as an ordinary user, in a container of one user, without memory to share."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.results import read_results
from tests.support import made_up, small_course
from tests.support.other_users import readable_by_all, within
from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else"),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare (package util-linux) is not installed"),
]
_SOMEBODY = 1000
_NEW_USERS = 0x10000000
_GRADE = [sys.executable, "-m", "autograder", "grade", made_up.ASSIGNMENT, "--seed", "7"]


@pytest.fixture(scope="module")
def released() -> Iterator[Course]:
    """A released course with two submissions, in a folder that everybody can reach."""
    with tempfile.TemporaryDirectory(prefix="machines-") as folder:
        os.chmod(folder, 0o755)
        made = small_course.make(Path(folder) / "released")
        small_course.hand_in(made, "ada")
        small_course.hand_in(made, "bob", small_course.UNBIASED)
        yield made


@pytest.fixture
def course(released: Course) -> Iterator[Course]:
    """One of its own for the test."""
    root = released.root.with_name("course")
    shutil.copytree(released.root, root)
    yield Course.find(root)
    shutil.rmtree(root)


def _run(course: Course, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=course.root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def _scores(course: Course) -> dict[str, float]:
    return {student: result.score for student, result in read_results(course.results(made_up.ASSIGNMENT)).items()}


def test_an_ordinary_user_grades(course: Course) -> None:
    """No right of root is needed, and the sandbox is the same."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (package util-linux) is not installed")
    drop = ["setpriv", f"--reuid={_SOMEBODY}", f"--regid={_SOMEBODY}", "--clear-groups"]
    script = readable_by_all(sys.base_prefix, sys.prefix, str(ROOT))
    script += f"\nexport HOME='{course.root}'\nchown -R {_SOMEBODY} '{course.root}'"
    done = _run(course, within(script, *drop, *_GRADE))
    assert (done.returncode, _scores(course)) == (0, {"ada": 7, "bob": 6}), done.stderr
    assert course.results(made_up.ASSIGNMENT).stat().st_uid == _SOMEBODY


def test_root_of_a_container_of_one_user_grades(course: Course) -> None:
    """Rootless containers know one user: their root can become nobody else, and needs not."""
    done = _run(course, ["unshare", "--user", "--map-root-user", *_GRADE])
    if "unshare failed" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, _scores(course)) == (0, {"ada": 7, "bob": 6}), done.stderr


def test_memory_to_share_is_not_needed(course: Course) -> None:
    """Containers often have a /dev/shm of 64 MiB or less; here are 64 KiB."""
    done = _run(course, within("mount -t tmpfs -o size=64k tmpfs /dev/shm", *_GRADE))
    assert (done.returncode, _scores(course)) == (0, {"ada": 7, "bob": 6}), done.stderr


@pytest.mark.parametrize("all_users", [True, False], ids=["root", "container of one user"])
def test_a_machine_without_user_namespaces_is_told_in_a_line(course: Course, all_users: bool) -> None:
    """One line and a hint before anything is graded, not one for every student."""
    done = _run(course, [sys.executable, __file__, "all" if all_users else "one", *_GRADE])
    assert done.returncode == 2
    first, second = [line for line in done.stderr.splitlines() if line]
    assert first.startswith("autograder: bubblewrap ")
    assert second.startswith("hint: this machine or container forbids user namespaces")
    assert _scores(course) == {}


def _without_namespaces(users: str, command: list[str]) -> int:
    """Run a command as root of a user namespace that allows no further ones."""
    (ready, say_ready), (mapped, say_mapped) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USERS) != 0:
            os._exit(77)
        os.write(say_ready, b"1")
        os.read(mapped, 1)
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        os.execvp(command[0], command)
    os.read(ready, 1)
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{pid}/{name}").write_text("0 0 65536" if users == "all" else "0 0 1")
    os.write(say_mapped, b"1")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(_without_namespaces(sys.argv[1], sys.argv[2:]))
