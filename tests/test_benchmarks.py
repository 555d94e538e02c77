"""The benchmarks run: a figure that nobody can take again is none."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.paths import ROOT


@pytest.mark.slow
@pytest.mark.sandbox
def test_the_parts_of_a_submission_add_up_to_less_than_all_of_it() -> None:
    """`python -m benchmarks.parts` names each part and what is beyond the student's own cells and the references."""
    command = [sys.executable, "-m", "benchmarks.parts", "--students", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    times = {name.strip(): float(ms) for name, ms in re.findall(r"^(.+?) +([\d.]+) ms +\d+%$", done.stdout, re.M)}
    whole = times.pop("all of it")
    assert len(times) >= 10
    assert 0 < times["draw cases and references"] < whole
    assert re.search(r"^beyond .*: \d+ ms a submission$", done.stdout, re.M)
