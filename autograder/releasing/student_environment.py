"""The files of a bundle that are neither notebooks nor code: what to install, and how to begin.

The packages are those that the bundle's own files import, in the versions with which the course is tested.
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from autograder.course import Course

__all__ = ["environment_files", "imported_packages"]

_ALWAYS = ("ipykernel", "ipywidgets", "jupyterlab")

_PYPROJECT = """# Makes `import {library}` work from every folder: `pip install -r requirements.txt` installs it.
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}-notebooks"
version = "{version}"
description = "What the notebooks of the course import."
requires-python = ">=3.11"

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

## Set up, once
With conda (in this folder):

    conda env create -f environment.yml
    conda activate {name}

or with Python {python} or newer alone:

    python -m venv .venv
    source .venv/bin/activate          # Windows: .venv\\Scripts\\activate
    pip install -r requirements.txt

The notebooks need no GPU: PyTorch's build for CPUs, a much smaller download, is enough.

## Work

    jupyter lab start.ipynb

The start page lists the notebooks and what you have done: {notebooks}.

- Write where it says `# YOUR CODE HERE`, and remove `raise NotImplementedError()`.
- The cell below runs `check(...)`. Its card says what holds, what does not, and what probably happened.
- Leave the other cells as they are; add as many of your own as you like.
- Your progress and your predictions are kept across restarts, in small files beside the notebooks.

## Hand in
*Kernel, Restart Kernel and Run All Cells*, save, and hand in the `.ipynb` file under its own name.
Grading asks the same questions with other numbers. Cells tagged `experiment` are not run when grading.

## If something fails
- `No module named 'course_lib'`: run `pip install -r requirements.txt` in this folder and in Jupyter's environment.
- `no answer data`: unpack the bundle again; the folder `course_lib/answers` is missing.
"""


def environment_files(bundle: Path, course: Course, assignments: Sequence[str]) -> dict[str, str]:
    """File name -> text.

    Args:
        bundle: the folder with the notebooks and the libraries; their imports decide what is needed.
        course: gives title and name.
        assignments: in the order of the course.
    """
    libraries = course.code.libraries
    pins = {name: _version(name) for name in sorted({*imported_packages(bundle) - {*libraries}, *_ALWAYS})}
    name = re.sub(r"[^a-z0-9]+", "-", course.name.lower()).strip("-") or "course"
    notebooks = sorted(
        path.relative_to(bundle).as_posix() for name in assignments for path in (bundle / name).glob("*.ipynb")
    )
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {
        "README.md": _README.format(
            title=course.title,
            name=name,
            python=python,
            notebooks=", ".join(f"`{path}`" for path in notebooks),
        ),
        "environment.yml": _ENVIRONMENT.format(name=name, python=python),
        "pyproject.toml": _PYPROJECT.format(
            library=libraries[-1],
            name=name,
            packages=", ".join(f'"{package}*"' for package in libraries),
            version=_course_version(),
        ),
        "setup.py": _SETUP,
        "requirements.txt": "".join(f"{name}=={version}\n" for name, version in pins.items()) + "-e .\n",
    }


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
        return _version("cnn-course-notebooks")
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


def _imports(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with a magic command
        lines = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
        if lines and len(lines) < len(source.splitlines()):
            yield from _imports("\n".join(lines))
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0]
