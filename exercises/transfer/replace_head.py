"""A new head: another last linear layer, and nothing else."""

import torch
from torch import nn

from autograder.exercise import Case, Exercise
from exercises.transfer.shared import images, phase

NEW = ("by hand", "head*", "two*", "blocks*", "everything*")

exercise = Exercise(
    "replace-head",
    "replace_head(model, num_classes)",
    returns="model",
    dtype="the dtype of the new layer is a criterion of its own",
    inputs="the model is there to be changed",
    observes=("shape", "trainable", "fresh", "others", "modes", "returned", "dtype"),
)
# Handing back the model unchanged leaves features and flags as they are, hence shape or logits everywhere.
LAYER = exercise.criterion("the last linear layer gives num_classes outputs", 2, cases=NEW, outputs="shape")
REST = exercise.criterion(
    "everything else stays as it is", 2, cases=NEW, outputs=("features", "others", "modes", "logits")
)
FRESH = exercise.criterion(
    "the new layer is new, whatever the number of classes", 0.5, cases=(*NEW, "shared*"), outputs=("fresh", "shape")
)
TRAINS = exercise.criterion(
    "the new layer can be trained", 0.5, cases="everything frozen", outputs=("trainable", "shape")
)
RETURNS = exercise.criterion("returns the model", 0.5, cases=NEW, outputs="returned")
DTYPE = exercise.criterion(
    "the new layer has the dtype and the device of the model", 0.5, cases="float64", outputs=("shape", "dtype")
)

OUTPUTS = ("features", "logits", "shape", "trainable", "fresh", "others", "modes", "returned")

@exercise.cases
def cases(g):
    def case(net, classes, frozen=None, dtype=torch.float32, outputs=OUTPUTS):
        inputs = {"network": net, "phase": phase(g), "frozen": frozen or [], "num_classes": classes}
        return Case({**inputs, "images": images(g, 2, dtype)}, driver="transfer/replaced-head", outputs=outputs)

    yield "by hand", case("sequential", 2)
    yield "head called fc", case("fc", 5)
    yield "head in blocks, dropout behind it", case("nested", 6)
    yield "two layers in the classifier", case("classifier", 4, ["features"])
    yield "blocks in blocks", case("head", 7, ["backbone.0"])
    yield "shared layers, as many classes as before", case("shared", 3)
    yield "everything frozen", case("fc", 2, [""])
    yield "float64", case("fc", 4, dtype=torch.float64, outputs=("features", "shape", "dtype"))

def find_head(model):
    """Name and module of the last linear layer."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)][-1]

def put(model, name, module):
    owner, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(owner), attribute, module)
    return model

def new_layer(old, num_classes, features=None):
    weight = old.weight
    inputs = old.in_features if features is None else features
    return nn.Linear(inputs, num_classes, old.bias is not None, device=weight.device, dtype=weight.dtype)

@exercise.reference
def replace(model, num_classes):
    name, old = find_head(model)
    return put(model, name, new_layer(old, num_classes))

@exercise.right
def recursion(model, num_classes):
    for name, child in reversed(list(model.named_children())):
        if isinstance(child, nn.Linear):
            setattr(model, name, nn.Linear(child.in_features, num_classes).to(child.weight))
            return model
        if any(isinstance(module, nn.Linear) for module in child.modules()):
            recursion(child, num_classes)
            return model
    return model

@exercise.right
def lazy_layer(model, num_classes):
    name, old = find_head(model)
    return put(model, name, nn.LazyLinear(num_classes, device=old.weight.device, dtype=old.weight.dtype))

@exercise.right
def new_parameters_in_the_old_layer(model, num_classes):
    """The layer stays, its parameters and its size are new."""
    _, head = find_head(model)
    head.weight = nn.Parameter(torch.randn(num_classes, head.in_features).to(head.weight) * 0.01)
    head.bias = nn.Parameter(torch.zeros(num_classes).to(head.weight))
    head.out_features = num_classes
    return model

@exercise.right
def through_the_dictionaries_zeros(model, num_classes):
    """Through the dictionaries of modules, starting from zero."""
    _, old = find_head(model)
    new = new_layer(old, num_classes)
    nn.init.zeros_(new.weight)
    for module in model.modules():
        for name in module._modules:
            if module._modules[name] is old:
                module._modules[name] = new
    return model

@exercise.wrong(loses=(LAYER, REST), costs=6)
def old_layer_still_there(model, num_classes):
    """The last linear layer is still the old one. If only its attribute out_features was changed: that is a label for
    printing, the weight keeps its shape, and the layer computes what it did before."""
    find_head(model)[1].out_features = num_classes
    return model

@exercise.wrong(loses=REST, costs=2)
def layer_appended(model, num_classes):
    """A layer was put after the old head. It sees the scores of the old classes instead of the features below them,
    and everything that those scores leave out is lost."""
    _, old = find_head(model)
    return nn.Sequential(model, new_layer(old, num_classes, old.out_features))

@exercise.wrong(loses=(LAYER, REST), costs=3)
def head_assumed_to_be_fc(model, num_classes):
    """The new layer becomes the attribute fc. That is its name in a ResNet; elsewhere the head is called classifier or
    head, or is the last entry of a sequence."""
    return put(model, "fc", new_layer(model.fc, num_classes))

@exercise.wrong(loses=(LAYER, REST), costs=2)
def only_direct_children(model, num_classes):
    """The head was looked for among the direct children of the model. Where it lies inside of a block nothing was
    replaced: children are one level, modules are all."""
    names = [name for name, child in model.named_children() if isinstance(child, nn.Linear)]
    return put(model, names[-1], new_layer(model.get_submodule(names[-1]), num_classes)) if names else model

@exercise.also(only_direct_children)
def last_of_the_direct_children(model, num_classes):
    name, old = [(name, child) for name, child in model.named_children() if isinstance(child, nn.Linear)][-1]
    return put(model, name, new_layer(old, num_classes))

@exercise.wrong(loses=(LAYER, REST), costs=1.5)
def dotted_name_for_an_attribute(model, num_classes):
    """The new layer was hung onto the model itself, under a name with dots in it. The old head still lies in its block,
    and nobody calls the new one: a dotted name is a path, and its last part is the attribute of the block."""
    name, old = find_head(model)
    setattr(model, name, new_layer(old, num_classes))
    return model

@exercise.wrong(loses=(LAYER, REST), costs=2.5)
def children_put_into_a_sequence(model, num_classes):
    """The model was taken apart into its children, and these were put together as a sequence. What the model does
    between them is lost by that (a mean over the image, say), and a head in a block is not found: change the model that
    came in."""
    *body, old = model.children()
    return nn.Sequential(*body, new_layer(old, num_classes, old.in_features))

@exercise.also(children_put_into_a_sequence)
def children_but_the_last_in_a_sequence(model, num_classes):
    return nn.Sequential(*list(model.children())[:-1], new_layer(find_head(model)[1], num_classes))

@exercise.wrong(loses=REST, costs=1.5)
def whole_block_replaced(model, num_classes):
    """The model's last part was replaced as a whole. In a VGG that part is several layers, and those before the last
    one are pretrained too."""
    name, child = list(model.named_children())[-1]
    first = next(module for module in child.modules() if isinstance(module, nn.Linear))
    return put(model, name, new_layer(first, num_classes))

@exercise.also(whole_block_replaced)
def last_part_replaced_by_the_head(model, num_classes):
    name, _ = list(model.named_children())[-1]
    return put(model, name, new_layer(find_head(model)[1], num_classes))

@exercise.wrong(loses=(LAYER, REST), costs=2.5)
def another_linear_replaced(model, num_classes):
    """A linear layer in front of the head has been replaced, perhaps all of them. In a model with several, the head is
    the last, and only the head is new."""
    name, old = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear))
    return put(model, name, new_layer(old, num_classes))

@exercise.wrong(loses=REST, costs=1)
def rest_frozen(model, num_classes):
    """The other layers were frozen on the way. Whether they train is another decision; here they keep the state that
    they had."""
    return replace(model.requires_grad_(False), num_classes)

@exercise.wrong(loses=(REST, TRAINS), costs=2)
def frozen_after_replacing(model, num_classes):
    """The whole model was frozen after the head had been replaced, the new head included. Training would stop with:
    element 0 of tensors does not require grad."""
    return replace(model, num_classes).requires_grad_(False)

@exercise.wrong(loses=REST, costs=1)
def all_unfrozen(model, num_classes):
    """Layers that were frozen train again. Only the new layer has to."""
    return replace(model, num_classes).requires_grad_(True)

@exercise.wrong(loses=REST, costs=1)
def mode_changed(model, num_classes):
    """Other layers are in another mode than before: was the model put into training or evaluation mode on the way?
    Which mode it is in is decided elsewhere."""
    return replace(model, num_classes).train()

@exercise.wrong(loses=FRESH)
def old_weights_kept(model, num_classes):
    """The new layer starts from rows of the old one. They belong to other classes: row 0 was a tench and is to be your
    first class."""
    _, old = find_head(model)
    replace(model, num_classes)
    _, new = find_head(model)
    with torch.no_grad():
        rows = min(len(old.weight), num_classes)
        new.weight[:rows] = old.weight[:rows]
    return model

@exercise.wrong(loses=FRESH)
def kept_where_the_size_fits(model, num_classes):
    """Where the number of classes is the same as before the old head was kept. Its classes are not yours, even if there
    are as many."""
    return model if find_head(model)[1].out_features == num_classes else replace(model, num_classes)

@exercise.wrong(loses=REST, costs=1)
def softmax_added(model, num_classes):
    """A softmax follows the new layer. The loss (cross-entropy) has one inside: with two of them gradients become small
    and no prediction becomes certain."""
    name, old = find_head(model)
    return put(model, name, nn.Sequential(new_layer(old, num_classes), nn.Softmax(dim=1)))

@exercise.wrong(loses=RETURNS)
def model_not_returned(model, num_classes):
    """The model does not come back. Without a return a function gives None; and the new layer alone is not the
    model."""
    replace(model, num_classes)

@exercise.wrong(loses=REST, costs=2)
def everything_reset(model, num_classes):
    """The other layers lost their pretrained values. Then nothing is transferred: change one layer of the model that
    came in, and initialize nothing else."""
    # Every layer starts afresh, as after building the model anew with another number of classes.
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
    return replace(model, num_classes)

@exercise.wrong(loses=DTYPE)
def always_float32(model, num_classes):
    """The new layer is float32 on the CPU wherever the model is. In a float64 model, and likewise on a GPU, the first
    forward pass fails."""
    name, old = find_head(model)
    return put(model, name, nn.Linear(old.in_features, num_classes, old.bias is not None))

@exercise.wrong(loses=(LAYER, REST), costs=2.5)
def head_guessed_by_name(model, num_classes):
    """The head was looked for under the names that it often has, fc, classifier or head. Names are habits: here it is
    found by what it is, the last linear layer among all modules."""
    for name in ("fc", "classifier", "head"):
        part = getattr(model, name, None)
        if isinstance(part, nn.Linear):
            return put(model, name, new_layer(part, num_classes))
        if isinstance(part, nn.Sequential):
            part[-1] = new_layer(part[-1], num_classes)
            return model
    raise ValueError("no head")

@exercise.also(head_guessed_by_name)
def head_guessed_by_name_or_left(model, num_classes):
    try:
        return head_guessed_by_name(model, num_classes)
    except ValueError:
        return model

@exercise.wrong(loses=(LAYER, REST), costs=1.5)
def last_entry_of_the_last_part(model, num_classes):
    """The head was taken to be the last part of the model, or the last entry of that part. It can lie deeper, and it
    need not come last: dropout may follow. Walk through all modules and take the last linear one."""
    name, child = list(model.named_children())[-1]
    if isinstance(child, nn.Sequential):
        child[-1] = new_layer(child[-1], num_classes)
        return model
    return put(model, name, new_layer(child, num_classes))

@exercise.wrong(loses=(LAYER, REST), costs=1)
def only_two_levels(model, num_classes):
    """The head was looked for among the children and their children. In blocks within blocks it lies deeper: modules
    are all levels."""
    found = [(owner, name, m) for owner in (model, *model.children()) for name, m in owner.named_children()]
    owner, name, old = [place for place in found if isinstance(place[2], nn.Linear)][-1]
    setattr(owner, name, new_layer(old, num_classes))
    return model
