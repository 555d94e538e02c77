"""Which transfer fits: the lecture's table of how much data there is and how similar it is."""

from autograder.exercise import Exercise

exercise = Exercise(
    "choose-strategy",
    "choose_strategy(much_data, similar)",
    returns="strategy",
    dtype="a strategy is a text",
    inputs="yes and no cannot be changed",
    tells=False,
)
# Each criterion needs both of its cells, so that a constant answer earns nothing.
LITTLE = exercise.criterion("with little data", 1.5, cases="little*")
MUCH = exercise.criterion("with much data", 1.5, cases="much*")

@exercise.cases
def cases(g):
    for much in (False, True):
        for similar in (False, True):
            name = f"{'much' if much else 'little'} data, {'similar' if similar else 'different'}"
            yield name, {"much_data": much, "similar": similar}

TOP, EARLIER, FEW, MANY = (
    "linear classifier on the top features",
    "linear classifier on features of earlier layers",
    "fine-tune a few layers",
    "fine-tune many layers",
)
"""The four cells of the lecture's table, as the notebook names them."""

@exercise.reference
def choose(much_data, similar):
    return {(False, True): TOP, (False, False): EARLIER, (True, True): FEW, (True, False): MANY}[much_data, similar]

@exercise.right
def nested_conditions(much_data, similar):
    if much_data:
        return FEW if similar else MANY
    return TOP if similar else EARLIER

@exercise.right
def an_index(much_data, similar):
    return (EARLIER, TOP, MANY, FEW)[2 * int(much_data) + int(similar)]

@exercise.right
def pattern_matching(much_data, similar):
    match much_data, similar:
        case True, True:
            return FEW
        case True, _:
            return MANY
        case _, True:
            return TOP
    return EARLIER

@exercise.wrong(loses=(LITTLE, MUCH), costs=1.5)
def arguments_exchanged(much_data, similar):
    """The two questions are exchanged: how much data there is decides whether the backbone may move at all."""
    return choose(similar, much_data)

@exercise.wrong(loses=(LITTLE, MUCH), costs=2)
def similarity_reversed(much_data, similar):
    """Similar and different are exchanged. The more the new images differ, the fewer of the pretrained layers fit, and
    it is the top ones that do not."""
    return choose(much_data, not similar)

@exercise.wrong(loses=(LITTLE, MUCH), costs=2)
def amount_reversed(much_data, similar):
    """Much and little are exchanged. A few images cannot determine millions of weights."""
    return choose(not much_data, similar)

@exercise.wrong(loses=(LITTLE, MUCH))
def opposite_corner(much_data, similar):
    """Each answer belongs to the opposite corner of the table."""
    return choose(not much_data, not similar)

@exercise.wrong(loses=LITTLE)
def trouble_fine_tuned(much_data, similar):
    """Little data and different images: many layers do not fit, and a few images cannot retrain them. Fine-tuning
    would learn them by heart."""
    return MANY if not (much_data or similar) else choose(much_data, similar)

@exercise.wrong(loses=(LITTLE, MUCH))
def similarity_ignored(much_data, similar):
    """Only the amount of data was looked at. Top features are made for the source's classes; whether they help depends
    on how similar the images are."""
    return FEW if much_data else TOP

@exercise.wrong(loses=(LITTLE, MUCH))
def amount_ignored(much_data, similar):
    """Only the similarity was looked at. Whether weights can be moved without overfitting is a matter of how many
    images there are."""
    return TOP if similar else MANY

@exercise.wrong(loses=MUCH)
def more_moves_when_similar(much_data, similar):
    """With much data, similar images need the smaller change: most of the pretrained layers fit already."""
    return choose(much_data, similar != much_data)

@exercise.wrong(loses=LITTLE)
def top_features_for_different_images(much_data, similar):
    """With little data, top features suit similar images. They are the most specific to the source; what transfers to
    different images lies further down."""
    return choose(much_data, similar) if much_data else (EARLIER if similar else TOP)

@exercise.wrong(loses=LITTLE)
def top_features_whatever_comes(much_data, similar):
    """With little data it depends on the similarity which features help. The top ones are made for the source's
    classes; what transfers to different images lies further down."""
    return choose(much_data, similar) if much_data else TOP

@exercise.wrong(loses=LITTLE)
def few_layers_for_few_images(much_data, similar):
    """Little data and different images: even a few layers have more weights than a few images can determine. What stays
    possible is a linear classifier, on features that are less specific to the source."""
    return FEW if not (much_data or similar) else choose(much_data, similar)

@exercise.wrong(loses=LITTLE)
def fine_tuned_although_similar(much_data, similar):
    """Little data and similar images: the top features fit as they are, and fine-tuning would learn the few images by
    heart."""
    return FEW if similar and not much_data else choose(much_data, similar)

@exercise.wrong(loses=MUCH)
def a_few_layers_whatever_comes(much_data, similar):
    """With much data the number of layers depends on the similarity: the more the images differ, the more of the
    pretrained layers have to move."""
    return FEW if much_data else choose(much_data, similar)

@exercise.wrong(loses=MUCH)
def many_layers_whatever_comes(much_data, similar):
    """With much data the number of layers depends on the similarity: where the images are similar, most of the
    pretrained layers fit already."""
    return MANY if much_data else choose(much_data, similar)

@exercise.wrong(loses=(LITTLE, MUCH), costs=1)
def names_of_the_constants(much_data, similar):
    """The names of the constants come back as text. Return the constants themselves, without quotes."""
    names = {TOP: "LINEAR_ON_TOP", EARLIER: "LINEAR_ON_EARLIER", FEW: "TUNE_FEW", MANY: "TUNE_MANY"}
    return names[choose(much_data, similar)]
