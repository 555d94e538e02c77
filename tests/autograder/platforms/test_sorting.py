"""Whose a file is: plain or listed, never guessed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.platforms.names import label_of
from autograder.platforms.roster import Person
from autograder.platforms.sorting import Sorted, sort_uploads
from autograder.platforms.uploads import Upload, Uploads
from tests.support.downloads import Member, canvas_name, moodle_folder

ADA = Member("Ada", "Lovelace", "ada", "1815", 12, 4711)
BOB = Member("José", "van der Berg", "jberg", "1816", 13, 4712)
PEOPLE = tuple(
    Person(m.login, m.full, m.first, m.last, m.email, m.number, str(m.participant), str(m.user), row=row)
    for row, m in enumerate((ADA, BOB))
)


def _sorted(*names: str, people: tuple[Person, ...] = PEOPLE, owners: Mapping[str, str] | None = None) -> Sorted:
    files = tuple(Upload(tuple(name.split("/")), 1, lambda: b"x") for name in names)
    return sort_uploads(Uploads(files, ()), people, "01_first", "first", owners)


def _who(found: Sorted) -> dict[str, list[str]]:
    return {one.person.id: [file.parts[-1] for file in one.files] for one in found.deliveries}


@pytest.mark.parametrize("end", ["_", ""], ids=["before 4.1", "since 4.1"])
@pytest.mark.parametrize("top", ["", "CS1-Batch norm-77/"], ids=["as it is", "in a folder"])
def test_moodles_folders_are_read(end: str, top: str) -> None:
    """Files, online text and a student's own folders."""
    ada, bob = moodle_folder(ADA, end=end), moodle_folder(BOB, end=end)
    text = moodle_folder(BOB, "onlinetext", end)
    found = _sorted(
        f"{top}{ada}/first.ipynb", f"{top}{ada}/code/helper.py", f"{top}{bob}/b.ipynb", f"{top}{text}/onlinetext.html"
    )
    assert _who(found) == {"ada": ["first.ipynb", "helper.py"], "jberg": ["b.ipynb", "onlinetext.html"]}
    assert (found.platform, found.unclear) == ("moodle", ())


def test_moodles_flat_names_are_read() -> None:
    """Where folders are switched off in Moodle."""
    assert _who(_sorted("Ada Lovelace_12_assignsubmission_file_first.ipynb")) == {
        "ada": ["Ada Lovelace_12_assignsubmission_file_first.ipynb"]
    }


def test_canvas_names_are_read() -> None:
    """With numbers of resubmission, LATE in both cases, copies, and several files."""
    found = _sorted(
        canvas_name(ADA, 1, "first-1.ipynb", late=True),
        canvas_name(ADA, 2, "Copy of helper.py", late=True),
        canvas_name(BOB, 3, "my_first_2_3.ipynb").replace("_4712", "_late_4712"),
    )
    assert sorted(_who(found)) == ["ada", "jberg"]
    assert [one.late for one in found.deliveries] == [True, True]
    assert found.deliveries[1].labels[0].files == ("my_first_2_3.ipynb",)


@pytest.mark.parametrize(
    "name",
    ["ada/first.ipynb", "ada/01_first/first.ipynb", "Ada Lovelace/x/y/first.ipynb", "ada@example.edu.zip/first.ipynb",
     "1815.ipynb", "ada_first.ipynb", "first-ada.ipynb", "Lovelace Ada.ipynb", "LOVELACE, ADA.ipynb"],
)  # fmt: skip
def test_folders_and_files_named_after_students_are_read(name: str) -> None:
    """By id, address, number or name, with or without the notebook's name."""
    assert list(_who(_sorted(name))) == ["ada"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Ada Lovelace_13_assignsubmission_file_/first.ipynb", "13 is José van der Berg"),
        ("Ada Lovelace_99_assignsubmission_file_/first.ipynb", "has the number 12 in the roster"),
        ("Participant_99_assignsubmission_file_/first.ipynb", "the roster has no 99"),
        ("Eve Nobody_99_assignsubmission_file_/first.ipynb", "nobody called 'Eve Nobody'"),
        ("vanderbergjosé_4711_1_first.ipynb", "4711 is Ada Lovelace"),
        ("anon_x1y2_1_first.ipynb", "the roster has no anon_x1y2"),
        ("first.ipynb", "nobody is called 'first'"),
        ("scan 1.ipynb", "nobody is called 'scan 1'"),
    ],
)
def test_what_is_not_plain_is_listed_with_the_reason(name: str, words: str) -> None:
    """Numbers and names that do not fit together, strangers, and names that say nothing."""
    found = _sorted(name)
    assert not found.deliveries
    assert words in found.unclear[0].reason


def test_two_of_one_name_need_a_number() -> None:
    """Both are named as who it can be; with a roster that has numbers it is plain."""
    twins = (Person("ada", "Ada Lovelace"), Person("ada2", "Ada Lovelace"))
    found = _sorted("Ada Lovelace_12_assignsubmission_file_/first.ipynb", people=twins)
    assert "can be Ada Lovelace (ada) or Ada Lovelace (ada2)" in found.unclear[0].reason
    numbered = (Person("ada", "Ada Lovelace", participant="12"), Person("ada2", "Ada Lovelace", participant="13"))
    assert list(_who(_sorted("Ada Lovelace_12_assignsubmission_file_/a.ipynb", people=numbered))) == ["ada"]


def test_one_person_in_two_of_the_platforms_folders_is_unclear() -> None:
    """Two participants of one name, one of them not in the roster: neither is taken for the other."""
    people = (Person("ada", "Ada Lovelace"),)
    found = _sorted(
        "Ada Lovelace_12_assignsubmission_file_/a.ipynb",
        "Ada Lovelace_13_assignsubmission_file_/b.ipynb",
        people=people,
    )
    assert not found.deliveries
    assert len(found.unclear) == 2


def test_an_instructor_may_say_whose_it_is() -> None:
    """By the name of the file or of its folder."""
    assert list(_who(_sorted("scan 1.ipynb", "x/first.ipynb", owners={"scan 1.ipynb": "ada", "x": "jberg"}))) == [
        "ada",
        "jberg",
    ]


def test_a_path_is_one_file_and_no_name_in_another_folder() -> None:
    """A lost `first.ipynb` is given away without the one in a student's folder."""
    found = _sorted("first.ipynb", "ada/first.ipynb", owners={"first.ipynb": "jberg"})
    assert _who(found) == {"ada": ["first.ipynb"], "jberg": ["first.ipynb"]}


@pytest.mark.parametrize(
    "name",
    ["first.ipynb", "x/first.ipynb", "x/y/first.ipynb", "Eve Nobody_99_assignsubmission_file_/a.ipynb",
     "CS1/Eve Nobody_99_assignsubmission_file_/a.ipynb", "vanderbergjosé_4711_1_first.ipynb"],
)  # fmt: skip
@pytest.mark.parametrize("others", [(), ("ada/first.ipynb", "1816/first.ipynb")])
def test_what_is_unclear_says_what_an_owner_may_be_given_by(name: str, others: tuple[str, ...]) -> None:
    """The same download, with that name, has nothing unclear; names that are not there are known as such."""
    (unclear,) = _sorted(name, *others).unclear
    found = _sorted(name, *others, owners={unclear.owned_by: "jberg", "typo": "ada"})
    assert found.unclear == ()
    assert found.named == {unclear.owned_by}
    assert "jberg" in _who(found)


@pytest.mark.parametrize("owner", ["top/x/first.ipynb", "x/first.ipynb", "top/x", "x"])
def test_an_owner_may_be_given_by_the_whole_path(owner: str) -> None:
    """As it stands in the line, with folders that are around everything."""
    found = _sorted("top/x/first.ipynb", "top/ada/first.ipynb", owners={owner: "jberg"})
    assert sorted(_who(found)) == ["ada", "jberg"]


def test_without_a_roster_folders_of_students_are_ids() -> None:
    """That is nbgrader's own layout; a file that is called like the notebook is nobody's."""
    assert list(_who(_sorted("s1/01_first/first.ipynb", "s2/01_first/first.ipynb", people=()))) == ["s1", "s2"]
    assert list(_who(_sorted("s1/first.ipynb", people=()))) == ["s1"]
    for name in ("first.ipynb", "first-1.ipynb", "first (2).ipynb", "Copy of first.ipynb"):
        assert "says nothing" in _sorted(name, people=()).unclear[0].reason


_NAME = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="/"), min_size=1, max_size=20)


@given(_NAME, st.integers(0, 10**9), st.sampled_from(["file", "onlinetext"]), st.sampled_from(["", "_"]), _NAME)
def test_a_name_that_moodle_makes_is_read_back(name: str, number: int, plugin: str, end: str, file: str) -> None:
    """Whatever people are called; Moodle puts blanks for underscores in names."""
    moodle = name.replace("_", " ")
    label = label_of((f"{moodle}_{number}_assignsubmission_{plugin}{end}", file))
    assert label is not None
    assert (label.platform, label.name, label.number, label.files) == ("moodle", moodle.strip(), str(number), (file,))


@given(_NAME, _NAME, st.integers(1, 10**9), st.integers(1, 10**9), st.booleans(), _NAME)
def test_a_name_that_canvas_makes_is_read_back(
    first: str, last: str, user: int, attachment: int, late: bool, file: str
) -> None:
    """But for names in which Canvas' own reading goes astray: underscores and digits alone."""
    member = Member(first, last, "x", "1", 1, user)
    name = canvas_name(member, attachment, file, late)
    start = name.split("_")[0]
    label = label_of((name,))
    if (
        name.count("_") - file.count("_") != (3 if late else 2)
        or start.isdigit()
        or start in ("", "late", "LATE", "anon")
    ):
        return
    assert label is not None
    assert (label.number, label.late, label.files) == (str(user), late, (file,))


@given(st.lists(st.lists(_NAME, min_size=1, max_size=4), max_size=8))
def test_no_file_is_lost_and_none_has_two_owners(paths: list[list[str]]) -> None:
    """Every file is somebody's or unclear."""
    found = _sorted(*{"/".join(parts) for parts in paths})
    given_out = [file.name for one in found.deliveries for file in one.files]
    assert len(given_out) == len(set(given_out))
    assert all(one.person in PEOPLE for one in found.deliveries)
    if not found.unclear:
        assert len(given_out) == len({"/".join(parts) for parts in paths})
