"""Which transformation keeps which label right? The answer is a table, or a function that makes one."""

import functools

from autograder.exercise import Case, Exercise

exercise = Exercise(
    "label-preserving",
    "LABEL_PRESERVING",
    returns="preserved",
    dtype="an entry is True or False",
    inputs="nothing is handed in that could be changed",
    tells=False,
)
FLIPS = exercise.criterion("mirror images", 0.5, cases="horizontal flip*")
ROTATIONS = exercise.criterion("rotations", 0.5, cases="rotation*")
OTHERS = exercise.criterion("colors and positions", 0.5, cases=("shift*", "slightly*", "green*"))

FLIP = "horizontal flip"
HALF = "rotation by 180 degrees"
SLIGHT = "rotation by 10 degrees"
SHIFT = "shift by two pixels"

# Flips and rotations, then colors and positions: every group has pairs of both kinds.
KEPT = {
    ("digits", FLIP): False,
    ("clothing", FLIP): True,
    ("animals", FLIP): True,
    ("left and right arrows", FLIP): False,
    ("digits", SLIGHT): True,
    ("digits", HALF): False,
    ("animals", SLIGHT): True,
    ("cells under a microscope", HALF): True,
    ("digits", SHIFT): True,
    ("position of the digit", SHIFT): False,
    ("animals", "slightly brighter"): True,
    ("ripeness of tomatoes", "green turned to red"): False,
}

@exercise.cases
def cases(g):
    del g  # nothing is drawn: the pairs are given
    for task, transformation in KEPT:
        inputs = {"task": task, "transformation": transformation}
        yield f"{transformation}: {task}", Case(inputs, driver="augmentation/table-entry")

@exercise.reference
class Table:
    LABEL_PRESERVING = KEPT

@exercise.right
def a_function_that_makes_the_table():
    return dict(KEPT)

@exercise.right
class OnesAndZeros:
    LABEL_PRESERVING = {pair: int(kept) for pair, kept in KEPT.items()}

@exercise.right
class WithFurtherPairs:
    LABEL_PRESERVING = {**KEPT, ("faces", FLIP): True}

def table(answer):
    """The right table with other answers where `answer(task, transformation)` has one."""

    @functools.wraps(answer)
    def make():
        given = {pair: answer(*pair) for pair in KEPT}
        return {pair: kept if given[pair] is None else given[pair] for pair, kept in KEPT.items()}

    return make

@exercise.wrong(loses=(FLIPS, ROTATIONS, OTHERS))
@table
def everything_allowed(task, transformation):
    """According to this table every transformation keeps every label. Look for one after which a person would give
    another answer."""
    return True

@exercise.wrong(loses=(FLIPS, ROTATIONS, OTHERS))
@table
def nothing_allowed(task, transformation):
    """According to this table no transformation keeps a label; then nothing could be augmented. Would a person give
    another answer for the changed image?"""
    return False

@exercise.wrong(loses=(FLIPS, ROTATIONS, OTHERS))
@table
def yes_and_no_exchanged(task, transformation):
    """Yes and no are exchanged throughout: True stands for a label that stays right."""
    return not KEPT[task, transformation]

@exercise.wrong(loses=FLIPS)
@table
def flips_always_safe(task, transformation):
    """Mirror images are allowed for every task. Some labels do not survive a mirror: try it with a 2, or with a sign
    that points somewhere."""
    return True if transformation == FLIP else None

@exercise.wrong(loses=FLIPS)
@table
def flips_never_safe(task, transformation):
    """Mirror images are forbidden for every task. A cat seen in a mirror is still a cat."""
    return False if transformation == FLIP else None

@exercise.wrong(loses=ROTATIONS)
@table
def rotations_never_safe(task, transformation):
    """Rotations are forbidden for every task. Held a little askew, most things are what they were."""
    return False if transformation in (SLIGHT, HALF) else None

def one_pair(name, loses, pair, hint):
    """A single entry is wrong."""

    def make():
        return {**KEPT, pair: not KEPT[pair]}

    make.__name__ = name
    return exercise.wrong(loses=loses, costs=0.25, hint=hint)(make)

one_pair(
    "flip_of_arrows_overlooked", FLIPS, ("left and right arrows", FLIP),
    "In a mirror an arrow to the left points to the right, and that is what its label says.",
)
one_pair(
    "flip_of_digits_overlooked", FLIPS, ("digits", FLIP),
    "A digit in a mirror is usually not a digit: think of 2, 3 and 7. What holds for a few digits is not enough.",
)
one_pair(
    "flip_of_clothing_forbidden", FLIPS, ("clothing", FLIP),
    "Mirror images of clothing are forbidden. A shoe that points to the other side, or a shirt with its pocket on the "
    "other side, is still a shoe and a shirt.",
)
one_pair(
    "flip_of_animals_forbidden", FLIPS, ("animals", FLIP),
    "Mirror images of animals are forbidden. A cat seen in a mirror is still a cat.",
)
one_pair(
    "six_and_nine_overlooked", ROTATIONS, ("digits", HALF),
    "A digit upside down can be another digit: think of 6 and 9.",
)
one_pair(
    "half_turn_under_the_microscope_forbidden", ROTATIONS, ("cells under a microscope", HALF),
    "Half turns of cells are forbidden. Under a microscope there is no up and no down.",
)
one_pair(
    "slanted_digits_forbidden", ROTATIONS, ("digits", SLIGHT),
    "Slight rotations of digits are forbidden. Many people write that slanted, and a 4 a little askew is a 4.",
)
one_pair(
    "slanted_animals_forbidden", ROTATIONS, ("animals", SLIGHT),
    "Slight rotations of animals are forbidden. Nobody holds a camera quite level, and the animal stays the same.",
)
one_pair(
    "position_overlooked", OTHERS, ("position of the digit", SHIFT),
    "A digit that was moved is the same digit, but where it is has changed, and here that is the label.",
)
one_pair(
    "shift_of_digits_forbidden", OTHERS, ("digits", SHIFT),
    "Shifts of digits are forbidden. A 4 is still a 4 in any corner of the image.",
)
one_pair(
    "color_overlooked", OTHERS, ("ripeness of tomatoes", "green turned to red"),
    "The ripeness of a tomato is seen by its color, and the transformation changes it.",
)
one_pair(
    "brighter_animals_forbidden", OTHERS, ("animals", "slightly brighter"),
    "Slightly brighter images of animals are forbidden. In another light the animal is the same.",
)
