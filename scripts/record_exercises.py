"""Try every exercise that has changed on all seeds, and record it, as tests/exercises/tried.json.

    python scripts/record_exercises.py          what has changed
    python scripts/record_exercises.py --all    everything, some five minutes of processor time

Nothing is recorded if anything fails.  Every change of `course_lib/checking` changes all, so do it once, at the end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.support.paths import ROOT
from tests.support.tried import RECORD, digests, record


def main() -> int:
    """Try and record; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="also what is recorded")
    environment = {**os.environ, **({"SEEDS": "full"} if parser.parse_args().all else {})}
    before = digests()
    tests = ROOT / "tests" / "exercises" / "test_every_exercise.py"
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=0", "-n", "2", "--dist", "worksteal", str(tests)]
    failed = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if failed:
        return failed
    record(before)
    print(f"{RECORD.relative_to(ROOT)}: {len(before)} exercises")
    return 0


if __name__ == "__main__":
    sys.exit(main())
