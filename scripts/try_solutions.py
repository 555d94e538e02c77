"""Runs `check` on every exercise's solution with the Python that runs this, to see whether its versions will do.

    cd BUNDLE && .venv/bin/python CHECKOUT/scripts/try_solutions.py

Nothing but the installed bundle is needed there.  The range that `course_lib/lab/environment.py` states as tested is
that in which nothing fails, and the trace for GPUs works too, which leans on parts of PyTorch that move.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """One line for each notebook, and one for the trace; 1 if anything failed."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    import torch

    from course_lib.checking.gpu_trace import gpu_advice

    print(f"Python {platform.python_version()}, PyTorch {torch.__version__}")
    failures = 0
    for path in sorted((ROOT / "notebooks").glob("*/*.ipynb")):
        started = time.perf_counter()
        passed, failed = _run(json.loads(path.read_text("utf-8")))
        print(
            f"{path.parent.name:26} {passed} pass, {len(failed)} fail, {time.perf_counter() - started:.1f} s", *failed
        )
        failures += len(failed)
    advice = gpu_advice({"f": lambda x: x + torch.ones(3)}, "f", "call", {"x": torch.ones(3)})
    print(f"{'trace for GPUs':26} {'works' if advice else 'says nothing'}")
    return int(failures > 0)


def _run(notebook: dict[str, Any]) -> tuple[int, list[str]]:
    """Run the cells that grading runs.

    Returns:
        how many checks passed, and a line for each cell that failed.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    passed, failed = 0, []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # progress is kept where one works
        for cell in notebook["cells"]:
            if cell["cell_type"] != "code" or "experiment" in cell["metadata"].get("tags", []):
                continue
            source, printed = "".join(cell["source"]), io.StringIO()
            try:
                with contextlib.redirect_stdout(printed):
                    exec(compile(source, cell["id"], "exec"), namespace)
                passed += source.startswith("check(")
            except Exception as error:
                failed.append(
                    f"\n    {cell['id']}: {type(error).__name__}: {error}\n{_where()}\n{printed.getvalue()[-400:]}"
                )
    return passed, failed


def _where() -> str:
    return "".join(traceback.format_tb(sys.exc_info()[2])[-1:])


if __name__ == "__main__":
    sys.exit(main())
