"""The files of a bundle that are neither notebooks nor code: what to install, and how to begin.

The packages are those that the bundle's own files import, each with the oldest version that will do: who has a newer
one keeps it.
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

from packaging.requirements import Requirement

from autograder.course import Course
from autograder.reading.statements import statements
from autograder.releasing.colab import ColabDoor
from course_lib.lab.environment import PYTHON, TORCH
from course_lib.widgets.still import PAGES

__all__ = ["environment_files", "imported_packages"]

_DISTRIBUTION = "cnn-course-notebooks"
_ALWAYS = ("ipykernel", "ipywidgets", "jupyterlab")

_PYPROJECT = """# Makes `import {library}` work from every folder: `pip install -r requirements.txt` sees to it.
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}-notebooks"
version = "{version}"
description = "What the notebooks of the course import."
requires-python = ">={python}"

[tool.setuptools.packages.find]
include = [{packages}]

[tool.setuptools.package-data]
"*" = ["*"]

[tool.setuptools.data-files]
"etc/jupyter/jupyter_server_config.d" = ["course_lib/widgets/static/course_lib.json"]
"""

_SETUP = '''"""An editable installation, too, installs the data files, which are Jupyter's configuration."""

from setuptools import Distribution, setup


class WithData(Distribution):
    """setuptools asks a distribution whether it has headers, scripts and data, and knows the answer but for data."""

    def has_data(self) -> bool:
        """Whether there are data files."""
        return bool(self.data_files)


setup(distclass=WithData)
'''

_ENVIRONMENT = """name: {name}
channels:
  - conda-forge
dependencies:
  - python={python}
  - pip
  - pip:
      - -r requirements.txt
"""

_README = """# {title}

These notebooks check your work while you write it.
{colab}
## Set up, once
You need Python {oldest} or newer. With [uv](https://docs.astral.sh/uv/), in this folder:

    uv venv
    uv pip install torch --index-url {cpu}      # on Linux only
    uv pip install -r requirements.txt

or with Python alone:

    python -m venv .venv
    source .venv/bin/activate                   # Windows: .venv\\Scripts\\activate
    pip install torch --index-url {cpu}         # on Linux only
    pip install -r requirements.txt

{measured}
No GPU is needed. The line for Linux asks for PyTorch's build for processors; without it, or where that address cannot
be reached, the last line takes the build for NVIDIA cards, a far larger download that works as well.
Tested with Python {python} and PyTorch {torch}; newer ones should do.
Intel Macs have no PyTorch newer than 2.2: use another machine there, or Colab.
With conda: `conda env create -f environment.yml`, then `conda activate {name}`.

## Work

    source .venv/bin/activate                   # Windows: .venv\\Scripts\\activate
    jupyter lab start.ipynb

In VS Code open this folder, then `start.ipynb`, and choose `.venv` as the kernel.
The start page lists the notebooks and what you have done: {notebooks}.

- Write where it says `# YOUR CODE HERE`, and remove `raise NotImplementedError()`.
- The cell below runs `check(...)`. Its card says what holds, what does not, and what probably happened.
- Leave the other cells as they are; add as many of your own as you like.
- Your progress and your predictions are kept across restarts, in small files beside the notebooks.

## Hand in
*Kernel, Restart Kernel and Run All Cells*, save, and hand in the `.ipynb` file under its own name.
Grading asks the same questions with different numbers. Cells tagged `experiment` are not run when grading.

## If something fails
- `No module named 'course_lib'`: the notebook's kernel is not the one of this folder; choose `.venv`.
{pages}- `no answer data`: unpack the bundle again; the folder `course_lib/answers` is missing.
"""

_PAGES = """\
- A widget stays a picture: open the page that it names, in `{folder}` beside the notebook, in a browser.
"""
_CPU_WHEELS = "https://download.pytorch.org/whl/cpu"

# The bundle of six assignments, fresh folders and caches, one after the other; the wheel of torch was on disk.
_MEASURED = """\
On Linux that downloads about 360 MB, 190 of them PyTorch. Apart from downloading PyTorch it took 23 seconds with uv and
3 minutes with Python's own pip, on a busy machine with two processors and a fast network.
"""


def environment_files(
    bundle: Path, course: Course, assignments: Sequence[str], door: ColabDoor | None = None
) -> dict[str, str]:
    """File name -> text.

    Args:
        bundle: the folder with the notebooks and the libraries; their imports decide what is needed.
        course: gives title and name.
        assignments: in the order of the course.
        door: how students get into Colab, if there are notebooks for it.
    """
    libraries = course.code.libraries
    needed = {*imported_packages(bundle) - {*libraries}, *_ALWAYS}
    name = re.sub(r"[^a-z0-9]+", "-", course.name.lower()).strip("-") or "course"
    notebooks = sorted(
        path.relative_to(bundle).as_posix() for name in assignments for path in (bundle / name).glob("*.ipynb")
    )
    return {
        "README.md": _README.format(
            title=course.title,
            name=name,
            colab=f"\n## In Colab, without an installation\n{door.links(bundle, assignments)}\n\n{door.steps()}"
            if door
            else "",
            cpu=_CPU_WHEELS,
            measured=_MEASURED,
            pages=_PAGES.format(folder=PAGES) if any((bundle / name / PAGES).is_dir() for name in assignments) else "",
            oldest=PYTHON.oldest,
            python=PYTHON,
            torch=TORCH,
            notebooks=", ".join(f"`{path}`" for path in notebooks),
        ),
        "environment.yml": _ENVIRONMENT.format(name=name, python=PYTHON.newest),
        "pyproject.toml": _PYPROJECT.format(
            library=libraries[-1],
            name=name,
            python=PYTHON.oldest,
            packages=", ".join(f'"{package}*"' for package in libraries),
            version=_course_version(),
        ),
        "setup.py": _SETUP,
        "requirements.txt": requirements(needed),
    }


def requirements(packages: Iterable[str]) -> str:
    """The text of a requirements file: each package with the oldest version that will do, and the folder itself."""
    lines = [f"{name}>={_oldest(name)}" for name in sorted(packages)]
    tested = f"# Tested with Python {PYTHON} and PyTorch {TORCH}; newer ones should do."
    return "\n".join([tested, *lines, "-e ."]) + "\n"


def _oldest(name: str) -> str:
    """What the course was tested with, or asks for; of packages that it does not know, what is installed here."""
    if name == "torch":
        return TORCH.oldest
    bounds = _own_bounds()
    return bounds[name] if name in bounds else _version(name)


@cache
def _own_bounds() -> Mapping[str, str]:
    try:
        lines = importlib.metadata.requires(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    asked = [found for found in map(Requirement, lines) if found.marker is None]
    return {_canonical(one.name): part.version for one in asked for part in one.specifier if part.operator == ">="}


def imported_packages(bundle: Path) -> set[str]:
    """The installed distributions that the bundle's code imports."""
    distributions = _distributions()
    modules = {name for source in _sources(bundle) for name in _imports(source)}
    return {_canonical(distributions[name][0]) for name in modules if name in distributions and name != "course_lib"}


@cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")


def _version(name: str) -> str:
    # A local label (2.13.0+cpu) names a build that not every index has.
    return importlib.metadata.version(name).partition("+")[0]


def _course_version() -> str:
    try:
        return _version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "0"


def _sources(bundle: Path) -> Iterator[str]:
    for path in sorted(bundle.rglob("*.py")):
        yield path.read_text("utf-8")
    for path in sorted(bundle.rglob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                source = cell["source"]
                yield "".join(source) if isinstance(source, list) else source


@lru_cache(maxsize=1024)  # the library's files are the same in every bundle
def _imports(source: str) -> frozenset[str]:
    """The first parts of the names of all modules that a source imports."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with a magic command
        lines = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
        return _imports("\n".join(lines)) if lines and len(lines) < len(source.splitlines()) else frozenset()
    found = set()
    for node in statements(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return frozenset(found)
