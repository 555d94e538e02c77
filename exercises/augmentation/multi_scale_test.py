"""A prediction that averages over ten crops at several scales, for a model that is given."""

import functools

import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import (
    LIBRARY_IMAGES,
    interpolated,
    numbered,
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

@exercise.cases
def cases(g):
    def case(image, sizes, crop, classes):
        pixels = len(image) * crop * crop
        # Logits of size 4 or so, centered, so that their softmax is neither flat nor one-hot.
        weight = torch.randn(classes, pixels, generator=g, dtype=torch.float64) * (16.0 / pixels**0.5)
        bias = uniform(g, -0.5, 0.5, classes) - weight.sum(1) / 2
        model = {"weight": weight.to(image.dtype), "bias": bias.to(image.dtype)}
        return Case({**model, "image": image, "sizes": sizes, "crop": crop}, driver="augmentation/linear-model")

    # Logits of whole and half numbers; corners at the top are corners at the bottom.
    weight = torch.tensor([[10.0, -10, 5, 0], [0, 5, -10, 10]], dtype=torch.float64)
    model = {"weight": weight, "bias": torch.tensor([0.5, -1.0], dtype=torch.float64)}
    inputs = {**model, "image": numbered(1, 2, 4), "sizes": [2], "crop": 2}
    yield "image's own size, by hand", Case(inputs, driver="augmentation/linear-model")
    yield "two sizes, by hand", Case({**inputs, "sizes": [2, 4]}, driver="augmentation/linear-model")
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

def counted(combine):
    """What `combine` makes of the logits of all crops, (M, K)."""

    @functools.wraps(combine)
    def answer(model, image, sizes, crop):
        return combine(model(all_crops(image, sizes, crop)))

    return answer

def size_by_size(combine):
    """The mean over the sizes of what `combine` makes of the logits of ten crops, (10, K)."""

    def answer(model, image, sizes, crop):
        return torch.stack([combine(model(all_crops(image, [size], crop))) for size in sizes]).mean(0)

    return answer

@exercise.wrong(loses=AVERAGES)
@counted
def logits_averaged(logits):
    """The logits of the crops were averaged and the softmax taken of their mean. Then one crop with a large logit
    outvotes all others; average the probabilities."""
    return logits.mean(0).softmax(0)

exercise.also(logits_averaged)(size_by_size(logits_averaged.__wrapped__))

@exercise.wrong(loses=AVERAGES)
@counted
def softmax_forgotten(logits):
    """The result is a mean of logits and not a distribution: its numbers do not add up to 1."""
    return logits.mean(0)

@exercise.wrong(loses=AVERAGES, costs=0.75)
@counted
def logarithms_averaged(logits):
    """The result is a mean of logarithms: its numbers are negative. Average the probabilities themselves."""
    return logits.log_softmax(1).mean(0)

@exercise.wrong(loses=AVERAGES, costs=0.75)
@counted
def geometric_mean(logits):
    """The probabilities were averaged by their logarithms, which is the geometric mean. Its numbers add up to less
    than 1, and one crop that rules a class out decides. Average the probabilities themselves."""
    return logits.log_softmax(1).mean(0).exp()

@exercise.wrong(loses=AVERAGES, costs=0.75)
@counted
def softmax_over_crops(logits):
    """The softmax runs over the crops, so every class gets the same number. It belongs over the classes of each
    crop."""
    return logits.softmax(0).mean(0)

exercise.also(softmax_over_crops)(size_by_size(softmax_over_crops.__wrapped__))

@exercise.wrong(loses=AVERAGES, costs=0.75)
@counted
def softmax_twice(logits):
    """The averaged probabilities went through a softmax again, which makes them nearly equal. They add up to 1
    already."""
    return logits.softmax(1).mean(0).softmax(0)

@exercise.wrong(loses=AVERAGES, costs=0.5)
@counted
def summed_not_averaged(logits):
    """The probabilities of the crops were added up and not divided by how many crops there are, ten for each size: they
    should add up to 1."""
    return logits.softmax(1).sum(0)

exercise.also(summed_not_averaged)(size_by_size(summed_not_averaged.__wrapped__))

@exercise.wrong(loses=AVERAGES, costs=0.5)
@counted
def not_averaged(logits):
    """There is a row of probabilities for each crop. Their mean is asked for, one number for each class."""
    return logits.softmax(1)

@exercise.wrong(loses=AVERAGES, costs=0.5)
@counted
def averaged_over_classes(logits):
    """The mean was taken over the classes, where it says nothing: it is the same for each crop. Average over the
    crops."""
    return logits.softmax(1).mean(1)

@exercise.wrong(loses=AVERAGES)
@counted
def most_confident_crop(logits):
    """Each class gets its highest probability over all crops. That lets the strangest crop decide; a mean is asked
    for."""
    return logits.softmax(1).amax(0)

@exercise.wrong(loses=AVERAGES)
@counted
def one_vote_per_crop(logits):
    """Each crop votes for one class. That throws away how sure it is; average the probabilities."""
    return (logits == logits.amax(1, keepdim=True)).to(logits).mean(0)

def all_fives(image, sizes, crop):
    """The corners, then the center, size by size."""
    return torch.cat([ten_crops(interpolated(image, *short_side(image, size)), crop)[:5] for size in sizes])

@exercise.wrong(loses=AVERAGES, costs=0.5)
def five_crops(model, image, sizes, crop):
    """The mirror images are missing: five crops are averaged at each size, not ten."""
    return mean_vote(model, all_fives(image, sizes, crop))

@exercise.wrong(loses=AVERAGES, costs=0.75)
def center_crop_only(model, image, sizes, crop):
    """Only the center crop is used at each size. The corners and the mirror images vote too."""
    return mean_vote(model, all_fives(image, sizes, crop)[4::5])

@exercise.wrong(loses=AVERAGES, costs=0.5)
def mirrored_upside_down(model, image, sizes, crop):
    """The mirror images are upside down. The model never saw such images in training."""
    five = all_fives(image, sizes, crop)
    return mean_vote(model, torch.cat([five, five.flip(-2)]))

@exercise.wrong(loses=SIZES, costs=0.75)
def first_size_only(model, image, sizes, crop):
    """Only the first size is used. Every size contributes ten crops."""
    return mean_vote(model, all_crops(image, sizes[:1], crop))

@exercise.wrong(loses=SIZES, costs=0.75)
def last_size_only(model, image, sizes, crop):
    """Only the last size counts: was the result overwritten in the loop?"""
    return mean_vote(model, all_crops(image, sizes[-1:], crop))

@exercise.wrong(loses=SIZES)
def never_resized(model, image, sizes, crop):
    """The crops come from the image at its own size. At each size the image is resized first."""
    return mean_vote(model, ten_crops(image, crop))

@exercise.wrong(loses=SIZES, costs=0.5)
def resized_again_and_again(model, image, sizes, crop):
    """Each size was made from the image of the size before, which blurs it more and more. Start from the original image
    every time."""
    votes = []
    for size in sizes:
        image = interpolated(image, *short_side(image, size))
        votes.append(mean_vote(model, ten_crops(image, crop)))
    return torch.stack(votes).mean(0)

@exercise.wrong(loses=SIZES, costs=0.5)
def summed_over_sizes(model, image, sizes, crop):
    """The votes of the sizes were added up and not divided by how many there are: with one size all is well, with three
    the probabilities add up to 3."""
    return mean_vote(model, all_crops(image, sizes, crop)) * len(sizes)

def halved_in_turn(model, crops_of_sizes):
    mean = mean_vote(model, crops_of_sizes[0])
    for crops in crops_of_sizes[1:]:
        mean = (mean + mean_vote(model, crops)) / 2
    return mean

@exercise.wrong(loses=SIZES, costs=0.5)
def later_sizes_count_more(model, image, sizes, crop):
    """Each size was averaged with the mean so far, so the last one counts as much as all others together. With more
    than two sizes all have to count the same."""
    return halved_in_turn(model, [all_crops(image, [size], crop) for size in sizes])

@exercise.also(later_sizes_count_more)
def halved_from_the_start(model, image, sizes, crop):
    votes = [mean_vote(model, all_crops(image, [size], crop)) for size in sizes]
    return functools.reduce(lambda mean, vote: (mean + vote) / 2, votes, torch.zeros_like(votes[0]))

@exercise.both(later_sizes_count_more, five_crops)
def later_sizes_and_five_crops(model, image, sizes, crop):
    return halved_in_turn(model, [all_fives(image, [size], crop) for size in sizes])

@exercise.wrong(loses=SIZES, costs=0.75)
def aspect_lost(model, image, sizes, crop):
    """The image was resized to a square. Only its short side gets the size; the aspect stays."""
    return mean_vote(model, torch.cat([ten_crops(interpolated(image, size, size), crop) for size in sizes]))

@exercise.wrong(loses=SIZES, costs=0.25)
def corners_aligned(model, image, sizes, crop):
    """The average is right, but the image was resized with the centers of its corner pixels laid upon each other. Use
    your function for the short side."""
    enlarged = [resized(image, *short_side(image, size), align_corners=True) for size in sizes]
    return mean_vote(model, torch.cat([ten_crops(each, crop) for each in enlarged]))

@exercise.both(five_crops, summed_over_sizes)
def five_crops_summed_over_sizes(model, image, sizes, crop):
    return five_crops(model, image, sizes, crop) * len(sizes)

for which, sizes_of in ((first_size_only, lambda sizes: sizes[:1]), (last_size_only, lambda sizes: sizes[-1:])):
    for wrongly in (logits_averaged, softmax_forgotten, five_crops):
        exercise.both(which, wrongly)(
            lambda model, image, sizes, crop, sizes_of=sizes_of, wrongly=wrongly: (
                wrongly(model, image, sizes_of(sizes), crop)
            )
        )
