"""The card: a verdict, readable at a glance, as HTML and as plain text.

The instant check shows it in the notebook; the grader puts the same card into
the feedback.  Everything that may come from a student (an exception's text, a
warning) is stripped of control sequences and escaped.
"""

from __future__ import annotations

import functools
import html
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from course_lib.checking.comparison import TOLERANCE, describe, scale_of
from course_lib.checking.counterexample import counterexample
from course_lib.checking.fault import Fault
from course_lib.checking.verdict import CriterionResult, Entry, MisconceptionKey, Verdict

__all__ = ["Card", "counterexample", "plain", "points", "reason"]

_ANSI = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_WIDTH = 96


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
        return _html(self._story)

    def text(self) -> str:
        """The card for a terminal, at most about 96 characters wide."""
        return _text(self._story)

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


def reason(result: CriterionResult) -> str:
    """Why a criterion was lost, in one line of words; empty if it holds."""
    if result.holds or result.mismatch is None or result.entry is None:
        return ""
    mismatch = result.mismatch
    output = f"{result.entry.output}: " if result.entry.output and mismatch.index is not None else ""
    words = f"case “{result.entry.case}”: {output}{mismatch.reason}"
    if mismatch.error is not None and math.isfinite(mismatch.error) and mismatch.error > 0:
        words += f", the largest error is {mismatch.error:.2g}"
    return plain(words)


def _first_wrong(result: CriterionResult) -> str:
    """The first wrong element, got and expected; empty where there is no element."""
    mismatch, entry = result.mismatch, result.entry
    if mismatch is None or entry is None or mismatch.index is None:
        return ""
    inner = mismatch.reason.partition(": ")[0] if ": " in mismatch.reason else ""
    name = f"{entry.output} ({inner})" if inner else entry.output
    place = f"{name}[{', '.join(map(str, mismatch.index))}]" if mismatch.index else name
    return plain(f"{place}: got {_number(mismatch.got)}, expected {_number(mismatch.expected)}")


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else describe(value)


@dataclass(frozen=True)
class _Story:
    """What a card says, before it is set as HTML or text."""

    state: str
    headline: str
    summary: str
    criteria: tuple[tuple[bool, str, str], ...]
    hints: tuple[MisconceptionKey, ...]
    facts: tuple[tuple[str, str], ...]
    code: str
    advice: tuple[str, ...]


_SIGNS = {"pass": ("✓", "passed"), "fail": ("✗", "not yet"), "open": ("○", "open")}


def _story(verdict: Verdict, fault: Fault | None, advice: Sequence[str]) -> _Story:
    lost = next((result for result in verdict.results if not result.holds), None)
    criteria = tuple((r.holds, r.criterion.title, points(r.criterion.points)) for r in verdict.results)
    earned = f"{verdict.score:g} of {points(verdict.key.points)}"
    more = tuple(plain(line) for line in advice)
    name = verdict.key.id
    if lost is None:
        summary = f"Every criterion holds. {_accuracy(verdict)}Grading asks the same with other numbers."
        return _Story("pass", f"{name}: {earned}", summary, criteria, (), (), "", more)
    if verdict.failure is not None and verdict.failure.kind in ("NotImplementedError", "missing"):
        return _Story("open", f"{name}: {earned}", _open(verdict), (), (), (), "", more)
    facts = tuple((label, plain(text)) for label, text in _facts(lost, fault))
    code = counterexample(verdict, lost)
    return _Story("fail", f"{name}: {earned}", "", criteria, verdict.misconceptions, facts, code, more)


def _open(verdict: Verdict) -> str:
    assert verdict.failure is not None
    if verdict.failure.kind == "missing":
        return plain(f"{verdict.failure.message}. Run the cell that defines it, then check again.")
    wanted = " and ".join(f"`{signature}`" for signature in verdict.key.signatures)
    return f"Not implemented yet. Replace `raise NotImplementedError()` by your {wanted}, run that cell, check again."


def _facts(lost: CriterionResult, fault: Fault | None) -> list[tuple[str, str]]:
    """Label and text of what is known about the first lost criterion."""
    if fault is not None:
        facts = [("Your code stopped with", f"{fault.kind}: {fault.message}" if fault.message else fault.kind)]
        if fault.line_number is not None:
            facts.append((f"In line {fault.line_number}", fault.line or "(its text is not known)"))
        elif fault.signature:
            facts.append(("It must be callable as", fault.signature))
        return [*facts, (f"Case “{fault.case}”", fault.call)]
    facts = [(f"Lost: {lost.criterion.title}", reason(lost))]
    first = _first_wrong(lost)
    return [*facts, ("First wrong element", first)] if first else facts


def _accuracy(verdict: Verdict) -> str:
    """The largest relative error beside what is allowed: the size of number to expect from right code."""
    worst, allowed = 0.0, 0.0
    for case in verdict.key.cases:
        for output, expected in case.expected.items():
            got = verdict.observed.get(Entry(case.name, output))
            if (
                not isinstance(got, torch.Tensor)
                or not isinstance(expected, torch.Tensor)
                or got.shape != expected.shape
            ):
                continue
            a, b = got.double().numpy(), expected.double().numpy()
            a, b = a[np.isfinite(b)], b[np.isfinite(b)]
            if b.size:
                worst = max(worst, float((np.abs(a - b) / scale_of(b)).max()))
                allowed = max(allowed, case.tolerance or TOLERANCE.get(expected.dtype, 0.0))
    return f"Largest relative error {worst:.0e} (up to {allowed:.0e} is allowed). " if allowed else ""


def _text(story: _Story) -> str:
    sign, word = _SIGNS[story.state]
    lines = [f"{sign} {story.headline} ({word})"]
    lines += _wrapped(story.summary, "  ") if story.summary else []
    width = max((len(title) for _, title, _ in story.criteria), default=0)
    for holds, title, worth in story.criteria:
        lines.append(f"  {'✓' if holds else '✗'} {title:<{width}}  {worth}{'' if holds else ' lost'}")
    for hint in story.hints:
        lines += [
            f"  ► This is what you get from a known mistake ({_in_words(hint.slug)}):",
            *_wrapped(hint.hint, "    "),
        ]
    for label, text in story.facts:
        lines += _wrapped(f"{label}: {text}", "  ")
    for line in story.advice:
        lines += _wrapped(f"! {line}", "  ")
    if story.code:
        lines += ["  To see it, paste and run:", textwrap.indent(story.code, "    ")]
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ") or [indent]


def _in_words(slug: str) -> str:
    return slug.replace("-", " ")


# Colours are in borders and pills only (white on these is above 5:1); text inherits, so light and dark both work.
_COLOUR = {"pass": "#1a7f37", "fail": "#b3261e", "open": "#5f6368", "hint": "#8a4b00"}
_BOX = (
    "border-left:4px solid {colour};padding:.5em .9em;margin:.4em 0;background:rgba(127,127,127,.08);border-radius:3px"
)
_PILL = "background:{colour};color:#fff;border-radius:3px;padding:0 .45em;font-weight:600;white-space:nowrap"
_PRE = "overflow:auto;padding:.6em;margin:.4em 0;background:rgba(127,127,127,.12);color:inherit;border-radius:3px"


def _html(story: _Story) -> str:
    parts = [
        f"<p style='margin:0 0 .3em;font-size:1.1em'>{_pill(story.state)} <strong>{_esc(story.headline)}</strong></p>",
        f"<p style='margin:.2em 0'>{_code_spans(story.summary)}</p>" if story.summary else "",
        _criteria_html(story),
        *(_hint_html(hint) for hint in story.hints),
        *(f"<p style='margin:.3em 0'><strong>{_esc(a)}:</strong> <code>{_esc(b)}</code></p>" for a, b in story.facts),
        *(f"<p style='margin:.3em 0'><strong>Advice:</strong> {_code_spans(line)}</p>" for line in story.advice),
        _code_html(story.code) if story.code else "",
    ]
    box = _BOX.format(colour=_COLOUR[story.state])
    label = _esc(f"Check of {story.headline}, {_SIGNS[story.state][1]}")
    return f"<div role='group' aria-label='{label}' style='{box}'>{''.join(parts)}</div>"


def _criteria_html(story: _Story) -> str:
    items = "".join(
        f"<li style='margin:.15em 0'>{_pill('pass' if holds else 'fail', 'right' if holds else 'lost')} "
        f"{_esc(title)} ({_esc(worth)})</li>"
        for holds, title, worth in story.criteria
    )
    return f"<ul style='list-style:none;padding:0;margin:.4em 0'>{items}</ul>" if items else ""


def _hint_html(hint: MisconceptionKey) -> str:
    return (
        f"<div style='{_BOX.format(colour=_COLOUR['hint'])}'><strong>► This is what you get from a known mistake "
        f"({_esc(_in_words(hint.slug))}):</strong><br>{_code_spans(hint.hint)}</div>"
    )


def _code_html(code: str) -> str:
    # tabindex: a region that scrolls must be reachable by keyboard.
    return (
        "<details style='margin:.4em 0'><summary style='cursor:pointer'>A small example to paste and run</summary>"
        f"<pre tabindex='0' style='{_PRE}'>{_esc(code)}</pre></details>"
    )


def _pill(state: str, word: str | None = None) -> str:
    sign, own = _SIGNS[state]
    return f"<span style='{_PILL.format(colour=_COLOUR[state])}'>{sign} {word or own}</span>"


def _esc(text: str) -> str:
    return html.escape(plain(text), quote=True)


def _code_spans(text: str) -> str:
    """Escaped text in which `backquoted` parts are set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _esc(text))
