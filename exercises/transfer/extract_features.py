"""Features: what a frozen backbone says about every image, in batches."""

import copy
import functools

import torch
from torch import nn

from autograder.exercise import Case, Exercise
from exercises.transfer.shared import images, phase

exercise = Exercise(
    "extract-features",
    "extract_features(backbone, images, batch_size)",
    returns="features",
    observes=("ran", "fits", "graph", "grad_mode", "others", "modes"),
)
EVAL = exercise.criterion(
    "evaluates the backbone, whose statistics stay", 2, cases="from training*", outputs=("features", "statistics")
)
ALL = exercise.criterion(
    "one row for every image, in order, for any batch size", 1.5, cases=("last*", "batch*", "one*"), outputs="features"
)
FITS = exercise.criterion(
    "at most batch_size images at a time", 1, cases=("last*", "batches of one"), outputs=("ran", "fits")
)
GRADIENTS = exercise.criterion(
    "leaves no gradient behind, and gradients on",
    1,
    cases="last batch smaller",
    outputs=("ran", "graph", "grad_mode", "others"),
)
MODE = exercise.criterion(
    "restores the mode of the backbone", 1, cases=("from training*", "last*"), outputs=("ran", "modes")
)
MODES = exercise.criterion("restores each layer's own mode", 1, cases="mixed modes", outputs=("ran", "modes"))

@exercise.cases
def cases(g):
    def case(n, batch_size, mode, outputs, dtype=torch.float64, frozen=()):
        inputs = {"network": "backbone", "phase": phase(g), "frozen": list(frozen), "mode": mode}
        data = {"images": images(g, n, dtype), "batch_size": batch_size}
        return Case({**inputs, **data}, driver="transfer/extraction", outputs=outputs)

    left = ("ran", "modes")
    everything = ("features", "ran", "fits", "graph", "grad_mode", "others", "modes")
    yield "from training mode", case(4, 2, "train", ("features", "statistics", *left))
    yield "last batch smaller", case(5, 3, "eval", everything, frozen=("0",))
    yield "batch larger than all", case(3, 8, "eval", ("features",))
    yield "one image", case(1, 4, "eval", ("features",), torch.float32)
    yield "batches of one", case(3, 1, "eval", ("features", "ran", "fits"))
    yield "mixed modes", case(4, 2, "mixed", ("features", *left))

def in_evaluation(run):
    """The extraction `run` in evaluation mode; afterward each module has the mode that it had."""

    @functools.wraps(run)
    def extract(backbone, images, batch_size):
        modes = [module.training for module in backbone.modules()]
        backbone.eval()
        result = run(backbone, images, batch_size)
        for module, mode in zip(backbone.modules(), modes, strict=True):
            module.training = mode
        return result

    return extract

def rows(backbone, images, batch_size):
    return torch.cat([backbone(batch) for batch in torch.split(images, batch_size)])

@exercise.reference
@in_evaluation
def extract(backbone, images, batch_size):
    with torch.no_grad():
        return rows(backbone, images, batch_size)

@exercise.right
@in_evaluation
def one_by_one_inference_mode(backbone, images, batch_size):
    with torch.inference_mode():
        found = [backbone(image.unsqueeze(0))[0] for image in images]
    return torch.stack(found).clone()

@exercise.right
@in_evaluation
def rows_written_into_one_tensor(backbone, images, batch_size):
    """Into a tensor made after the first batch, whose rows are written."""
    found = None
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            part = backbone(images[start : start + batch_size])
            found = part.new_empty(len(images), part.shape[1]) if found is None else found
            found[start : start + len(part)] = part
    return found

@exercise.right
@in_evaluation
def data_loader_detached(backbone, images, batch_size):
    data = torch.utils.data.TensorDataset(images)
    return torch.cat([backbone(x).detach() for (x,) in torch.utils.data.DataLoader(data, batch_size)])

@exercise.right
def chunks_through_a_copy(backbone, images, batch_size):
    """Batches of nearly equal size, through a copy of the backbone."""
    copied = copy.deepcopy(backbone).eval()
    parts = torch.chunk(images, -(-len(images) // batch_size))
    with torch.no_grad():
        return torch.cat(list(map(copied, parts)))

@exercise.wrong(loses=EVAL)
def evaluation_mode_forgotten(backbone, images, batch_size):
    """The backbone works in the mode in which it came. In training mode, batch normalization uses each batch's own
    statistics and changes the stored ones: the same image has different features in different company."""
    with torch.no_grad():
        return rows(backbone, images, batch_size)

@exercise.wrong(loses=EVAL, costs=2.5)
@in_evaluation
def training_mode(backbone, images, batch_size):
    """The features are computed in training mode. They then depend on which images share a batch; cached features have
    to be those of evaluation mode."""
    return evaluation_mode_forgotten(backbone.train(), images, batch_size)

@exercise.wrong(loses=(MODE, MODES), costs=1.5)
def left_in_evaluation_mode(backbone, images, batch_size):
    """The backbone stays in evaluation mode. Whoever trains it next trains without dropout and with stored statistics,
    and nothing says so."""
    return evaluation_mode_forgotten(backbone.eval(), images, batch_size)

@exercise.wrong(loses=(MODE, MODES), costs=1.5)
def always_back_to_training_mode(backbone, images, batch_size):
    """The backbone always ends in training mode, even if it came in evaluation mode. Remember how it came."""
    features = left_in_evaluation_mode(backbone, images, batch_size)
    backbone.train()
    return features

@exercise.wrong(loses=MODES)
def one_mode_for_all_layers(backbone, images, batch_size):
    """All layers get the mode of the outermost one. A frozen batch normalization inside a model in training mode is
    switched on again by that."""
    mode = backbone.training
    features = left_in_evaluation_mode(backbone, images, batch_size)
    backbone.train(mode)
    return features

@exercise.wrong(loses=GRADIENTS)
@in_evaluation
def gradient_graph_kept(backbone, images, batch_size):
    """The features are still attached to the graph that leads back to the weights. It holds every intermediate result
    of every batch in memory; evaluation mode does not switch that off."""
    return rows(backbone, images, batch_size)

@exercise.wrong(loses=GRADIENTS)
@in_evaluation
def gradients_left_off(backbone, images, batch_size):
    """Gradients were switched off for the whole process and stay off: the next training in this notebook would fail.
    Switch them off for a block only."""
    torch.set_grad_enabled(False)
    return rows(backbone, images, batch_size)

@exercise.wrong(loses=GRADIENTS)
@in_evaluation
def backbone_frozen(backbone, images, batch_size):
    """The parameters of the backbone are frozen afterward. Extracting should leave no trace; whether the backbone
    trains later is another decision."""
    backbone.requires_grad_(False)
    return rows(backbone, images, batch_size)

@exercise.wrong(loses=GRADIENTS)
@in_evaluation
def backbone_unfrozen(backbone, images, batch_size):
    """All parameters of the backbone require gradients afterward, also those that were frozen before. Leave the flags
    as they are; whether gradients are recorded can be said for a block."""
    backbone.requires_grad_(False)
    features = rows(backbone, images, batch_size)
    backbone.requires_grad_(True)
    return features

@exercise.wrong(loses=ALL, costs=1.5)
def last_batch_dropped(backbone, images, batch_size):
    """The last images are missing where the number of images is no multiple of the batch size."""
    whole = max(1, len(images) // batch_size) * batch_size
    return extract(backbone, images[:whole], batch_size)

@exercise.also(last_batch_dropped)
@in_evaluation
def whole_batches_only(backbone, images, batch_size):
    with torch.no_grad():
        starts = range(0, len(images) // batch_size * batch_size, batch_size)
        return torch.cat([backbone(images[start : start + batch_size]) for start in starts])

@exercise.wrong(loses=ALL, costs=2)
@in_evaluation
def only_the_last_batch(backbone, images, batch_size):
    """All batches went through, and only the last one comes back: each took the place of the one before. Collect
    them."""
    with torch.no_grad():
        for batch in torch.split(images, batch_size):
            features = backbone(batch)
    return features

@exercise.wrong(loses=(ALL, FITS), costs=1.5)
@in_evaluation
def batches_overlap(backbone, images, batch_size):
    """The first image of each batch is the last one of the batch before, and so comes twice: a slice ends before its
    second index."""
    with torch.no_grad():
        starts = range(0, len(images), batch_size)
        return torch.cat([backbone(images[start : start + batch_size + 1]) for start in starts])

@exercise.wrong(loses=ALL, costs=2)
def only_the_first_batch(backbone, images, batch_size):
    """Only the first batch comes back. Perhaps the return stands inside the loop?"""
    return extract(backbone, images[:batch_size], batch_size)

@exercise.wrong(loses=FITS)
def all_at_once(backbone, images, batch_size):
    """More than batch_size images go through at a time: perhaps all of them, in one batch. With fifty thousand images
    there is no memory for that."""
    return extract(backbone, images, len(images))

@exercise.wrong(loses=FITS)
def so_many_batches(backbone, images, batch_size):
    """batch_size was taken as the number of batches. It is the number of images in each."""
    return extract(backbone, images, -(-len(images) // batch_size))

@exercise.wrong(loses=ALL)
def squeezed(backbone, images, batch_size):
    """Every axis of length 1 was removed. With one image that is the axis of images: its row becomes a vector."""
    return extract(backbone, images, batch_size).squeeze()

@exercise.also(squeezed)
@in_evaluation
def squeezed_batch_by_batch(backbone, images, batch_size):
    with torch.no_grad():
        return torch.cat([backbone(batch).squeeze() for batch in torch.split(images, batch_size)])

@exercise.wrong(loses=ALL, costs=1)
@in_evaluation
def batches_not_joined(backbone, images, batch_size):
    """A list of batches comes back. The exercise asks for one tensor with a row for each image."""
    with torch.no_grad():
        return [backbone(batch) for batch in torch.split(images, batch_size)]

@exercise.wrong(loses=ALL, costs=1.5)
def mean_over_the_batch(backbone, images, batch_size):
    """There is one row for each batch, its mean. The exercise asks for a row for each image."""
    return torch.stack([batch.mean(0) for batch in batches_not_joined(backbone, images, batch_size)])

@exercise.wrong(loses=ALL, costs=1)
def features_rescaled(backbone, images, batch_size):
    """Each row was scaled to length one. That may be a sensible next step, but the exercise asks for what the backbone
    says."""
    return nn.functional.normalize(extract(backbone, images, batch_size))

@exercise.wrong(loses=MODES, costs=0.5)
def modes_of_the_parts_only(backbone, images, batch_size):
    """The modes of the outermost parts were put back, and with each part all layers inside it. A layer in evaluation
    mode inside a part in training mode, as a frozen batch normalization is, was switched on again."""
    whole, parts = backbone.training, [(part, part.training) for part in backbone.children()]
    features = left_in_evaluation_mode(backbone, images, batch_size)
    backbone.training = whole
    for part, mode in parts:
        part.train(mode)
    return features

@exercise.wrong(loses=ALL, costs=1)
@in_evaluation
def batches_stacked(backbone, images, batch_size):
    """The batches were stacked along a new axis. They belong one after the other, along the axis of images; and the
    last one may be smaller."""
    with torch.no_grad():
        return torch.stack([backbone(batch) for batch in torch.split(images, batch_size)])

@exercise.wrong(loses=ALL, costs=1)
def order_reversed(backbone, images, batch_size):
    """The rows do not stand in the order of the images: row i belongs to image i."""
    return extract(backbone, images, batch_size).flip(0)

@exercise.wrong(loses=EVAL, costs=1)
@in_evaluation
def statistics_of_the_batch(backbone, images, batch_size):
    """The features are those of evaluation mode, but the stored statistics of batch normalization moved: images went
    through in training mode as well."""
    with torch.no_grad():
        features = rows(backbone, images, batch_size)
        if len(images) > 1:
            backbone.train()(images)
    return features
