"""Everything that can go wrong in a known way.

AutograderError                 one line and a hint; the command line shows no traceback
├── UsageError                  a command that does not exist, or arguments that do not go together
├── UnknownAssignmentError      no exercises under that name
├── CourseError                 the course folder is not as expected
├── SourceNotebookError         a source notebook cannot be released
├── SandboxUnavailableError     bubblewrap is missing or not allowed
├── SandboxError                the sandbox stopped answering (the grader's trouble, not the student's)
└── GradebookError              the gradebook cannot be opened
    └── GradebookInUseError     another program holds it
"""

from __future__ import annotations

import errno

__all__ = [
    "OF_THE_MACHINE",
    "AutograderError",
    "ClusterError",
    "CourseError",
    "GradebookError",
    "GradebookInUseError",
    "SandboxError",
    "SandboxUnavailableError",
    "SourceNotebookError",
    "UnknownAssignmentError",
    "UsageError",
]

OF_THE_MACHINE = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room in your quota",
    errno.EROFS: "the course's folder must be writable",
    errno.EACCES: "the course's folder must be yours to write",
    errno.EMFILE: "allow more open files: ulimit -n 1024",
}
"""What is no fault of any file: number of the operating system's error -> what to do."""


class AutograderError(Exception):
    """A known error: `message` says what was expected and found, `hint` what to do."""

    exit_status = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AutograderError):
    """The command line asks for what does not exist or does not go together."""


class UnknownAssignmentError(AutograderError):
    """No assignment of that name."""

    def __init__(self, name: str, known: tuple[str, ...], near: str | None) -> None:
        if not known:
            guess = f"autograder new assignment {name}"
            super().__init__(f"unknown assignment {name!r}; this course has none with exercises", guess)
            return
        guess = f"did you mean {near!r}?" if near else "see the names above."
        super().__init__(f"unknown assignment {name!r}; there are: {', '.join(known)}", guess)


class CourseError(AutograderError):
    """The course folder is not as expected."""


class SourceNotebookError(AutograderError):
    """A source notebook cannot be released."""


class ClusterError(AutograderError):
    """The Dask cluster cannot be used."""


class SandboxUnavailableError(AutograderError):
    """No sandbox can work on this machine."""


class SandboxError(AutograderError):
    """The sandbox itself failed."""


class GradebookError(AutograderError):
    """The gradebook cannot be opened, or another grader holds it."""


class GradebookInUseError(GradebookError):
    """Another program holds the gradebook's database, for longer than one waits."""
