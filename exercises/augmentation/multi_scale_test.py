"""A prediction that averages over ten crops at several scales, for a model that is given."""

import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import (
    HINT_FLOAT32,
    LIBRARY_IMAGES,
    interpolated,
    picture,
    resized,
    short_side,
    ten_crops,
    ten_crops_of_mirrored,
)
from exercises.draws import uniform

exercise = Exercise(
    "multi-scale-test",
    "multi_scale_predict(model, image, sizes, crop)",
    returns="probabilities",
    forbidden=LIBRARY_IMAGES,
)
AVERAGES = exercise.criterion("averages probabilities over the ten crops", 1, cases="image's own size*")
SIZES = exercise.criterion("averages over all sizes", 1, cases=("one other size", "three sizes", "two sizes*"))
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases="image's own size*", aspect="dtype")

@exercise.cases
def cases(g):
    def case(image, sizes, crop, classes):
        pixels = len(image) * crop * crop
        # Logits of size 4 or so, centered, so that their softmax is neither flat nor one-hot.
        weight = torch.randn(classes, pixels, generator=g, dtype=torch.float64) * (16.0 / pixels**0.5)
        bias = uniform(g, -0.5, 0.5, classes) - weight.sum(1) / 2
        model = {"weight": weight.to(image.dtype), "bias": bias.to(image.dtype)}
        return Case({**model, "image": image, "sizes": sizes, "crop": crop}, driver="augmentation/linear-model")

    yield "image's own size", case(picture(g, 1, 4, 6), [4], 2, 3)
    yield "image's own size, float32", case(picture(g, 3, 8, 6, dtype=torch.float32), [6], 4, 5)
    yield "one other size", case(picture(g, 1, 2, 4), [4], 2, 3)
    yield "three sizes", case(picture(g, 2, 4, 8), [4, 6, 8], 4, 4)
    yield "two sizes, portrait, float32", case(picture(g, 3, 6, 4, dtype=torch.float32), [8, 4], 4, 3)

@exercise.reference
def vote(model, image, sizes, crop):
    """The literal formula, size by size."""
    each = []
    for size in sizes:
        powers = torch.exp(model(ten_crops(interpolated(image, *short_side(image, size)), crop)))
        each.append(powers / powers.sum(1, keepdim=True))
    return torch.cat(each).mean(0)

def all_crops(image, sizes, crop):
    return torch.cat([ten_crops(interpolated(image, *short_side(image, size)), crop) for size in sizes])

@exercise.right
def all_crops_at_once(model, image, sizes, crop):
    return model(all_crops(image, sizes, crop)).softmax(1).mean(0)

@exercise.right
def size_by_size_crops_of_the_mirrored_image(model, image, sizes, crop):
    means = []
    with torch.no_grad():
        for size in sizes:
            enlarged = resized(image, *short_side(image, size), align_corners=False, antialias=True)
            means.append(torch.softmax(model(ten_crops_of_mirrored(enlarged, crop)), dim=-1).mean(dim=0))
    return torch.stack(means).mean(0)

@exercise.right
def logsumexp(model, image, sizes, crop):
    logs = model(all_crops(image, sizes, crop)).log_softmax(1)
    return torch.exp(torch.logsumexp(logs, 0)) / len(logs)

@exercise.right
def einsum(model, image, sizes, crop):
    powers = model(all_crops(image, sizes, crop)).exp()
    return torch.einsum("nk,n->k", powers, 1 / powers.sum(1)) / len(powers)

def mean_vote(model, crops):
    return model(crops).softmax(1).mean(0)

@exercise.wrong(loses=(AVERAGES, SIZES))
def logits_averaged(model, image, sizes, crop):
    """The logits were averaged and the softmax taken at the end. Then one crop with a large logit outvotes all others;
    average the probabilities."""
    return model(all_crops(image, sizes, crop)).mean(0).softmax(0)

@exercise.wrong(loses=(AVERAGES, SIZES))
def softmax_forgotten(model, image, sizes, crop):
    """The result is a mean of logits and not a distribution: its numbers do not add up to 1."""
    return model(all_crops(image, sizes, crop)).mean(0)

@exercise.wrong(loses=(AVERAGES, SIZES))
def softmax_over_crops(model, image, sizes, crop):
    """The softmax runs over the crops, so every class gets the same number. It belongs over the
    classes of each crop."""
    return model(all_crops(image, sizes, crop)).softmax(0).mean(0)

@exercise.wrong(loses=(AVERAGES, SIZES))
def summed_not_averaged(model, image, sizes, crop):
    """The probabilities were added up and not divided by the number of crops and sizes: they should add up to 1."""
    return model(all_crops(image, sizes, crop)).softmax(1).sum(0)

@exercise.wrong(loses=(AVERAGES, SIZES))
def most_confident_crop(model, image, sizes, crop):
    """Each class gets its highest probability over all crops. That lets the strangest crop decide; a
    mean is asked for."""
    return model(all_crops(image, sizes, crop)).softmax(1).amax(0)

@exercise.wrong(loses=(AVERAGES, SIZES))
def one_vote_per_crop(model, image, sizes, crop):
    """Each crop votes for one class. That throws away how sure it is; average the probabilities."""
    each = model(all_crops(image, sizes, crop)).softmax(1)
    return (each == each.amax(1, keepdim=True)).to(each).mean(0)

def all_fives(image, sizes, crop):
    """The corners, then the center, size by size."""
    return torch.cat([ten_crops(interpolated(image, *short_side(image, size)), crop)[:5] for size in sizes])

@exercise.wrong(loses=(AVERAGES, SIZES))
def five_crops(model, image, sizes, crop):
    """The mirror images are missing: five crops are averaged at each size, not ten."""
    return mean_vote(model, all_fives(image, sizes, crop))

@exercise.wrong(loses=(AVERAGES, SIZES))
def centre_crop_only(model, image, sizes, crop):
    """Only the centre crop is used at each size. The corners and the mirror images vote too."""
    return mean_vote(model, all_fives(image, sizes, crop)[4::5])

@exercise.wrong(loses=(AVERAGES, SIZES))
def mirrored_upside_down(model, image, sizes, crop):
    """The mirror images stand on their heads. The model never saw such images in training."""
    five = all_fives(image, sizes, crop)
    return mean_vote(model, torch.cat([five, five.flip(-2)]))

@exercise.wrong(loses=SIZES)
def first_size_only(model, image, sizes, crop):
    """Only the first size is used. Every size contributes ten crops."""
    return mean_vote(model, all_crops(image, sizes[:1], crop))

@exercise.wrong(loses=SIZES)
def last_size_only(model, image, sizes, crop):
    """Only the last size counts: was the result overwritten in the loop?"""
    return mean_vote(model, all_crops(image, sizes[-1:], crop))

@exercise.wrong(loses=SIZES)
def never_resized(model, image, sizes, crop):
    """The crops come from the image at its own size. At each size the image is resized first."""
    return mean_vote(model, ten_crops(image, crop))

@exercise.wrong(loses=(AVERAGES, SIZES))
def aspect_lost(model, image, sizes, crop):
    """The image was resized to a square. Only its short side gets the size; the aspect stays."""
    return mean_vote(model, torch.cat([ten_crops(interpolated(image, size, size), crop) for size in sizes]))

@exercise.wrong(loses=SIZES)
def corners_aligned(model, image, sizes, crop):
    """The average is right, but the image was resized with the centres of its corner pixels laid upon each other. Use
    your function for the short side."""
    enlarged = [resized(image, *short_side(image, size), align_corners=True) for size in sizes]
    return mean_vote(model, torch.cat([ten_crops(each, crop) for each in enlarged]))

@exercise.wrong(loses=DTYPE, hint=HINT_FLOAT32)
def always_float32(model, image, sizes, crop):
    return all_crops_at_once(model, image, sizes, crop).float()
