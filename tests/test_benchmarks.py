"""The benchmarks run: a figure that nobody can take again is none."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.paths import ROOT


@pytest.mark.slow
@pytest.mark.sandbox
def test_the_parts_of_a_submission_add_up_to_all_of_it() -> None:
    """`python -m benchmarks.parts` names each part, by the clock and by the grader's own processor time."""
    command = [sys.executable, "-m", "benchmarks.parts", "--students", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = re.findall(r"^(.+?) +(-?[\d.]+) +(-?[\d.]+) +-?\d+%$", done.stdout, re.M)
    times = {name: (float(clock), float(processor)) for name, clock, processor in lines}
    whole = times.pop("all of it")
    assert len(times) >= 14
    assert all(0 <= processor <= whole[1] for _, processor in times.values())
    for column in (0, 1):  # each is rounded to a tenth
        assert sum(part[column] for part in times.values()) == pytest.approx(whole[column], abs=0.06 * len(times))
