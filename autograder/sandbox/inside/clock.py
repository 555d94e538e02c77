"""Time by which a submission is measured: it goes on only while this process can work.

A grader that is stopped (Ctrl-Z, SIGSTOP, a frozen container) cannot read what the child said meanwhile.  That time is
nobody's fault and must not use up a submission's.  The wall clock, which somebody may set, plays no part.
"""

from __future__ import annotations

import time

__all__ = ["LONGEST_WAIT_S", "Clock", "now"]

LONGEST_WAIT_S = 0.25
"""Whoever waits while deadlines count asks the clock at least this often, so that a longer pause means a stop."""
_STOPPED_S = 1.0


class Clock:
    """Seconds as `time.monotonic` counts them, less those that the process spent stopped.

    A pause in which the process neither asked for the time nor used a processor was a stop.  Its own work is none,
    however long it takes: a submission that is laborious to read pays for that.
    """

    def __init__(self) -> None:
        self._stopped_s = 0.0
        self._asked_at = time.monotonic()
        self._worked_s = time.process_time()

    def now(self) -> float:
        """The time; a deadline is a value of it."""
        at, worked_s = time.monotonic(), time.process_time()
        idle_s = (at - self._asked_at) - (worked_s - self._worked_s)
        if idle_s > _STOPPED_S:
            self._stopped_s += idle_s
        self._asked_at, self._worked_s = at, worked_s
        return at - self._stopped_s


_clock = Clock()
now = _clock.now
