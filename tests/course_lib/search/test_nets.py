"""Networks that are trained side by side are trained as each would be alone."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from course_lib.lab.models import mlp
from course_lib.search.nets import INPUTS, Population, images, on_one_thread


def test_a_stacked_network_takes_the_steps_of_torch_optim_sgd() -> None:
    """Momentum 0.9, the penalty on weights alone, a learning rate of its own for each."""
    x, y = images("train", 60)
    lr, reg = torch.tensor([0.01, 0.05]), torch.tensor([0.0, 0.1])
    nets = Population(lr, reg, hidden=7, seed=3)
    costs = torch.stack([nets.step(x[part], y[part]) for part in torch.arange(60).split(20)])
    for k in range(2):
        net = mlp(INPUTS, 7, depth=1, seed=3)
        decayed = [p for n, p in net.named_parameters() if n.endswith("weight")]
        others = [p for n, p in net.named_parameters() if not n.endswith("weight")]
        groups = [{"params": decayed, "weight_decay": float(reg[k])}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.SGD(groups, float(lr[k]), momentum=0.9)
        for step, part in enumerate(torch.arange(60).split(20)):
            loss = F.cross_entropy(net(x[part]), y[part])
            torch.testing.assert_close(costs[step, k], loss.detach())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        torch.testing.assert_close(nets.losses(x, y)[k], F.cross_entropy(net(x), y).detach())
        right = (net(x).argmax(1) == y).float().mean()
        torch.testing.assert_close(nets.accuracies(x, y)[k], right)
        torch.testing.assert_close(nets.norms()[k], torch.stack([p.norm() for p in decayed]).norm().detach())


def test_pixels_are_raw_or_standardized() -> None:
    """0 to 255 less the mean of every pixel, or mean 0 and standard deviation 1 over all."""
    raw, standardized = images("train", 2000, "raw")[0], images("train", 2000)[0]
    assert raw.shape == standardized.shape == (2000, INPUTS)
    assert float(raw.mean(0).abs().max()) < 1e-2
    assert 100 < float(raw.abs().max()) <= 255
    assert abs(float(standardized.mean())) < 1e-4
    assert abs(float(standardized.std()) - 1) < 1e-4


def test_the_number_of_threads_is_restored() -> None:
    """Also where an experiment stops with an error."""
    before = torch.get_num_threads()
    try:
        with on_one_thread():
            assert torch.get_num_threads() == 1
            raise KeyError
    except KeyError:
        pass
    assert torch.get_num_threads() == before
