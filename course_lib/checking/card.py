"""The card: a verdict, readable at a glance, as HTML and as plain text.

The instant check shows it in the notebook; the grader puts the same card into
the feedback.  Everything that may come from a student (an exception's text, a
warning) is stripped of control sequences and escaped.
"""

from __future__ import annotations

import functools
import html
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.checking.counterexample import counterexample
from course_lib.checking.drivers import called, takes_a_value
from course_lib.checking.fault import Fault, is_unwritten
from course_lib.checking.verdict import CONVENTION_SLIPS, CriterionResult, Named, Verdict
from course_lib.lab.display import unbroken

__all__ = ["Card", "counterexample", "plain", "points", "reason", "shown", "withheld"]

_ANSI = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_WIDTH = 96
_UNBROKEN = 20
"""Code of so many characters stays in one line, also on a phone."""


@dataclass(frozen=True)
class Card:
    """What `check` displays: HTML where there is HTML, text elsewhere."""

    verdict: Verdict
    fault: Fault | None = None
    advice: tuple[str, ...] = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}

    def __repr__(self) -> str:
        return self.text()

    @functools.cached_property
    def _story(self) -> _Story:
        return _story(self.verdict, self.fault, self.advice)

    def html(self) -> str:
        """The card for a notebook: one element, styled inline, no script, nothing loaded."""
        return (_html_of_few if self._story.state in _FEW else _html)(self._story)

    def text(self) -> str:
        """The card for a terminal, at most about 96 characters wide."""
        return (_text_of_few if self._story.state in _FEW else _text)(self._story)

    @property
    def example(self) -> str:
        """A counterexample to the first lost criterion, to paste and run; empty if there is none."""
        return self._story.code


def points(number: float) -> str:
    """Points in words: ``1 point``, ``2.5 points``."""
    return f"{number:g} point" + ("" if number == 1 else "s")


def plain(text: str) -> str:
    """Text without control sequences: what a terminal or a screen reader may safely be given."""
    return _CONTROL.sub("", _ANSI.sub("", text))


def reason(verdict: Verdict, result: CriterionResult) -> str:
    """Why a criterion is not right, as a sentence; empty if it is."""
    if result.holds or result.mismatch is None or result.entry is None:
        return ""
    response = verdict.responses.get(result.entry.case)
    whole = response is None or response.result is None or response.returned == "None"
    name = called(verdict.case_of(result.entry).driver, result.entry.output)
    why = result.mismatch.told(name, answers=verdict.key.tells, whole=whole)
    return plain(f"In the case “{result.entry.case}”, {why}.")


@dataclass(frozen=True)
class _Story:
    """What a card says, before it is set as HTML or text."""

    state: str
    headline: str
    summary: str
    criteria: tuple[tuple[str, str, str], ...]
    hints: tuple[tuple[str, str], ...]
    facts: tuple[str, ...]
    code: str
    advice: tuple[str, ...]


_SIGNS = {
    "pass": ("✓", "passed"),
    "fail": ("✗", "not yet"),
    "open": ("○", "open"),
    "right": ("✓", "right"),
    "lost": ("✗", "lost"),
    "wrong": ("✗", "wrong"),
    "not judged": ("–", "not judged"),
}


def _story(verdict: Verdict, fault: Fault | None, advice: Sequence[str]) -> _Story:
    criteria = tuple((_mark(r, verdict), r.criterion.title, points(r.criterion.points)) for r in verdict.results)
    more = tuple(plain(line) for line in (*verdict.remarks, *advice))
    headline = f"{verdict.key.id}: {verdict.score:g} of {points(verdict.key.points)}"
    if verdict.banned:
        return _Story("fail", headline, withheld(verdict), criteria, (), (), "", more)
    if verdict.passed:
        summary = f"Every criterion holds. {_accuracy(verdict)}Grading asks the same with different numbers."
        return _Story("pass", headline, summary, criteria, (), (), "", more)
    if verdict.failure is not None and verdict.failure.kind in ("NotImplementedError", "missing"):
        return _Story("open", headline, _open(verdict), (), (), (), "", more)
    lost = shown(verdict)
    hints = tuple((_headline(hint, verdict), hint.hint) for hint in verdict.misconceptions)
    facts = tuple(plain(text) for text in _facts(verdict, lost, fault))
    return _Story("fail", headline, _summary(verdict), criteria, hints, facts, _example(verdict, lost, fault), more)


def _mark(result: CriterionResult, verdict: Verdict) -> str:
    """A criterion's state, more exactly: *wrong* costs what the mistake costs, *open* is not written yet."""
    if result.state != "lost" or result.entry is None:
        return result.state
    if is_unwritten(verdict, result.entry):
        return "open"
    priced = all(hint.costs for hint in verdict.misconceptions)
    return "wrong" if priced and result.entry in verdict.explained else "lost"


def _example(verdict: Verdict, lost: CriterionResult, fault: Fault | None) -> str:
    """Code that shows what the sentences say: the call that stopped, if one did, and nothing if it stopped later."""
    if fault is not None:
        of_case = (r for r in verdict.results if not r.holds and r.entry is not None and r.entry.case == fault.case)
        found = next(of_case, None)
        return counterexample(verdict, found) if found is not None and not fault.returned else ""
    unwritten = lost.entry is not None and is_unwritten(verdict, lost.entry)
    return "" if unwritten else counterexample(verdict, lost)


def shown(verdict: Verdict) -> CriterionResult:
    """The criterion that is explained: the first that is lost, of those that are written if any is."""
    bad = [result for result in verdict.results if not result.holds]
    lost = [result for result in bad if result.state == "lost"]
    written = (r for r in lost if r.entry is None or not is_unwritten(verdict, r.entry))
    return next(written, lost[0] if lost else bad[0])


def withheld(verdict: Verdict) -> str:
    """Why the points of an answer that uses what is forbidden are withheld."""
    names = " and ".join(f"`{name}`" for name in verdict.banned[:3])
    return f"Your code uses {names}. This exercise does not allow that, so its points are withheld."


def _headline(hint: Named, verdict: Verdict) -> str:
    # What a driver makes of a result has names that no student knows.
    outputs = hint.outputs if all(case.driver.startswith("call") for case in verdict.key.cases) else ()
    where = f"In {' and '.join(f'`{name}`' for name in outputs)} this" if outputs else "This"
    price = f", {points(hint.costs)} off" if hint.costs else ""
    return f"{where} is what a known mistake gives ({hint.slug.replace('-', ' ')}{price})"


def _summary(verdict: Verdict) -> str:
    """What the marks of the criteria mean, where they need it."""
    unjudged = [result for result in verdict.results if result.state == "not judged"]
    sentences = []
    if any(_mark(result, verdict) == "wrong" for result in verdict.results):
        several = "s" * (len(verdict.misconceptions) > 1)
        sentences.append(
            f"What is marked wrong costs what the mistake{several} below cost{several or 's'}, and no more."
        )
    if any(result.entry is not None for result in unjudged):
        sentences.append("Some values are wrong only because of the mistake named below: they are not counted again.")
    if any(result.entry is None for result in unjudged):
        sentences.append("What cannot be seen in wrong values is not judged yet.")
    return " ".join(sentences)


def _open(verdict: Verdict) -> str:
    assert verdict.failure is not None
    if verdict.failure.kind == "missing":
        return plain(f"{verdict.failure.message}. Run the cell that defines it, then check again.")
    wanted = " and ".join(f"`{signature}`" for signature in verdict.key.signatures)
    if all(takes_a_value(case.driver) for case in verdict.key.cases):
        return plain(f"{verdict.failure.message[:1].upper()}{verdict.failure.message[1:]}. Then check again.")
    return f"Not implemented yet. Replace `raise NotImplementedError()` with your {wanted}, run that cell, check again."


def _facts(verdict: Verdict, lost: CriterionResult, fault: Fault | None) -> Iterator[str]:
    """What is known about the criterion that is explained, in sentences."""
    if verdict.unsteady:
        noise = any("u" in case.inputs for case in verdict.key.cases if case.name in verdict.unsteady)
        yield "Two calls with the same inputs give different results." + (
            " The random numbers are given, as `u`: use them instead of drawing your own." if noise else ""
        )
    elif not any(hint.slug not in CONVENTION_SLIPS for hint in verdict.misconceptions) and verdict.likeness:
        yield verdict.likeness
    stubs = {verdict.case_of(e).function for e in verdict.wrong if is_unwritten(verdict, e)}
    for name in (name for name in verdict.key.names if name in stubs):
        yield f"`{name}` is not written yet, or not all of it: it stops at `raise NotImplementedError()`."
    if fault is not None:
        yield fault.told()
        return
    if lost.entry is not None and not is_unwritten(verdict, lost.entry):
        yield f"“{lost.criterion.title}” fails. {reason(verdict, lost)}"


def _accuracy(verdict: Verdict) -> str:
    """The largest relative error beside what is allowed: the size of number to expect from right code."""
    worst, allowed = verdict.compared.accuracy if verdict.compared is not None else (0.0, 0.0)
    found = f"{worst:.0e}" if worst else "0"
    return f"The largest relative error is {found} (up to {allowed:.0e} is allowed). " if allowed else ""


def _text(story: _Story) -> str:
    sign, word = _SIGNS[story.state]
    lines = [f"{sign} {story.headline} ({word})"]
    lines += _wrapped(story.summary, "  ") if story.summary else []
    width = max((len(title) for _, title, _ in story.criteria), default=0)
    for state, title, worth in story.criteria:
        sign, word = _SIGNS[state]
        lines.append(f"  {sign} {title:<{width}}  {worth}{'' if state == 'right' else f', {word}'}")
    for headline, hint in story.hints:
        lines += [f"  ► {headline}:", *_wrapped(hint, "    ")]
    for text in story.facts:
        lines += _wrapped(text, "  ")
    for line in story.advice:
        lines += _wrapped(f"! {line}", "  ")
    if story.code:
        lines += ["  To see it, paste and run:", textwrap.indent(story.code, "    ")]
    return "\n".join(lines)


@functools.lru_cache(maxsize=1024)
def _wrapped(text: str, indent: str) -> tuple[str, ...]:
    """Lines of a text; most texts, hints above all, are those of many in a class."""
    return tuple(textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")) or (indent,)


# Colors are in borders and pills only (white on these is above 5:1); text inherits, so light and dark both work.
_GREEN, _RED, _GREY, _BROWN = "#1a7f37", "#b3261e", "#5f6368", "#8a4b00"
_COLOUR = {
    "pass": _GREEN,
    "right": _GREEN,
    "fail": _RED,
    "lost": _RED,
    "wrong": _RED,
    "open": _GREY,
    "not judged": _GREY,
    "hint": _BROWN,
}
_BOX = (
    "border-left:4px solid {color};padding:.5em .9em;margin:.4em 0;background:rgba(127,127,127,.08);border-radius:3px;"
    "overflow-wrap:anywhere"
)
_PILL = "background:{color};color:#fff;border-radius:3px;padding:0 .45em;font-weight:600;white-space:nowrap"
_PRE = (
    "overflow:auto;padding:.6em;margin:.4em 0;background:rgba(127,127,127,.12);color:inherit;border-radius:3px;"
    "word-break:normal;overflow-wrap:anywhere"  # lines break between words, not within names
)


def _html(story: _Story) -> str:
    parts = [
        f"<p style='margin:0 0 .3em;font-size:1.1em'>{_pill(story.state)} <strong>{_esc(story.headline)}</strong></p>",
        f"<p style='margin:.2em 0'>{_code_spans(story.summary)}</p>" if story.summary else "",
        _criteria_html(story),
        *(_hint_html(headline, hint) for headline, hint in story.hints),
        *(f"<p style='margin:.3em 0'>{_code_spans(text)}</p>" for text in story.facts),
        *(f"<p style='margin:.3em 0'><strong>Advice:</strong> {_code_spans(line)}</p>" for line in story.advice),
        _code_html(story.code) if story.code else "",
    ]
    box = _BOX.format(color=_COLOUR[story.state])
    label = _esc(f"Check of {story.headline}, {_SIGNS[story.state][1]}")
    return f"<div role='group' aria-label='{label}' style='{box}'>{''.join(parts)}</div>"


_FEW = ("open", "pass")
"""States of which a class has few different cards of each exercise."""
_html_of_few = functools.lru_cache(maxsize=256)(_html)
_text_of_few = functools.lru_cache(maxsize=256)(_text)


def _criteria_html(story: _Story) -> str:
    items = "".join(_criterion_html(*criterion) for criterion in story.criteria)
    return f"<ul style='list-style:none;padding:0;margin:.4em 0'>{items}</ul>" if items else ""


@functools.lru_cache(maxsize=1024)
def _criterion_html(state: str, title: str, worth: str) -> str:
    return f"<li style='margin:.15em 0'>{_pill(state)} {_code_spans(title)} ({_esc(worth)})</li>"


def _hint_html(headline: str, hint: str) -> str:
    return (
        f"<div style='{_BOX.format(color=_COLOUR['hint'])}'><strong>► {_code_spans(headline)}:</strong><br>"
        f"{_code_spans(hint)}</div>"
    )


def _code_html(code: str) -> str:
    # tabindex: a region that scrolls must be reachable by keyboard.
    return (
        "<details style='margin:.4em 0'><summary style='cursor:pointer'>A small example to paste and run</summary>"
        f"<pre tabindex='0' style='{_PRE}'>{_esc(code)}</pre></details>"
    )


def _pill(state: str) -> str:
    sign, word = _SIGNS[state]
    return f"<span style='{_PILL.format(color=_COLOUR[state])}'>{sign} {word}</span>"


def _esc(text: str) -> str:
    return html.escape(plain(text), quote=True)


def _code_spans(text: str) -> str:
    """Escaped text in which `backquoted` parts are set as code, and no line ends within a number or short code."""
    return re.sub(r"`([^`]+)`", _code, unbroken(_esc(text)))


def _code(quoted: re.Match[str]) -> str:
    whole = " style='white-space:nowrap'" if " " in quoted[1] and len(html.unescape(quoted[1])) <= _UNBROKEN else ""
    return f"<code{whole}>{quoted[1]}</code>"
