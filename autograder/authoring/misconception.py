"""From a group of answers that are wrong in the same way to a known mistake: a skeleton in the exercise's file.

The group's first answer becomes a `@exercise.wrong` whose hint is still to be written.  A student's code that stands in
an exercise's file runs with the instructor's rights as soon as it has a hint: before, the file is not even imported
(`course_code`).  What reaches beyond numbers is refused here; a person reads the rest.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import nbformat

from autograder.authoring.scaffold import Written
from autograder.course import Course
from autograder.errors import CourseError, UsageError
from autograder.exercise import Exercise
from autograder.grading.records import load_master
from autograder.reading.code_cells import bound_at_top_level, read_code, walk
from autograder.results import read_results
from autograder.similarity.unnamed_mistakes import UnnamedMistake, unnamed_mistakes
from autograder.whole_files import write_over

__all__ = ["example_code", "new_misconception", "refused_in"]

_MODULES = frozenset("collections einops functools itertools math numpy operator statistics torch typing".split())
_BUILTINS = frozenset(
    """abs all any bool dict divmod enumerate filter float frozenset int isinstance len list map max min next object
    pow print property range repr reversed round set slice sorted staticmethod str sum super tuple type zip
    ArithmeticError AssertionError AttributeError Exception IndexError KeyError NotImplementedError RuntimeError
    StopIteration TypeError ValueError ZeroDivisionError""".split()
)
_ATTRIBUTES = frozenset(
    """DataSource attrgetter classes compile compiler ctypeslib distributed eval exec execv export f2py from_file
    fromfile fromregex futures fx genfromtxt get_include hub jit lib library load load_inline loadtxt memmap
    methodcaller multiprocessing onnx open ops package popen profiler run save savetxt savez serialization show_config
    spawn system testing tofile utils""".split()
)
"""Mostly of torch and NumPy: what reads or writes files, runs code from elsewhere, or names an attribute in a text."""
_ALSO_MODULES = frozenset(
    """abc array bisect calendar cmath code collections copy datetime decimal enum fractions functools heapq itertools
    math numbers operator queue random select signal statistics string test time token trace types typing""".split()
)
"""Names of the standard library's modules that are harmless, or names of methods and functions of tensors, too."""
_REFUSED = _ATTRIBUTES | (frozenset(sys.stdlib_module_names) - _ALSO_MODULES)
"""Behind many a module stands another one: ``torch.os`` is the operating system."""


def new_misconception(course: Course, assignment: str, exercise: str, group: str) -> Written:
    """Append the group's example to the exercise's file as a known mistake without a hint.

    Args:
        group: its name in the report.

    Raises:
        UnknownAssignmentError: if there is no such assignment.
        UsageError: if it has no such exercise, or the exercise no such group.
        CourseError: if the example cannot be taken as it is, with the reason.
    """
    exercises = course.exercises(assignment)
    if exercise not in exercises:
        raise UsageError(f"{assignment} has no exercise {exercise!r}; it has: {', '.join(exercises)}")
    found = _group(course, assignment, exercises[exercise], group)
    master = load_master(course, assignment)
    notebook = course.autograded / found.example / assignment / f"{master.notebook}.ipynb"
    code = example_code(_cells(notebook, master.experiments), exercises[exercise].names)
    path = course.code.exercises_folder / course.code.topic_of(assignment) / f"{exercise.replace('-', '_')}.py"
    text = path.read_text("utf-8")
    name = f"unnamed_{group}"
    if re.search(rf"^(?:def|class) {name}\b", text, re.MULTILINE):
        raise CourseError(f"{path} has {name} already", "write its hint as its docstring, and give it a better name")
    added = _skeleton(exercises[exercise], found, name, code, _criteria_in(text))
    ast.parse(added)
    write_over(path, f"{text.rstrip()}\n\n{added}")
    count = len(found.students)
    return Written(
        (path,),
        (
            f"read {name} at the end of that file: it is a student's code, and from now on it runs with your rights",
            "write the hint as its docstring (until then the course refuses to be used), and give it a better name",
            f"pytest tests/exercises -k {exercise}    if the course has these tests",
            f"autograder release {assignment}; autograder grade {assignment}    the {count} answers get the hint",
        ),
    )


def _group(course: Course, assignment: str, exercise: Exercise, wanted: str) -> UnnamedMistake:
    results = read_results(course.results(assignment)).values()
    groups = unnamed_mistakes(results, {exercise.id: exercise})
    for group in groups:
        if group.name == wanted:
            return group
    known = ", ".join(f"{group.name} ({len(group.students)} students)" for group in groups) or "none"
    hint = f"autograder report {assignment} shows them; they change with the answers"
    raise UsageError(f"{exercise.id} has no group {wanted!r}; it has: {known}", hint)


def _cells(notebook: Path, left_out: Iterable[str]) -> list[str]:
    """The code of a graded notebook, as it ran."""
    try:
        node = nbformat.read(notebook, as_version=4)
    except (OSError, ValueError) as error:
        raise CourseError(f"{notebook} cannot be read: {error}", "autograder grade makes it again") from error
    return [cell.source for cell in node.cells if cell.cell_type == "code" and cell.get("id") not in set(left_out)]


def example_code(cells: Iterable[str], names: Sequence[str]) -> list[ast.stmt]:
    """The statements that define the names, with all of the notebook that they need, in order.

    Raises:
        CourseError: if a name is not defined, or something is used that has no place in an exercise's file.
    """
    statements: dict[str, ast.stmt] = {}
    for source in cells:
        for statement in read_code(source).body:
            for name in _bound(statement):
                statements.pop(name, None)
                statements[name] = statement
    needed: dict[int, ast.stmt] = {}
    todo = list(names)
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen or name not in statements:
            continue
        seen.add(name)
        needed[id(statements[name])] = statements[name]
        todo += [node.id for node in walk(statements[name]) if isinstance(node, ast.Name)]
    missing = [name for name in names if name not in seen]
    if missing:
        raise CourseError(f"the example does not define {missing[0]} at the top level", "write the mistake by hand")
    found = [needed[key] for key in dict.fromkeys(map(id, statements.values())) if key in needed]
    if refused := next(refused_in(found), ""):
        raise CourseError(
            f"the example uses {refused}, which does not go into an exercise's file unread",
            "write the mistake by hand, from what the report shows",
        )
    return found


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield (alias.asname or alias.name).partition(".")[0]
    else:
        yield from bound_at_top_level([statement])


def refused_in(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """What reaches beyond numbers: other modules, files, code from text, private parts."""
    for node in walk(*statements):
        if isinstance(node, ast.Import):
            yield from (f"import {a.name}" for a in node.names if not _is_known(a.name))
        elif isinstance(node, ast.ImportFrom):
            named = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (f"from {node.module}" for name in named if node.level or not _is_known(name))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and (calls := _called_at_once(node)):
            yield f"{calls} where {node.name} is defined"
        elif isinstance(node, ast.Attribute):
            if node.attr in _REFUSED or (node.attr.startswith("_") and node.attr != "__init__"):
                yield node.attr
        elif isinstance(node, ast.Name):
            if (node.id in vars(builtins) and node.id not in _BUILTINS) or node.id.startswith("__"):
                yield node.id
        elif isinstance(node, ast.Global | ast.Nonlocal | ast.AsyncFunctionDef | ast.Await):
            yield type(node).__name__.lower()


_DECORATORS = frozenset("classmethod functools.cache functools.lru_cache property staticmethod torch.no_grad()".split())


def _called_at_once(node: ast.FunctionDef | ast.ClassDef) -> str:
    """What runs while a function or class is defined, before anybody calls it; empty if nothing."""
    parts: list[ast.expr | None]
    if isinstance(node, ast.FunctionDef):
        parts = [*node.args.defaults, *node.args.kw_defaults]
    else:
        parts = [*node.bases, *(keyword.value for keyword in node.keywords)]
    found = [decorator for decorator in node.decorator_list if ast.unparse(decorator) not in _DECORATORS]
    found += [inner for part in parts if part for inner in ast.walk(part) if isinstance(inner, ast.Call)]
    return f"`{ast.unparse(found[0])[:60]}`" if found else ""


def _is_known(module: str) -> bool:
    parts = module.split(".")
    known = parts[0] in _MODULES or parts[:2] == ["course_lib", "lab"]
    return known and not any(part.startswith("_") or part in _REFUSED for part in parts[1:])


def _criteria_in(text: str) -> dict[str, str]:
    """Title of a criterion -> the name that the file gives it."""
    names: dict[str, str] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call):
            first = node.value.args[0] if node.value.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                names[first.value] = node.targets[0].id
    return names


def _skeleton(
    exercise: Exercise, group: UnnamedMistake, name: str, code: Sequence[ast.stmt], criteria: dict[str, str]
) -> str:
    lost = [
        criteria.get(criterion.title, f"exercise.criteria[{number}]")
        for number, criterion in enumerate(exercise.criteria)
        if criterion.slug in group.loses
    ]
    if not lost:
        raise CourseError("the answers of this group lost no criterion in common", "write the mistake by hand")
    loses = lost[0] if len(lost) == 1 else f"({', '.join(lost)})"
    decorator = f"@exercise.wrong(loses={loses})"
    body = "\n".join(map(ast.unparse, code))
    signature = exercise.defines[0]
    if len(exercise.names) == 1 and not signature.startswith("class "):
        taken = signature.partition("(")[2].rpartition(")")[0]
        passed = ", ".join(part.partition("=")[0].strip() for part in taken.split(","))
        inner = f'""""""\n{body}\nreturn {exercise.names[0]}({passed})'
        return f"{decorator}\ndef {name}({taken}):\n{textwrap.indent(inner, '    ')}\n"
    listed = ", ".join(exercise.names)
    made = f"def _made():\n{textwrap.indent(f'{body}{chr(10)}return {listed}', '    ')}\n{listed} = _made()"
    return f"{decorator}\nclass {name}:\n{textwrap.indent(f'{chr(34) * 6}{chr(10)}{made}', '    ')}\n"
