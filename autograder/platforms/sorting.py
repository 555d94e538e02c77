"""Which student each file of a download is from.  Nothing is guessed: what is not plain is listed, with the reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from autograder.platforms.names import Label, label_of
from autograder.platforms.roster import Index, Person, key_of
from autograder.platforms.uploads import Refused, Upload, Uploads

__all__ = ["Delivery", "Sorted", "sort_uploads"]

MAX_OF_ONE = 200
_COPIES = ("copyof", "kopievon", "copiede", "copiade")
"""What Colab and Drive put in front of a name, as `key_of` writes it."""


@dataclass
class Delivery:
    """What one student handed in, in one download.

    Attributes:
        labels: of the files, as far as a platform wrote them.
        taken: a submission's own `timestamp.txt`, where the download has nbgrader's layout.
    """

    person: Person
    files: list[Upload] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    taken: Upload | None = None

    @property
    def late(self) -> bool | None:
        """What Canvas says; None if nobody says anything."""
        said = [label.late for label in self.labels if label.late is not None]
        return any(said) if said else None

    @property
    def has_notebook(self) -> bool:
        """Whether a notebook is among them."""
        return any(file.parts[-1].lower().endswith(".ipynb") for file in self.files)


@dataclass(frozen=True)
class Sorted:
    """A download, sorted.

    Attributes:
        unclear: what nobody got.
        platform: which platform made the download, as far as one sees.
        named: names of `owners` that are in it.
    """

    deliveries: tuple[Delivery, ...]
    unclear: tuple[Refused, ...]
    platform: str
    named: frozenset[str] = frozenset()


def sort_uploads(
    uploads: Uploads, people: Sequence[Person], assignment: str, notebook: str, owners: Mapping[str, str] | None = None
) -> Sorted:
    """Give each file to a student.

    Args:
        people: the class; where it is empty, folders of students (or files named after them) are taken for their ids.
        notebook: the released notebook's name, without `.ipynb`.
        owners: name or path of a folder or file in the download -> id, for what is unclear otherwise.
    """
    index = Index(people)
    top = _common_folder(uploads.files, index, notebook, assignment)
    known = _Owners(owners or {}, {path for upload in uploads.files for path in _paths(upload, top)})
    unclear = list(uploads.refused)
    deliveries: dict[str, Delivery] = {}
    platforms: set[str] = set()
    for upload in uploads.files:
        parts = upload.parts[top:]
        label = label_of(parts)
        if label is not None:
            platforms.add(label.platform)
        name = known.name_of(upload, top)
        if name:
            student = known.ids[name]
            found: Person | str = next((p for p in people if p.id == student), Person(student))
        else:
            found = _owner(parts, label, index, people, notebook)
        if isinstance(found, Person) and not found.id:
            found = f"{found.shown} has neither an id nor a number nor an address in the roster"
        if isinstance(found, str):
            unclear.append(Refused(upload.name, found, label.part if label is not None else parts[0]))
            continue
        delivery = deliveries.setdefault(found.id, Delivery(found))
        if label is None and parts[1:] == (assignment, "timestamp.txt"):
            delivery.taken = upload
        elif len(delivery.files) >= MAX_OF_ONE:
            unclear.append(Refused(upload.name, f"{found.shown} has more than {MAX_OF_ONE} files"))
        else:
            delivery.files.append(upload)
            if label is not None:
                delivery.labels.append(label)
    several = [delivery for delivery in deliveries.values() if _of_several(delivery)]
    for delivery in several:  # two participants cannot be one person
        names = sorted({label.part for label in delivery.labels})
        why = f"{delivery.person.shown} is found in {len(names)} folders{_same_in_roster(delivery.person, people)}"
        unclear += [Refused(name, why, name) for name in names]
        del deliveries[delivery.person.id]
    ordered = sorted((found for found in deliveries.values() if found.files), key=lambda found: found.person.id)
    return Sorted(
        tuple(ordered), tuple(_merged(unclear)), platforms.pop() if len(platforms) == 1 else "", frozenset(known.named)
    )


@dataclass
class _Owners:
    """Whose files are, as a person says.

    Attributes:
        ids: name or path -> id.
        paths: of all files: a name that is one of them is this file alone, and not one in somebody's folder.
        named: names that were found.
    """

    ids: Mapping[str, str]
    paths: set[str]
    named: set[str] = field(default_factory=set)

    def name_of(self, upload: Upload, top: int) -> str:
        """Under which name a file has an owner: its path, a folder that it is in, or its own name; empty if none."""
        if not self.ids:
            return ""
        inner = range(len(upload.parts) - 1, 0, -1)
        folders = ["/".join(upload.parts[start:end]) for end in inner for start in (top, 0) if start < end]
        parts = [part for part in upload.parts[top:] if part not in self.paths]
        found = next((name for name in (*_paths(upload, top), *folders, *parts) if name in self.ids), "")
        self.named |= {found} - {""}
        return found


def _paths(upload: Upload, top: int) -> tuple[str, str]:
    """A file's path below the folder that all are in, and the whole of it."""
    return "/".join(upload.parts[top:]), upload.name


def _of_several(delivery: Delivery) -> bool:
    return len({(label.platform, label.number) for label in delivery.labels}) > 1


def _same_in_roster(person: Person, people: Sequence[Person]) -> str:
    """Which lines of the roster make one person of several; empty if none do."""
    same = [other for other in people if other.id == person.id and other.row >= 0]
    if len(same) < 2:
        return ""
    what = "address" if person.id == person.email else "id"
    lines = " and ".join(f"{other.row + 2} ({other.name or f'{other.first} {other.last}'.strip()})" for other in same)
    return f", for lines {lines} of the roster have the same {what} {person.id}: correct one of them"


def _common_folder(files: Sequence[Upload], index: Index, notebook: str, assignment: str) -> int:
    """How many folders all files are in that say nothing about a student."""
    top = 0
    while files and all(len(file.parts) > top + 1 for file in files):
        names = {file.parts[top] for file in files}
        if len(names) != 1:
            break
        (name,) = names
        below = [file.parts[top + 1 :] for file in files]
        if label_of(files[0].parts[top:]) or index.by_text(_bare(name)):
            break
        # one student's folder, or one around everybody's?
        if all(len(parts) == 1 or parts[0] == assignment for parts in below) and not any(
            label_of(parts) or index.by_text(_stem(parts[0], notebook)) for parts in below
        ):
            break
        top += 1
    return top


def _bare(name: str) -> str:
    return name[:-4] if name.lower().endswith(".zip") else name


def _without_end(name: str) -> str:
    """A file's name without its end; `.ipynb.txt`, which some browsers make of `.ipynb`, is one end."""
    stem = PurePosixPath(name).stem
    return stem[: -len(".ipynb")] if stem.lower().endswith(".ipynb") else stem


def _stem(name: str, notebook: str) -> str:
    """A file's name without its end and without the notebook's name: `ada_first.ipynb` is Ada's."""
    stem = _without_end(name)
    for start, end in ((f"{notebook}_", ""), (f"{notebook}-", ""), ("", f"_{notebook}"), ("", f"-{notebook}")):
        if len(stem) > len(start) + len(end) and stem.startswith(start) and stem.endswith(end):
            return stem[len(start) : len(stem) - len(end)]
    return stem


def _owner(
    parts: tuple[str, ...],
    label: Label | None,
    index: Index,
    people: Sequence[Person],
    notebook: str,
) -> Person | str:
    """Whose a file is; or why that is unclear."""
    if label is not None:
        return _labelled(label, index)
    own = _bare(parts[0]) if len(parts) > 1 else _stem(parts[0], notebook)
    found = index.by_text(own)
    if not found and len(parts) == 1:
        found = index.by_text(_without_end(parts[0]))
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        return f"{own!r} can be {_listed(found)}"
    if people:
        return f"nobody is called {own!r}"
    is_notebook = key_of(own).removeprefix(key_of(notebook)).isdigit() or key_of(own) == key_of(notebook)
    if is_notebook or key_of(own).startswith(_COPIES):
        return "its name says nothing about a student"
    return Person(own, row=-2)


def _labelled(label: Label, index: Index) -> Person | str:
    """By number where the roster has numbers, else by name; both must fit together."""
    what = "participant" if label.platform == "moodle" else "canvas"
    anonymous = (
        label.platform == "moodle" and key_of(label.name) in ("participant", "teilnehmerin", "teilnehmer")
    ) or not label.name
    by_number = index.by(what, label.number)
    by_name = [] if anonymous else index.by("name", key_of(label.name)) or index.by_text(label.name)
    if len(by_number) == 1:
        (person,) = by_number
        if anonymous or key_of(label.name) in person.names or not person.names:
            return person
        return f"{label.number} is {person.shown} in the roster, not {label.name!r}: is it another assignment's roster?"
    if index.has(what) and not by_name:
        return f"the roster has no {label.number}" + (f" and nobody called {label.name!r}" if not anonymous else "")
    if anonymous:
        return f"it says only the number {label.number}: a roster with these numbers is needed"
    if len(by_name) == 1:
        (person,) = by_name
        other = getattr(person, what)
        if other and other != label.number:
            return f"{label.name!r} has the number {other} in the roster, but it says {label.number}"
        return person
    return f"{label.name!r} can be {_listed(by_name)}" if by_name else f"nobody is called {label.name!r}"


def _listed(people: Sequence[Person]) -> str:
    return " or ".join(person.shown for person in people[:4]) + (" or others" if len(people) > 4 else "")


def _merged(unclear: Sequence[Refused]) -> list[Refused]:
    """One line for the files of one folder that are unclear for one reason."""
    groups: dict[tuple[str, str], list[Refused]] = defaultdict(list)
    for one in unclear:
        folder = one.name.rpartition("/")[0]
        groups[folder or one.name, one.reason].append(one)
    merged = []
    for (folder, _), ones in groups.items():
        merged.append(ones[0] if len(ones) == 1 else replace(ones[0], name=f"{folder}/ ({len(ones)} files)"))
    return merged
