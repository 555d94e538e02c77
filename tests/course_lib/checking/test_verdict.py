"""The judgement fails closed: points need every value, and nothing that comes back can break it or talk it round."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.checking.comparison import describe
from course_lib.checking.keys import (
    CaseKey,
    CriterionKey,
    Entry,
    ExerciseKey,
    Failure,
    MisconceptionKey,
    Response,
    respond,
)
from course_lib.checking.values import Unsupported
from course_lib.checking.verdict import judge, observe

RIGHT = {"small": (torch.tensor([1.0, 2.0]), 3.0), "large": (torch.arange(5.0), 4.0)}
CASES = tuple(
    CaseKey(name, "f", "call", {"x": torch.zeros(size)}, ("y", "n"), {"y": RIGHT[name][0], "n": RIGHT[name][1]})
    for name, size in (("small", 2), ("large", 50))
)
CRITERIA = (
    CriterionKey("y", "y is right", 2, (Entry("small", "y"), Entry("large", "y"))),
    CriterionKey("n", "n is right", 1, (Entry("small", "n"), Entry("large", "n"))),
    CriterionKey("dtype", "keeps the dtype", 0.5, tuple(Entry(name, "y", "dtype") for name in RIGHT)),
    CriterionKey("inputs", "leaves its inputs unchanged", 0.5, tuple(Entry(name, "", "inputs") for name in RIGHT)),
)


def mistake(slug: str, *loses: str, costs: float = 1.0, **footprint: Any) -> MisconceptionKey:
    """A known mistake about some criteria, and what it gives: ``small_y=...``."""
    entries = {Entry(*place.split("_")): value for place, value in footprint.items()}
    return MisconceptionKey((slug,), (f"hint of {slug}",), frozenset(loses), (costs,), entries)


TWICE = {name: RIGHT[name][0] * 2 for name in RIGHT}
DOUBLED = mistake("doubled", "y", small_y=TWICE["small"], large_y=TWICE["large"])
ZERO_N = mistake("zero-n", "n", small_n=0.0, large_n=0.0)
ALSO_DOUBLED = mistake("doubled-once", "y", costs=2, large_y=TWICE["large"])
UNSEEN = mistake("unseen")
KEY = ExerciseKey("e", ("f(x)",), CASES, CRITERIA, (UNSEEN, ALSO_DOUBLED, DOUBLED, ZERO_N))


def answers(**changes: Any) -> dict[str, Response]:
    """Right responses, some replaced."""
    return {name: Response(changes.get(name, value)) for name, value in RIGHT.items()}


def holding(responses: dict[str, Response]) -> set[str]:
    """Slugs of the criteria that hold."""
    return {r.criterion.slug for r in judge(KEY, responses).results if r.holds}


def test_right_values_get_every_point() -> None:
    """All right: full score, passed, no mistake, no failure."""
    verdict = judge(KEY, answers())
    assert (verdict.score, verdict.passed, verdict.misconceptions, verdict.failure) == (4.0, True, (), None)


def test_a_criterion_needs_all_its_entries() -> None:
    """One wrong case costs the whole criterion, and only the criteria that look at it."""
    assert holding(answers(large=(torch.zeros(5), 4.0))) == {"n"}
    assert holding(answers(large=(RIGHT["large"][0], 0.0))) == {"y", "dtype", "inputs"}


def test_dtype_and_inputs_are_judged_where_values_are_right() -> None:
    """Half of the points for values must be there; then a case with a wrong value says nothing of conventions."""
    assert holding(answers(small=(torch.zeros(2), 3.0))) == {"n"}
    assert holding(answers(small=(RIGHT["small"][0], 9.0))) == {"y", "dtype", "inputs"}
    nothing = judge(KEY, answers(small=(torch.zeros(2), 0.0)))
    assert [result.state for result in nothing.results] == ["lost", "lost", "not judged", "not judged"]
    assert nothing.score == 0


def test_wrong_dtype_costs_its_criterion_alone() -> None:
    """The value is judged by its own dtype, the dtype by itself; a number of Python has none."""
    assert holding(answers(small=(RIGHT["small"][0].double(), 3.0))) == {"y", "n", "inputs"}
    verdict = judge(KEY, answers(small=(RIGHT["small"][0].numpy(), 3.0)))
    assert (verdict.score, [named.slug for named in verdict.misconceptions]) == (3.5, ["numpy-array"])


def test_what_needs_easier_inputs_loses_its_convention_alone() -> None:
    """A call that fails in one dtype is judged in the other, and says so."""
    eased = Response(RIGHT["small"], eased=("float64",), obstacle="RuntimeError: expected Float but found Double")
    verdict = judge(KEY, {**answers(), "small": eased})
    assert (verdict.score, [named.slug for named in verdict.misconceptions]) == (3.5, ["works-in-float64-only"])
    assert verdict.results[2].mismatch is not None
    assert "found Double" in verdict.results[2].mismatch.reason


def test_a_result_on_another_device_loses_the_convention() -> None:
    """The numbers are right, and it says where they lie."""
    verdict = judge(KEY, {**answers(), "small": Response(RIGHT["small"], device="cpu")})
    assert (verdict.score, [named.slug for named in verdict.misconceptions]) == (3.5, ["result-on-another-device"])
    assert verdict.results[2].mismatch is not None
    assert verdict.results[2].mismatch.told("y") == "`y` lies on the cpu, its inputs do not"


def test_a_right_value_must_come_again() -> None:
    """A second call with the same inputs that gives something else makes the first one luck."""
    lucky = Response(RIGHT["small"], again=Response((torch.zeros(2), 3.0)))
    verdict = judge(KEY, {**answers(), "small": lucky})
    assert verdict.results[0].state == "lost"
    assert verdict.unsteady


def test_what_is_forbidden_withholds_the_points() -> None:
    """Its name is said, and nothing is judged."""
    verdict = judge(KEY, {**answers(), "large": Response(RIGHT["large"], used=("torch.doubled",))})
    assert (verdict.score, verdict.passed, verdict.banned) == (0.0, False, ("torch.doubled",))
    assert {result.state for result in verdict.results} == {"not judged"}


def test_changed_inputs_cost_their_criterion_alone() -> None:
    """What was changed is named."""
    verdict = judge(KEY, {**answers(), "small": Response(RIGHT["small"], changed=("x",))})
    assert verdict.score == 3.5
    assert verdict.results[3].mismatch is not None
    assert "x" in verdict.results[3].mismatch.reason


def test_the_smallest_case_with_numbers_explains_a_lost_criterion() -> None:
    """The counterexample is small, and an exception explains only where there are no numbers to show."""
    both = judge(KEY, answers(small=(torch.zeros(2), 3.0), large=(torch.zeros(5), 4.0)))
    assert both.results[0].entry == Entry("small", "y")
    broken = {**answers(large=(torch.zeros(5), 4.0)), "small": Response(failure=Failure("ValueError", "no"))}
    assert judge(KEY, broken).results[0].entry == Entry("large", "y")


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(None, id="no response"),
        pytest.param(Response(failure=Failure("timeout", "took too long")), id="timeout"),
        pytest.param(Response(failure=Failure("NotImplementedError", "not implemented yet")), id="stub"),
        pytest.param(Response(None), id="None"),
        pytest.param(Response(RIGHT["small"][0]), id="one value of two"),
        pytest.param(Response((*RIGHT["small"], 1)), id="three values"),
        pytest.param(Response({"y": RIGHT["small"][0], "n": 3.0}), id="a dict from a call"),
        pytest.param(Response(Unsupported("an object")), id="something that cannot travel"),
        pytest.param(Response((torch.full((2,), math.nan), math.nan)), id="NaN"),
    ],
)
def test_a_case_without_its_values_earns_nothing(response: Response | None) -> None:
    """No answer, a failure, the wrong number of values or NaN: no criterion that looks at the case holds."""
    responses = answers()
    del responses["small"]
    if response is not None:
        responses["small"] = response
    assert holding(responses) == set()


def test_nothing_at_all_says_why() -> None:
    """Where no call gave a value, the verdict carries the first reason, and names no mistake."""
    failure = Failure("missing", "f is not defined")
    verdict = judge(KEY, {"small": Response(failure=failure), "large": Response(failure=Failure("x", "y"))})
    assert (verdict.score, verdict.failure, verdict.misconceptions) == (0, failure, ())
    assert judge(KEY, {}).failure == Failure("not-run", "was not run")


def test_responses_to_unknown_cases_are_ignored() -> None:
    """Extra answers neither help nor harm."""
    assert judge(KEY, {**answers(), "another": Response(failure=Failure("x", "y"))}).passed


def test_a_known_mistake_is_named_and_charged_once() -> None:
    """The whole footprint must be there; the widest one wins where two share an entry; an empty one matches nothing."""
    verdict = judge(KEY, answers(small=(TWICE["small"], 3.0), large=(TWICE["large"], 4.0)))
    assert [(m.slug, m.costs) for m in verdict.misconceptions] == [("doubled", 1.0)]
    assert verdict.score == 3.0
    verdict = judge(KEY, answers(large=(TWICE["large"], 4.0)))
    assert [m.slug for m in verdict.misconceptions] == ["doubled-once"]
    assert verdict.score == 2.0


def test_what_follows_from_a_known_mistake_is_not_judged() -> None:
    """It is about one criterion; another whose values it spoils is neither lost nor charged, conventions are judged."""
    both = mistake("both", "y", small_y=TWICE["small"], small_n=0.0, large_y=TWICE["large"])
    key = dataclasses.replace(KEY, misconceptions=(both,))
    wrong = answers(small=(TWICE["small"], 0.0), large=(TWICE["large"], 4.0))
    verdict = judge(key, wrong)
    assert [result.state for result in verdict.results] == ["lost", "not judged", "right", "right"]
    assert verdict.score == 3.0
    spoiled = judge(key, {**wrong, "large": Response((TWICE["large"], 4.0), changed=("x",))})
    assert (spoiled.score, [m.slug for m in spoiled.misconceptions]) == (2.5, ["both", "input-changed"])


def test_a_mistake_that_costs_everything_leaves_nothing_to_judge() -> None:
    """Another method entirely: nobody is praised for its conventions."""
    key = dataclasses.replace(KEY, misconceptions=(mistake("other", "y", "n", costs=4, small_y=0.0, small_n=0.0),))
    verdict = judge(key, answers(small=(0.0, 0.0)))
    assert (verdict.score, verdict.results[2].state) == (0.0, "not judged")


def test_a_known_mistake_does_not_excuse_an_unknown_one() -> None:
    """What is wrong besides is charged in full; the name says in which output it was seen."""
    verdict = judge(KEY, answers(small=(TWICE["small"], 7.0), large=(TWICE["large"], 4.0)))
    assert [(m.slug, m.outputs) for m in verdict.misconceptions] == [("doubled", ("y",))]
    assert verdict.score == pytest.approx(3 - 1 - 1)


def test_two_mistakes_on_different_outputs_are_both_named() -> None:
    """One mistake does not hide the other, and each has its price."""
    verdict = judge(KEY, answers(small=(TWICE["small"], 0.0), large=(TWICE["large"], 0.0)))
    assert {m.slug for m in verdict.misconceptions} == {"doubled", "zero-n"}
    assert verdict.score == 2.0


def test_an_exception_is_a_known_mistake_only_where_all_of_its_kind_are_explained() -> None:
    """A mistake that fails on one case does not lend its name to whatever fails there and elsewhere."""
    fails = Response(failure=Failure("RuntimeError", "sizes"))
    known = mistake("fails-on-large", "y", "n", large_y=fails.failure, large_n=fails.failure)
    third = dataclasses.replace(CASES[1], name="third")
    key = ExerciseKey("e", ("f(x)",), (*CASES, third), CRITERIA, (known,))
    here = {**answers(), "large": fails, "third": Response(RIGHT["large"])}
    assert [m.slug for m in judge(key, here).misconceptions] == ["fails-on-large"]
    assert judge(key, {**here, "third": fails}).misconceptions == ()


def test_an_unknown_mistake_has_no_name() -> None:
    """A wrong value that nobody described is just wrong."""
    assert judge(KEY, answers(small=(torch.tensor([9.0, 9.0]), 3.0))).misconceptions == ()


def test_a_right_answer_has_no_mistake_even_if_a_footprint_claims_it() -> None:
    """A footprint counts only where the value is wrong."""
    claims = mistake("claims", small_y=RIGHT["small"][0])
    key = ExerciseKey("e", ("f(x)",), CASES, CRITERIA, (claims,))
    assert judge(key, answers(large=(torch.zeros(5), 4.0))).misconceptions == ()


def test_what_the_function_returned_is_told_only_where_it_is_another_kind_of_thing() -> None:
    """A wrong number among the parts that a driver makes is a wrong number, whatever kind of list it came from."""
    case = CaseKey(
        "c", "f", "rates", {}, ("rates", "last"), {"rates": torch.ones(3), "last": 1.0}, None, "a tensor of (3,)"
    )
    key = ExerciseKey("e", ("f(x)",), (case,), (CriterionKey("l", "last", 1, (Entry("c", "last"),)),))
    for last, words in ((2.0, "is 2 and should be 1"), ([2.0], "your function returned a list of 3 and should return")):
        response = Response({"rates": torch.ones(3), "last": last}, returned="a list of 3")
        mismatch = judge(key, {"c": response}).results[0].mismatch
        assert mismatch is not None
        assert words in mismatch.told("last")


junk = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**320), 10**320),
        st.floats(),
        st.text(max_size=4),
        st.just(Unsupported("a function")),
        st.sampled_from([torch.ones(2), torch.tensor(3.0), torch.zeros(0), torch.ones(2, dtype=torch.bool)]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(["error", "message", "result", "changed", "y", "n"]), inner, max_size=4),
    ),
    max_leaves=6,
)


@given(junk, junk)
def test_whatever_comes_back_is_judged(small: Any, large: Any) -> None:
    """Any tree of values as a raw response gives a verdict, and no point that its values did not earn."""
    verdict = judge(KEY, {"small": respond(small), "large": respond(large)})
    assert 0 <= verdict.score <= 4
    assert not verdict.passed
    assert verdict.results[0].holds is False


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "None"),
        (torch.zeros(2, 3), "a tensor of shape (2, 3)"),
        ([torch.zeros(2)] * 3, "a list of 3 tensors of shape (2,)"),
        (torch.tensor(1.5), "a tensor (1.5)"),
        (-1e-9, "-1e-09"),
        (print, "a function"),
    ],
)
def test_what_was_returned_is_said_in_words_of_ours_only(value: Any, said: str) -> None:
    """The words come from the student's process: nothing else than a kind of value gets onto the grader's card."""
    assert describe(value) == said
    assert respond({"result": 1, "returned": said}).returned == said
    for forged in (f"{said}. The grader was wrong, enter full credit by hand", "full credit!", said + "\n", 7, [said]):
        assert respond({"result": 1, "returned": forged}).returned == ""


@given(junk)
def test_any_response_can_be_read(raw: Any) -> None:
    """What untrusted code sends is a result or a failure with short texts, never both."""
    response = respond(raw)
    assert response.failure is None or response.result is None
    if response.failure is not None:
        assert len(response.failure.kind) <= 80
        assert len(response.failure.message) <= 2000
    assert all(len(name) <= 80 for name in response.changed)


@given(junk, st.sampled_from(["call", "call-strided", "training-run"]))
def test_every_entry_of_a_case_is_observed(result: Any, driver: str) -> None:
    """Whatever the result, each aspect of each output has something to be judged by."""
    case = CaseKey("c", "f", driver, {}, ("y", "n"), {"y": torch.ones(2), "n": 1.0})
    expected = {Entry("c", "", "inputs"), Entry("c", "", "layout")}
    expected |= {Entry("c", name) for name in case.outputs} | {Entry("c", name, "dtype") for name in case.outputs}
    assert set(observe(case, Response(result))) == expected


def test_a_driver_may_name_its_outputs() -> None:
    """A driver's dict is split by name, also for one output of many; a student's own dict is not."""
    found = {"y": torch.ones(2), "other": 1}
    one = CaseKey("c", "f", "training-run", {}, ("y",), {"y": torch.ones(2)})
    assert observe(one, Response(found))[Entry("c", "y")] is found["y"]
    two = CaseKey("c", "f", "training-run", {}, ("y", "n"), {"y": torch.ones(2), "n": 1.0})
    assert isinstance(observe(two, Response(found))[Entry("c", "n")], Failure)
    called = CaseKey("c", "f", "call", {}, ("y",), {"y": torch.ones(2)})
    assert observe(called, Response(found))[Entry("c", "y")] is found


def test_two_mistakes_that_cost_everything_do_not_cost_it_twice() -> None:
    """What is taken off on the card is never more than there is."""
    all_of_y = dataclasses.replace(DOUBLED, prices=(4.0,))
    key = dataclasses.replace(KEY, misconceptions=(all_of_y, ZERO_N))
    verdict = judge(key, answers(small=(TWICE["small"], 0.0), large=(TWICE["large"], 0.0)))
    assert sorted(found.costs for found in verdict.misconceptions) == [0.0, 4.0]
    assert verdict.score == 0


def test_a_slip_where_no_criterion_looks_is_no_slip() -> None:
    """An output beside them may have any shape, and what is wrong with the others is judged as ever."""
    key = dataclasses.replace(KEY, criteria=(CriterionKey("n", "n is right", 1, (Entry("small", "n"),)),))
    verdict = judge(key, {**answers(), "small": Response((RIGHT["small"][0][None], 7.0))})
    assert (verdict.score, verdict.misconceptions) == (0.0, ())


def test_a_large_array_for_a_short_list_is_not_made_a_list() -> None:
    """Sixty million numbers would become sixty million objects."""
    case = dataclasses.replace(CASES[0], outputs=("y",), expected={"y": [1.0, 2.0]})
    key = ExerciseKey("e", ("f(x)",), (case,), (CriterionKey("y", "y is right", 1, (Entry("small", "y"),)),))
    for value in (torch.zeros(1).expand(2, 10**12), torch.zeros(3), torch.tensor(1.0)):
        assert judge(key, {"small": Response(value)}).misconceptions == ()
    assert judge(key, {"small": Response(torch.tensor([1.0, 2.0]))}).score == 0.5
