"""Running student code where it can do no harm and prove nothing."""

from autograder.sandbox.launcher import Probe, Sandbox, choose, probe, warm_sandbox
from autograder.sandbox.limits import Limits
from autograder.sandbox.session import CellResult, Session, SessionEnded

__all__ = ["CellResult", "Limits", "Probe", "Sandbox", "Session", "SessionEnded", "choose", "probe", "warm_sandbox"]
