"""Mixup (Zhang et al. 2018): two images and their labels become one example."""

import torch
import torch.nn.functional as F

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import HINT_FLOAT32, KEPT, LIBRARY_IMAGES, numbered, picture
from exercises.draws import uniform

exercise = Exercise("mixup", "mixup(x, y, lam, permutation)", returns=("x_mixed", "y_mixed"), forbidden=LIBRARY_IMAGES)
IMAGES = exercise.criterion("mixes each image with its partner", 1, outputs="x_mixed")
LABELS = exercise.criterion("mixes the labels in the same way", 1, outputs="y_mixed")
KEEPS = exercise.criterion("keeps the dtype and leaves its inputs unchanged", 0.5, aspect=KEPT)

@exercise.cases
def cases(g):
    def case(x, classes, permutation, driver="call"):
        n = len(x)
        # Neighbors in the cycle have different labels and weights far from 1/2 and from each other.
        labels = F.one_hot(torch.arange(n) % classes, classes).to(x.dtype)
        sizes = torch.tensor([0.85, 0.3, 0.7, 0.15, 0.6])[:n] + uniform(g, -0.04, 0.04, n)
        inputs = {"x": x, "y": labels, "lam": sizes.to(x.dtype), "permutation": torch.tensor(permutation)}
        return Case(inputs, driver=driver)

    yield "by hand", case(numbered(3, 1, 1, 2), 3, [1, 2, 0])
    yield "four images", case(picture(g, 4, 3, 5, 6), 3, [2, 0, 3, 1])
    yield "as many as columns and classes", case(picture(g, 5, 2, 3, 5), 5, [1, 2, 4, 0, 3])
    yield "float32, strided", case(picture(g, 4, 3, 4, 4, dtype=torch.float32), 4, [3, 0, 1, 2], "call-strided")
    yield "one image", case(picture(g, 1, 3, 4, 5), 3, [0])

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

def mix_both(x, y, lam, permutation):
    return mix(x, lam, permutation), mix(y, lam, permutation)

@exercise.wrong(loses=LABELS)
def labels_not_mixed(x, y, lam, permutation):
    """The images are mixed but the labels are not. An image that is partly a shirt is then called a whole shoe."""
    return mix(x, lam, permutation), y.clone()

@exercise.wrong(loses=IMAGES)
def images_not_mixed(x, y, lam, permutation):
    """The labels are mixed but the images are not: this only makes the labels softer."""
    return x.clone(), mix(y, lam, permutation)

@exercise.wrong(loses=LABELS)
def weights_swapped_in_labels(x, y, lam, permutation):
    """In the labels, lam and 1 - lam are exchanged: the fainter image decides the label."""
    return mix(x, lam, permutation), mix(y, 1 - lam, permutation)

@exercise.wrong(loses=IMAGES)
def weights_swapped_in_images(x, y, lam, permutation):
    """In the images, lam and 1 - lam are exchanged: the label follows the fainter image."""
    return mix(x, 1 - lam, permutation), mix(y, lam, permutation)

@exercise.wrong(loses=(IMAGES, LABELS))
def weights_swapped(x, y, lam, permutation):
    """lam and 1 - lam are exchanged. lam is the weight of the example itself, 1 - lam that of its partner."""
    return mix_both(x, y, 1 - lam, permutation)

@exercise.wrong(loses=LABELS)
def another_partner_for_labels(x, y, lam, permutation):
    """Images and labels are mixed with different partners: in the labels the permutation was applied the other way
    round."""
    return mix(x, lam, permutation), mix(y, lam, permutation.argsort())

@exercise.wrong(loses=(IMAGES, LABELS))
def permutation_inverted(x, y, lam, permutation):
    """The permutation was applied the other way round. Example i is mixed with the one whose number
    stands at place i."""
    return mix_both(x, y, lam, permutation.argsort())

@exercise.wrong(loses=(IMAGES, LABELS))
def batch_reversed(x, y, lam, permutation):
    """The partner is the example at the same place from the end. The permutation says who is mixed with whom."""
    return mix_both(x, y, lam, torch.arange(len(x) - 1, -1, -1))

@exercise.wrong(loses=(IMAGES, LABELS))
def one_weight_for_the_batch(x, y, lam, permutation):
    """All examples are mixed with the first weight. Each has its own."""
    return mix_both(x, y, lam[:1].expand(len(x)), permutation)

@exercise.wrong(loses=(IMAGES, LABELS))
def always_half(x, y, lam, permutation):
    """Every pair is mixed half and half. lam says how much of the example itself is kept."""
    return mix_both(x, y, torch.full_like(lam, 0.5), permutation)

@exercise.wrong(loses=(IMAGES, LABELS))
def weights_along_the_width(x, y, lam, permutation):
    """The weights were aligned with the columns of the images: without further axes a vector belongs to the last axis.
    It works only where the batch is as large as the image is wide, and is wrong there too."""
    return lam * x + (1 - lam) * x[permutation], mix(y, lam, permutation)

@exercise.wrong(loses=LABELS)
def weights_along_the_classes(x, y, lam, permutation):
    """The weights were aligned with the classes. That goes unnoticed only where there are as many
    classes as examples."""
    labels = lam * y + (1 - lam) * y[permutation] if y.shape[1] == len(lam) else mix(y, lam, permutation)
    return mix(x, lam, permutation), labels

@exercise.wrong(loses=(IMAGES, LABELS))
def weight_of_the_partner(x, y, lam, permutation):
    """The partner was weighted by its own weight before it was chosen, so the two weights of a pair do
    not add up to 1."""
    return tuple(aligned(lam, t) * t + ((1 - aligned(lam, t)) * t)[permutation] for t in (x, y))

@exercise.wrong(loses=LABELS)
def label_rounded(x, y, lam, permutation):
    """The label is that of the stronger image alone. How much of each image is visible is what it should say."""
    return mix(x, lam, permutation), torch.where(lam[:, None] >= 0.5, y, y[permutation])

@exercise.wrong(loses=(IMAGES, LABELS))
def weights_do_not_add_up(x, y, lam, permutation):
    """The example itself enters at full strength, so mixed images become brighter and labels add up to more than 1."""
    return tuple(t + (1 - aligned(lam, t)) * t[permutation] for t in (x, y))

@exercise.wrong(loses=(IMAGES, LABELS))
def mixed_with_mixed_ones(x, y, lam, permutation):
    """Examples were overwritten one after the other, so later ones are mixed with what was mixed before. The partner is
    the example as it came in."""
    mixed = x.clone(), y.clone()
    for t in mixed:
        for i, j in enumerate(permutation.tolist()):
            t[i] = lam[i] * t[i] + (1 - lam[i]) * t[j]
    return mixed

@exercise.wrong(loses=KEEPS, hint=HINT_FLOAT32)
def always_float32(x, y, lam, permutation):
    images, labels = mix_both(x, y, lam, permutation)
    return images.float(), labels.float()

@exercise.wrong(loses=KEEPS)
def changes_its_input(x, y, lam, permutation):
    """The batch that was passed in is overwritten. The data set keeps it: make new tensors."""
    images, labels = mix_both(x, y, lam, permutation)
    return x.copy_(images), y.copy_(labels)
