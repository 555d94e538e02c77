"""Mixup (Zhang et al. 2018): two images and their labels become one example."""

import functools

import torch
import torch.nn.functional as F

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, numbered, picture
from exercises.draws import uniform

exercise = Exercise(
    "mixup",
    "mixup(x, y, lam, permutation)",
    returns=("x_mixed", "y_mixed"),
    forbidden=LIBRARY_IMAGES,
    layout=0.25,
)
IMAGES = exercise.criterion("mixes each image with its partner", 1, outputs="x_mixed")
LABELS = exercise.criterion("mixes the labels in the same way", 0.75, outputs="y_mixed")

@exercise.cases
def cases(g):
    def case(x, classes, permutation, lam, driver="call"):
        # Neighbors in the cycle have different labels and weights far from 1/2 and from each other.
        labels = F.one_hot(torch.arange(len(x)) % classes, classes).to(x.dtype)
        inputs = {"x": x, "y": labels, "lam": lam.to(x.dtype), "permutation": torch.tensor(permutation)}
        return Case(inputs, driver=driver)

    def weights(n):
        return torch.tensor([0.85, 0.3, 0.7, 0.15, 0.6]).double()[:n] + uniform(g, -0.04, 0.04, n)

    # As many examples as columns and classes: a weight in the wrong place raises no error.
    by_hand = torch.tensor([0.8, 0.25, 0.6], dtype=torch.float64)
    yield "by hand", case(numbered(3, 1, 1, 3), 3, [1, 2, 0], by_hand)
    yield "four images, one by itself", case(picture(g, 4, 3, 5, 6), 3, [2, 1, 3, 0], weights(4))
    yield "as many as columns and classes", case(picture(g, 5, 2, 3, 5), 5, [1, 2, 4, 0, 3], weights(5))
    square = picture(g, 4, 3, 4, 4, dtype=torch.float32)
    yield "float32, strided", case(square, 4, [3, 0, 1, 2], weights(4), "call-strided")
    yield "one image", case(picture(g, 1, 3, 4, 5), 3, [0], weights(1))

@exercise.reference
def example_by_example(x, y, lam, permutation):
    images = [lam[i] * x[i] + (1 - lam[i]) * x[j] for i, j in enumerate(permutation.tolist())]
    labels = [lam[i] * y[i] + (1 - lam[i]) * y[j] for i, j in enumerate(permutation.tolist())]
    return torch.stack(images), torch.stack(labels)

@exercise.right
def reshaped_weights(x, y, lam, permutation):
    of_images, of_labels = lam.view(-1, 1, 1, 1), lam.view(-1, 1)
    return of_images * x + (1 - of_images) * x[permutation], of_labels * y + (1 - of_labels) * y[permutation]

@exercise.right
def lerp(x, y, lam, permutation):
    def mixed(t):
        weight = lam.reshape(-1, *[1] * (t.ndim - 1)).expand_as(t)
        return torch.lerp(t.index_select(0, permutation), t, weight)

    return mixed(x), mixed(y)

@exercise.right
def a_mixing_matrix(x, y, lam, permutation):
    matrix = torch.diag(lam) + torch.diag(1 - lam) @ F.one_hot(permutation, len(x)).to(lam.dtype)
    return torch.einsum("nm,mchw->nchw", matrix, x), matrix @ y

@exercise.right
def numpy_axes_reversed(x, y, lam, permutation):
    a, order = lam.numpy(), permutation.numpy()
    mixed = [(t.numpy().T * a + t.numpy()[order].T * (1 - a)).T for t in (x, y)]
    return [torch.from_numpy(t.copy()) for t in mixed]

def aligned(lam, t):
    """The weights (N,), to be matched with images or labels."""
    return lam.reshape(-1, *[1] * (t.ndim - 1))

def mix(t, lam, permutation):
    return aligned(lam, t) * t + (1 - aligned(lam, t)) * t[permutation]

def both_alike(mixed):
    """Images and labels mixed in the same wrong way, `mixed(t, lam, permutation)`."""

    @functools.wraps(mixed)
    def answer(x, y, lam, permutation):
        return mixed(x, lam, permutation), mixed(y, lam, permutation)

    return answer

def images_by(mixed):
    """Images mixed in a wrong way."""

    @functools.wraps(mixed)
    def answer(x, y, lam, permutation):
        return mixed(x, lam, permutation), mix(y, lam, permutation)

    return answer

def labels_by(mixed):
    """Labels mixed in a wrong way."""

    @functools.wraps(mixed)
    def answer(x, y, lam, permutation):
        return mix(x, lam, permutation), mixed(y, lam, permutation)

    return answer

@exercise.wrong(loses=LABELS)
@labels_by
def labels_not_mixed(t, lam, permutation):
    """The images are mixed but the labels are not. An image that is partly a shirt is then called a whole shoe."""
    return t.clone()

exercise.also(labels_not_mixed)(labels_by(lambda t, lam, permutation: t[permutation]))

@exercise.wrong(loses=IMAGES)
@images_by
def images_not_mixed(t, lam, permutation):
    """The images come back as they are, not mixed with their partners. Then soft labels alone would only make the
    network less sure."""
    return t.clone()

@exercise.wrong(loses=LABELS, costs=0.5)
@labels_by
def weights_swapped_in_labels(t, lam, permutation):
    """In the labels, lam and 1 - lam are exchanged: the fainter image decides the label."""
    return mix(t, 1 - lam, permutation)

@exercise.wrong(loses=IMAGES, costs=0.5)
@images_by
def weights_swapped_in_images(t, lam, permutation):
    """In the images, lam and 1 - lam are exchanged: lam is the weight of the example itself."""
    return mix(t, 1 - lam, permutation)

@exercise.wrong(loses=(IMAGES, LABELS), costs=0.75)
@both_alike
def weights_swapped(t, lam, permutation):
    """lam and 1 - lam are exchanged. lam is the weight of the example itself, 1 - lam that of its partner."""
    return mix(t, 1 - lam, permutation)

@exercise.wrong(loses=LABELS, costs=0.5)
@labels_by
def another_partner_for_labels(t, lam, permutation):
    """Images and labels are mixed with different partners: in the labels the permutation was applied the other way
    around."""
    return mix(t, lam, permutation.argsort())

def reversed_batch(t, lam, permutation):
    return mix(t, lam, torch.arange(len(t) - 1, -1, -1))

@exercise.wrong(loses=LABELS, costs=0.5)
@labels_by
def labels_of_the_reversed_batch(t, lam, permutation):
    """The images have the right partners, but each label is mixed with the one at the same place from the end. The
    permutation holds for both: a label belongs to its image."""
    return reversed_batch(t, lam, permutation)

@exercise.wrong(loses=IMAGES, costs=0.5)
@images_by
def images_of_the_reversed_batch(t, lam, permutation):
    """The labels have the right partners, but each image is mixed with the one at the same place from the end. The
    permutation holds for both: a label belongs to its image."""
    return reversed_batch(t, lam, permutation)

@exercise.wrong(loses=(IMAGES, LABELS), costs=0.5)
@both_alike
def permutation_inverted(t, lam, permutation):
    """The permutation was applied the other way around. Example i is mixed with the one whose number stands at place
    i."""
    return mix(t, lam, permutation.argsort())

@exercise.wrong(loses=(IMAGES, LABELS), costs=0.75)
@both_alike
def batch_reversed(t, lam, permutation):
    """The partner is the example at the same place from the end. The permutation says who is mixed with whom."""
    return mix(t, lam, torch.arange(len(t) - 1, -1, -1))

@exercise.wrong(loses=(IMAGES, LABELS), costs=0.75)
@both_alike
def next_one_as_partner(t, lam, permutation):
    """The partner is the example before or after it in the batch. The permutation says who is mixed with whom."""
    return mix(t, lam, torch.arange(len(t)).roll(1))

exercise.also(next_one_as_partner)(both_alike(lambda t, lam, permutation: mix(t, lam, torch.arange(len(t)).roll(-1))))

@exercise.wrong(loses=(IMAGES, LABELS), costs=0.75)
@both_alike
def one_weight_for_the_batch(t, lam, permutation):
    """All examples are mixed with the same weight, the first one or the mean of all. Each has its own."""
    return mix(t, lam[:1].expand(len(t)), permutation)

exercise.also(one_weight_for_the_batch)(
    both_alike(lambda t, lam, permutation: mix(t, lam.mean().expand(len(t)), permutation))
)

@exercise.wrong(loses=(IMAGES, LABELS), costs=1)
@both_alike
def always_half(t, lam, permutation):
    """Every pair is mixed half and half. lam says how much of the example itself is kept."""
    return mix(t, torch.full_like(lam, 0.5), permutation)

@exercise.wrong(loses=(IMAGES, LABELS), costs=0.5)
@both_alike
def larger_weight_for_itself(t, lam, permutation):
    """The larger of lam and 1 - lam went to the example itself. Some libraries do that; here lam is its weight whether
    large or small."""
    return mix(t, torch.maximum(lam, 1 - lam), permutation)

@exercise.wrong(loses=(IMAGES, LABELS), costs=0.5)
def results_exchanged(x, y, lam, permutation):
    """The mixed labels come first and the mixed images second. It is the other way around."""
    return mix(y, lam, permutation), mix(x, lam, permutation)

def unaligned(t, lam, permutation):
    return lam * t + (1 - lam) * t[permutation]

@exercise.wrong(loses=IMAGES, costs=0.75)
@images_by
def weights_along_the_width(t, lam, permutation):
    """The weights were aligned with the columns of the images: without further axes a vector belongs to the last axis.
    It works only where the batch is as large as the image is wide, and is wrong there too."""
    return unaligned(t, lam, permutation)

@exercise.wrong(loses=LABELS, costs=0.5)
@labels_by
def weights_along_the_classes(t, lam, permutation):
    """The weights were aligned with the classes. That goes unnoticed only where there are as many classes as
    examples."""
    return unaligned(t, lam, permutation)

exercise.both(weights_along_the_width, weights_along_the_classes)(both_alike(unaligned))

@exercise.wrong(loses=(IMAGES, LABELS), costs=0.75)
@both_alike
def weight_of_the_partner(t, lam, permutation):
    """The partner was weighted by its own weight before it was chosen, so the two weights of a pair do not add up to
    1."""
    return aligned(lam, t) * t + ((1 - aligned(lam, t)) * t)[permutation]

@exercise.wrong(loses=LABELS)
@labels_by
def label_rounded(t, lam, permutation):
    """The label is that of the stronger image alone. How much of each image is visible is what it should say."""
    return torch.where(lam[:, None] >= 0.5, t, t[permutation])

@exercise.wrong(loses=(IMAGES, LABELS), costs=0.75)
@both_alike
def weights_do_not_add_up(t, lam, permutation):
    """The example itself enters at full strength, so mixed images become brighter and labels add up to more than 1."""
    return t + (1 - aligned(lam, t)) * t[permutation]

def one_after_the_other(t, lam, permutation):
    mixed = t.clone()
    for i, j in enumerate(permutation.tolist()):
        mixed[i] = lam[i] * mixed[i] + (1 - lam[i]) * mixed[j]
    return mixed

@exercise.wrong(loses=IMAGES, costs=0.5)
@images_by
def mixed_with_mixed_ones(t, lam, permutation):
    """Examples were overwritten one after the other, so later ones are mixed with what was mixed before. The partner is
    the example as it came in."""
    return one_after_the_other(t, lam, permutation)

exercise.also(mixed_with_mixed_ones)(both_alike(one_after_the_other))
