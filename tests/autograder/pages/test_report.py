"""The class report."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.course import Course
from autograder.errors import CourseError, UnknownAssignmentError
from autograder.gradebook.item_marks import AssignmentTrend
from autograder.pages.class_summary import summarise
from autograder.pages.item_analysis import Item
from autograder.pages.report import write_report
from autograder.pages.report_page import Insights, render
from autograder.results import ExerciseResult, SubmissionResult, write_result
from autograder.submissions.predictions import PredictionStats
from tests.support.paths import ROOT
from tests.support.synthetic_results import EXERCISES, class_of, submission

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202egnp.exe"


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Remember its text."""
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        """All text, in one line."""
        return " ".join(" ".join(self.words).split())


def page_of(results: list[SubmissionResult], links: dict[str, str] | None = None) -> str:
    """The report of made-up results."""
    return render(summarise("01_batchnorm", results, EXERCISES), links)


def answer(**changes: object) -> ExerciseResult:
    """A wrong answer, changed as asked."""
    values: dict[str, object] = {
        "score": 1.0,
        "max_score": 4.0,
        "criteria": {"right-value": False, "keeps-the-dtype": True},
    }
    return ExerciseResult(**{**values, **changes})  # type: ignore[arg-type]


def test_every_student_is_in_exactly_one_bar() -> None:
    """The distribution adds up to the class, those without a readable notebook included."""
    summary = summarise("01_batchnorm", class_of(137), EXERCISES)
    assert sum(bin_.count for bin_ in summary.bins) == len(summary.students) == 137


@pytest.mark.parametrize(("score", "expected"), [(0, 0), (3, 1), (7, 4), (12, 7), (16, 9)])
def test_a_score_falls_into_the_bar_of_its_share(score: float, expected: int) -> None:
    """Bars are closed below and open above; full marks belong to the last."""
    result = submission("ada", exercises={"batchnorm-forward": answer(score=float(score), max_score=16.0)})
    bins = summarise("01_batchnorm", [result], EXERCISES).bins
    assert [bin_.count for bin_ in bins].index(1) == expected


def test_exercises_count_missing_submissions_as_zero() -> None:
    """A student without a readable notebook lowers the mean and every criterion."""
    nothing = submission("bob", status="unreadable", exercises={})
    first = summarise("01_batchnorm", [submission("ada"), nothing], EXERCISES).exercises[0]
    assert (first.rate, first.full, first.of) == (0.5, 1, 2)
    assert [(c.met, c.of) for c in first.criteria] == [(1, 2), (1, 2)]


def test_misconceptions_come_by_frequency_with_hint_and_students() -> None:
    """The most frequent mistake stands first and names who made it."""
    rare = answer(misconceptions=("missing-affine",))
    often = answer(misconceptions=("unbiased-variance",))
    results = [
        submission("ada", exercises={"batchnorm-forward": often}),
        submission("bob", exercises={"batchnorm-forward": rare}),
        submission("eve", exercises={"batchnorm-forward": often}),
    ]
    found = summarise("01_batchnorm", results, EXERCISES).misconceptions
    assert [(m.slug, m.students) for m in found] == [
        ("unbiased-variance", ("ada", "eve")),
        ("missing-affine", ("bob",)),
    ]
    assert "it was probably forgotten" in Reader(page_of(results)).text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "timeout", "message": "after 20 s"}, "time limit after 20 s"),
        ({"status": "unreadable", "exercises": {}}, "could not be read"),
        ({"flags": ("banned-operation",)}, "forbids"),
        ({"exercises": {"layer-norm": answer(withheld=("torch.autograd",))}}, "withheld layer-norm: torch.autograd"),
    ],
    ids=["timeout", "unreadable", "flag", "withheld"],
)
def test_a_submission_that_needs_a_look_says_why(changes: dict[str, object], words: str) -> None:
    """Flags and crashes are put before a person."""
    (found,) = summarise("01_batchnorm", [submission("ada", **changes), submission("bob")], EXERCISES).attention
    assert found.students == ("ada",)
    assert words in " ".join([found.reason, *(text for text, _ in found.details)])


def test_a_stub_needs_no_look() -> None:
    """What was not tried is no unknown mistake."""
    stub = answer(score=0.0, message="not implemented yet", failures=("NotImplementedError",))
    assert summarise("01_batchnorm", [submission("ada", exercises={"layer-norm": stub})], EXERCISES).attention == ()


def test_the_page_loads_nothing_from_elsewhere() -> None:
    """The report is one file: no address but links inside the page and to feedback."""
    reader = Reader(page_of(class_of(40), {"student0001": "feedback/student0001/x.html"}))
    assert not [attributes for _, attributes in reader.tags if "src" in attributes]
    assert not reader.all("link")
    addresses = [str(attributes["href"]) for attributes in reader.all("a")]
    assert all(address.startswith(("#", "feedback/")) for address in addresses)
    assert "url(" not in page_of(class_of(3))


def test_what_could_not_be_graded_is_listed_and_not_counted() -> None:
    """Nobody knows those points: they are no zeros of the class, but somebody must see them."""
    nothing = {name: ExerciseResult(0, e.max_score, {}) for name, e in submission("x").exercises.items()}
    lost = submission("lost", status="ungraded", exercises=nothing, message="the folder's name is not UTF-8")
    summary = summarise("01_batchnorm", [submission("ada"), lost], EXERCISES)
    assert (summary.mean, summary.median, summary.full) == (summary.max_score, summary.max_score, 1)
    assert [row.student for row in summary.students] == ["ada", "lost"]
    (eye,) = summary.attention
    assert (eye.level, eye.students) == ("act", ("lost",))
    assert eye.details == (("the folder's name is not UTF-8", ("lost",)),)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 900, 390])
def test_the_page_never_scrolls_sideways(tmp_path: Path, chromium: Any, width: int) -> None:
    """Long ids, and texts that only screen readers see, stay within the table's own place."""
    page = tmp_path / "report.html"
    results = [*class_of(5), submission("m" * 255), submission("n" * 255, status="late", flags=("late",))]
    page.write_text(page_of(results, {result.student: "page.html" for result in results}), encoding="utf-8")
    opened = chromium.new_page(viewport={"width": width, "height": 900})
    opened.goto(page.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    opened.close()


def test_links_inside_the_page_have_targets() -> None:
    """Every name leads to its line in the table of students."""
    reader = Reader(page_of(class_of(40)))
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {str(attributes["href"])[1:] for attributes in reader.all("a") if str(attributes["href"]).startswith("#")}
    assert targets <= set(ids)


def test_hostile_text_stays_text() -> None:
    """Whatever a student controls is shown, never run, and cannot turn the line around."""
    hostile = ExerciseResult(0.0, 4.0, {HOSTILE: False}, (HOSTILE,), HOSTILE, hints=(HOSTILE,), withheld=(HOSTILE,))
    result = submission(
        HOSTILE, status="crashed", message=HOSTILE, flags=(HOSTILE,), exercises={HOSTILE: hostile}, sandbox=HOSTILE
    )
    page = page_of([result])
    reader = Reader(page)
    assert len(reader.all("script")) == 1
    assert not reader.all("img")
    assert "\u202e" not in page
    assert "<script>alert(1)</script>" in reader.text


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=40, deadline=None)
def test_no_text_of_a_student_adds_an_element(student: str, message: str) -> None:
    """The page's structure does not depend on what names and messages hold."""

    def tags(student: str, message: str) -> list[str]:
        crashed = submission(student, status="crashed", message=message, flags=(message or "x",))
        return [tag for tag, _ in Reader(page_of([crashed])).tags]

    assert tags(student, message or "x") == tags("ada", "x")


def test_the_only_script_that_may_run_is_the_one_of_the_page() -> None:
    """The content security policy names the hash of the sorting script, and nothing else."""
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page_of(class_of(3)))
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'$", policy)


def test_the_page_can_be_used_without_eyes_or_mouse() -> None:
    """Pictures have words, headings are in order, columns sort by buttons."""
    reader = Reader(page_of(class_of(30)))
    assert all(picture.get("aria-label") for picture in reader.all("svg"))
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(reader.all("button")) == 6
    assert reader.all("html")[0]["lang"] == "en"


def test_grading_without_a_sandbox_is_said_on_top() -> None:
    """Scores that could have been forged carry a warning."""
    assert "Graded without a sandbox" in page_of([submission("ada", sandbox="none")])
    assert "Graded without a sandbox" not in page_of([submission("ada")])


def test_a_thousand_students_take_less_than_ten_seconds() -> None:
    """The report of a large class does not keep anybody waiting."""
    results = class_of(1000)
    started = time.perf_counter()
    page = page_of(results)
    assert time.perf_counter() - started < 10
    assert page.count('<tr id="student-') == 1000


def test_the_command_reads_stored_results_and_links_feedback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of the grader and pages of the feedback meet in one file."""
    monkeypatch.setattr(Course, "exercises", lambda course, assignment: EXERCISES)
    course = Course(tmp_path)
    for result in class_of(5):
        write_result(course.results("01_batchnorm"), result)
    feedback = course.feedback / "student0002" / "01_batchnorm" / "batch norm.html"
    feedback.parent.mkdir(parents=True)
    feedback.write_text("<p>well done</p>")
    path = write_report(course, "01_batchnorm")
    assert path.parent == tmp_path
    links = [str(a["href"]) for a in Reader(path.read_text()).all("a") if not str(a["href"]).startswith("#")]
    assert links == ["feedback/student0002/01_batchnorm/batch%20norm.html"]


def test_no_results_are_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report before grading is a known error with a hint."""
    monkeypatch.setattr(Course, "exercises", lambda course, assignment: EXERCISES)
    with pytest.raises(CourseError) as caught:
        write_report(Course(tmp_path), "01_batchnorm")
    assert "autograder grade 01_batchnorm" in caught.value.hint


def test_an_unknown_assignment_gets_the_nearest_name(tmp_path: Path) -> None:
    """A slip of the finger is met with the right name."""
    with pytest.raises(UnknownAssignmentError, match="unknown assignment"):
        write_report(Course.find(ROOT), "01_batchnrm")


def test_known_mistakes_are_counted_by_students() -> None:
    """Not by kinds; and one point is no points."""
    twice = answer(misconceptions=("unbiased-variance", "missing-affine"), max_score=1.0, score=0.0)
    results = [submission(name, exercises={"batchnorm-forward": twice}) for name in ("ada", "bob")]
    summary = summarise("01_batchnorm", [*results, submission("eve")], EXERCISES)
    assert summary.with_known_mistakes == 2
    text = Reader(page_of(class_of(30))).text
    assert not re.search(r"\b1 (points|students|answers)\b", text)


def test_what_needs_a_look_is_short_and_in_order() -> None:
    """The same sentence stands there once; what must be done comes first, what is only good to know last."""
    late = [submission(f"l{n}", status="late", flags=("late",)) for n in range(40)]
    lost = [submission(f"m{n}", flags=("lost-answer",)) for n in range(3)]
    odd = [submission(f"c{n}", flags=("dynamic-code",), findings=(f"cell {n}: sys.settrace",)) for n in range(9)]
    summary = summarise("01_batchnorm", [*late, *lost, *odd], EXERCISES)
    assert [(found.level, len(found.students)) for found in summary.attention] == [
        ("act", 3),
        ("look", 9),
        ("know", 40),
    ]
    assert summary.to_look_at == 12
    text = Reader(page_of([*late, *lost, *odd])).text
    assert text.count("handed in late") == 1
    assert text.index("not in its cell") < text.index("reaches into the machine") < text.index("handed in late")


def test_items_predictions_and_the_course_so_far_are_shown() -> None:
    """With what the numbers mean; a class that is too small sees no correlation."""
    item = Item("why", "Why is that?", 4.0, True, 0.25, -0.5, 1, 30, 2)
    few = replace(item, name="how", title="How?", discrimination=None, of=5, waiting=0)
    predicted = PredictionStats("widget", "Which one?", (("the left one", 3), ("the right one", 1)), 1, 4)
    trend = (AssignmentTrend("00_before", 40, 0.8, True), AssignmentTrend("01_batchnorm", 38, 0.5, False))
    insights = Insights((item, few), trend, (predicted,))
    page = render(summarise("01_batchnorm", class_of(30), EXERCISES), insights=insights)
    text = Reader(page).text
    assert "Why is that? written 4 25% 1 of 30; 2 wait −0.50 look at it" in text
    assert "How? written 4 25% 1 of 5 –" in text
    assert "Which one? 25% 1 of 4 right the left one 3 the right one 1" in text
    assert "00_before 80% 40 handed in" in text
    assert "01_batchnorm 50% 38 handed in · written answers wait" in text
    assert "is the correlation between the points" in text


def test_advice_about_gpus_is_counted_and_costs_nothing() -> None:
    """Who would fail on a GPU stands in the report, most frequent first; it is no reason to look at a submission."""
    right = answer(score=4.0, criteria={"right-value": True}, advice=("f will fail on a GPU: it mixes `x.device`s",))
    class_ = [submission(name, exercises={"batchnorm-forward": right}) for name in ("ada", "bob")]
    summary = summarise("01_batchnorm", [*class_, submission("eve")], EXERCISES)
    (advice,) = summary.advice
    assert (advice.exercise, advice.students) == ("batchnorm-forward", ("ada", "bob"))
    assert summary.attention == ()
    text = Reader(page_of([*class_, submission("eve")])).text
    assert "Right here, but not on a GPU" in text
    assert "f will fail on a GPU: it mixes x.device s 2: ada bob" in text
    assert "not on a GPU" not in Reader(page_of([submission("eve")])).text


def test_advice_that_a_child_made_up_is_text() -> None:
    """It comes from the student's process: nothing in it is markup, and a thousand kinds of it do not fill the page."""
    hostile = [submission(f"s{n}", exercises={"layer-norm": answer(advice=(f"{HOSTILE} {n}",))}) for n in range(100)]
    page = page_of(hostile)
    assert "<script>alert(1)" not in page
    assert "onerror" not in {name for _, attributes in Reader(page).tags for name in attributes}
    assert "And 88 more." in page
