"""The project around the code: pins that agree, imports that go one way, a clean bill from the linters."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
import tokenize
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from autograder import sandbox
from tests.support import postgres
from tests.support.paths import ROOT

BIN = Path(sys.executable).parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*/*.ipynb"))
STRIP = ["--keep-id", "--extra-keys=metadata.language_info metadata.celltoolbar metadata.vscode cell.metadata.vscode"]


def name_of(requirement: str) -> str:
    """The normalized name in a requirement such as `nbgrader>=0.9.6`."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def pins(lines: list[str]) -> dict[str, str]:
    """Name -> version of lines such as `torch==2.13.0`."""
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


LOCK = pins((ROOT / "requirements.lock").read_text().splitlines())
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())


def run(*command: str | Path, timeout_s: int = 280, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, run in the project's folder."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    "requirement",
    [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)],
    ids=name_of,
)
def test_every_dependency_is_locked(requirement: str) -> None:
    """What pyproject.toml asks for stands in requirements.lock."""
    assert name_of(requirement) in LOCK


def test_the_lock_names_versions_that_any_index_has() -> None:
    """No local versions such as 2.13.0+cpu, no addresses: the machine's own index chooses the build."""
    assert all(re.fullmatch(r"[A-Za-z0-9.]+", version) for version in LOCK.values())
    assert LOCK["torch"] == "2.13.0"


def test_the_lock_is_closed() -> None:
    """Every package that a locked package needs on this machine is locked too, torch's CUDA libraries excepted."""
    from packaging.requirements import Requirement

    missing = set()
    for name in LOCK.keys() - {"torch"}:
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # what is not installed is caught by the next test
        for need in map(Requirement, needs):
            if (need.marker is None or need.marker.evaluate({"extra": ""})) and name_of(need.name) not in LOCK:
                missing.add(f"{name} needs {need.name}")
    assert not missing


def test_the_environment_runs_what_the_lock_says() -> None:
    """This very run uses the locked versions, so that what passes here passes elsewhere."""
    if not (ROOT / ".venv").exists() or BIN.parent != ROOT / ".venv":
        pytest.skip(f"run with {BIN.parent}, not with the project's .venv")
    # Of this environment alone: setuptools, once imported, shows copies of its own.
    found = importlib.metadata.distributions(path=[sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    installed = {name_of(item.name): item.version.split("+")[0] for item in found}
    assert {name: installed.get(name) for name in LOCK} == LOCK


def test_environment_yml_has_the_direct_dependencies_at_the_locked_versions() -> None:
    """The conda environment is the lock's, without tools for tests."""
    listed = pins(ENVIRONMENT["dependencies"][-1]["pip"])
    assert listed == {name: LOCK[name] for name in map(name_of, PROJECT["dependencies"])}


def test_environment_yml_has_a_python_that_the_project_allows() -> None:
    """Its Python is the one that the lock was made for."""
    assert "python=3.11" in ENVIRONMENT["dependencies"]
    assert "for Python 3.11." in (ROOT / "requirements.lock").read_text().splitlines()[0]
    assert PROJECT["requires-python"] == ">=3.11"


@functools.cache
def distributions_of_packages() -> Mapping[str, Sequence[str]]:
    """Package that can be imported -> the distributions that bring it; reading all their files takes a while."""
    return importlib.metadata.packages_distributions()


def imported_packages(folder: str) -> dict[str, str]:
    """Top-level name of every absolute import below a folder -> a file that has it."""
    found = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found.update({name.partition(".")[0]: str(path.relative_to(ROOT)) for name in names})
    return found


@pytest.mark.parametrize("package", ["course_lib", "autograder"])
def test_every_import_is_declared(package: str) -> None:
    """What a package imports is a dependency of its own, not by chance one of somebody else's."""
    declared = set(map(name_of, [*PROJECT["dependencies"], *EXTRAS["cluster"]]))
    distributions = distributions_of_packages()
    own = {"autograder", "course_lib", "inside"}  # `inside` is the sandbox's inner package, see autograder/sandbox
    undeclared = {
        f"{name} in {path}"
        for name, path in imported_packages(package).items()
        if name not in sys.stdlib_module_names
        and name not in own
        and not declared & set(map(name_of, distributions.get(name, [name])))
    }
    assert not undeclared


def test_course_lib_imports_nothing_of_the_grader() -> None:
    """Students have course_lib without autograder and nbgrader."""
    assert not {"autograder", "nbgrader"} & imported_packages("course_lib").keys()


@pytest.mark.parametrize("package", ["course_lib", "autograder"])
def test_importing_a_package_does_no_work(package: str) -> None:
    """`import course_lib` neither loads torch nor prints."""
    done = run(sys.executable, "-c", f"import {package}, sys; sys.exit('torch' in sys.modules)", PYTHONPATH=str(ROOT))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "command",
    [["ruff", "check"], ["ruff", "format", "--check"]],
    ids=["ruff check", "ruff format"],
)
def test_ruff_has_nothing_to_say(command: list[str]) -> None:
    """Code and notebooks keep the rules of pyproject.toml."""
    done = run(BIN / command[0], *command[1:])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_types_are_sound() -> None:
    """`mypy --strict` passes on both packages."""
    done = run(BIN / "mypy", timeout_s=850)  # it reads torch's sources when nothing is cached
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.parent.name)
def test_notebooks_are_stored_without_outputs(notebook: Path) -> None:
    """Sources hold no outputs, no execution counts, no editor's metadata."""
    done = run(BIN / "nbstripout", *STRIP, "--verify", notebook)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", ["autograder", "nbgrader"])
@pytest.mark.parametrize("place", ["course_lib/example.py", "notebooks/01_batchnorm/example.ipynb"])
def test_a_forbidden_import_is_found(package: str, place: str) -> None:
    """The rule about who may import whom has teeth, in notebooks too."""
    code = f"import {package}.errors\n"
    if place.endswith(".ipynb"):
        code = (
            '{"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {}, "outputs": [], '
            f'"source": ["{code.strip()}"]}}], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}}'
        )
    done = subprocess.run(
        [BIN / "ruff", "check", "--no-cache", "--stdin-filename", ROOT / place, "-"],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "TID251" in done.stdout


@pytest.mark.parametrize("script", [".ci/run", "scripts/setup_venv.sh", "scripts/setup_system.sh"])
def test_scripts_are_executable_and_parse(script: str) -> None:
    """A script that lost its mode or its last line is seen here, not on the next fresh machine."""
    assert os.access(ROOT / script, os.X_OK)
    assert run("bash", "-n", script).returncode == 0


def test_make_alone_explains_itself() -> None:
    """`make` lists the targets and does nothing else."""
    done = run("make", "--no-print-directory")
    assert done.returncode == 0
    assert {"demo", "test", "lab", "grade-lab", "lint", "lock"} <= {
        line.split()[1] for line in done.stdout.splitlines()
    }


def test_missing_system_packages_are_named_when_they_cannot_be_installed(tmp_path: Path) -> None:
    """Without apt-get the set-up says what is missing and goes on."""
    (tmp_path / "bash").symlink_to("/bin/bash")
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    done = run("/bin/bash", "scripts/setup_system.sh", "bubblewrap", PATH=str(tmp_path))
    assert done.returncode == 0
    assert "missing bubblewrap; install with your package manager" in done.stdout


@pytest.fixture
def conftest(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A fresh copy of the suite's conftest on a machine without bubblewrap, chromium and PostgreSQL."""
    monkeypatch.setenv("PATH", os.environ["PATH"])
    spec = importlib.util.spec_from_file_location("fresh_conftest", ROOT / "tests/conftest.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(postgres, "DEBIAN", ROOT / "nowhere")
    sandbox.probe.cache_clear()
    yield module
    sandbox.probe.cache_clear()


@pytest.mark.parametrize(
    ("marker", "program"), [("sandbox", "bubblewrap"), ("browser", "chromium"), ("postgres", "postgresql")]
)
@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail), ("", pytest.skip)], ids=["in CI", "at home"])
def test_a_missing_program_skips_tests_at_home_and_fails_them_in_ci(
    marker: str, program: str, ci: str, outcome: Any, conftest: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that the set-up could have installed is skipped silently in CI; each time the reason names it."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    item = SimpleNamespace(get_closest_marker=lambda name: name == marker or None)
    with pytest.raises(outcome.Exception, match=program):
        conftest.pytest_runtest_setup(item)


def test_ci_skips_what_only_another_machine_could_run(conftest: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """No package makes a GPU, or namespaces in a container that forbids them."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setitem(conftest.LACKS, "gpu", lambda: conftest.Lack("no CUDA device"))
    item = SimpleNamespace(get_closest_marker=lambda name: name == "gpu" or None)
    with pytest.raises(pytest.skip.Exception, match="no CUDA device"):
        conftest.pytest_runtest_setup(item)


def test_the_readme_counts_exercises_and_mistakes_as_they_are() -> None:
    """A number in the text is as true as the code: `python scripts/make_readme.py --counts` makes it so."""
    specification = importlib.util.spec_from_file_location("make_readme", ROOT / "scripts" / "make_readme.py")
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert script.counted(text) == text
    with pytest.raises(LookupError, match="has no row"):
        script.counted("")


def test_every_promise_has_tests_that_exist() -> None:
    """What docs/security.md promises stands in two tables: how it is kept, and which tests hold it."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    promised = set(re.findall(r"^\| \*\*(.+?)\.?\*\*", text, re.MULTILINE))
    table = text.split("## Which test holds which promise")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| (\w[^|]+?) \| (`.+`) \|$", table, re.MULTILINE))
    assert set(rows) == promised
    for promise, tests in rows.items():
        named = re.findall(r"`([\w/.]+)::(\w+)`", tests)
        assert len(named) == tests.count("`") // 2 > 0, f"{promise}: something in its row is no test"
        for path, name in named:
            tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
            there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in there, f"{promise}: {path} has no {name}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_files_that_the_docs_name_exist(page: Path) -> None:
    """A path of this project in a page's words is one."""
    named = re.findall(
        r"`((?:autograder|benchmarks|course_lib|docs|exercises|scripts|tests)/[\w/.-]+)`", page.read_text("utf-8")
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


def _prose(path: Path) -> str:
    """What a reader may see of a file: all of a page, a notebook's texts, the strings of code."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        sources = {
            kind: ["".join(c["source"]) for c in cells if c["cell_type"] == kind] for kind in ("markdown", "code")
        }
        return "\n".join(sources["markdown"] + [_strings(code) for code in sources["code"]])
    return _strings(text) if path.suffix == ".py" else text


def _strings(code: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return "\n".join(token.string for token in tokens if token.type in (tokenize.STRING, tokenize.COMMENT))


@pytest.mark.parametrize("folder", ["notebooks", "exercises", "course_lib", "autograder", "docs", "benchmarks"])
def test_a_percent_sign_stands_at_its_number(folder: str) -> None:
    """95%, as Americans write it, also where the number is put in by code."""
    kinds = {".py", ".ipynb", ".md", ".j2"}
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in kinds and ".ipynb_checkpoints" not in path.parts
        for match in re.finditer(r".{0,30}(?<=[0-9}])[ \u00a0\u202f]%(?![\w(}]).{0,20}", _prose(path))
    ]
    assert found == []
