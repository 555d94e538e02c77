"""Record the trainings that claims are about, as tests/course_lib/TOPIC/runs.json: what has changed, or what is named.

    python scripts/record_claims.py             whatever is out of date
    python scripts/record_claims.py dropout     of these topics whatever is out of date
    python scripts/record_claims.py --all       everything, about a quarter of an hour on one core

Then run the tests: what is recorded is what came out, and whether the claims hold, they say.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tqdm import tqdm

from tests.support.measured import Record, record_of, topics


def record(kept: Record, everything: bool) -> None:
    """Run what a topic's record lacks, and write each function's runs as soon as they are complete."""
    for name, function in kept.functions.items():
        if not everything and kept.is_current(function):
            continue
        start = time.process_time()
        units = tqdm(function.units, f"{kept.topic}: {name}", file=sys.stdout, ncols=88)
        runs = {}
        for unit in units:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                runs[str(unit)] = function.fresh(unit)  # it shows a progress bar of its own
        kept.write(function, runs)
        print(f"{kept.topic}: {name}: {time.process_time() - start:.0f} s of processor time", flush=True)


def main() -> int:
    """Record; the exit status."""
    known = topics()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("topic", nargs="*", help=", ".join(known))
    parser.add_argument("--all", action="store_true", help="also what is up to date")
    wanted = parser.parse_args()
    for topic in wanted.topic:
        if topic not in known:
            parser.error(f"no topic {topic}; there are: {', '.join(known)}")
    for topic in wanted.topic or known:
        record(record_of(known[topic]), wanted.all)
    return 0


if __name__ == "__main__":
    sys.exit(main())
