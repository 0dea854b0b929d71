"""Training: determinism, resume, failures, keeping the better network, recalibration."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.arch import IMAGE, Arch, Builder
from nas.data import Dataset, Loader, to_input
from nas.errors import InputError, TooManyFailuresError
from nas.net import Network, Supernet
from nas.space import smallest
from nas.training import Recipe, accuracy, fine_tune, loop, recalibrate, recalibrated, train_supernet
from nas.training.optimizer import make_optimizer
from tests.net.zoo import SPACE
from tests.training.helpers import SHORT, Killed, kill_at, same


def test_fine_tuning_learns_resumes_and_leaves_its_argument(data: Dataset, tmp_path: Path) -> None:
    network = Network(SPACE.build(smallest), seed=2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    path = tmp_path / "finetune.safetensors"
    recipe = dataclasses.replace(SHORT, epochs=12, lr=0.1)
    with pytest.raises(Killed):
        fine_tune(network, data, recipe, seed=0, checkpoint=path, progress=kill_at(30))
    resumed = fine_tune(network, data, recipe, seed=0, checkpoint=path)
    whole = fine_tune(network, data, recipe, seed=0)
    assert same(resumed, whole)
    assert accuracy(whole, data.val, data) > 0.4
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_the_better_of_before_and_after_is_kept(data: Dataset) -> None:
    good = fine_tune(Network(SPACE.build(smallest)), data, SHORT, seed=0)
    ruinous = dataclasses.replace(SHORT, epochs=1, lr=50.0)
    kept = fine_tune(good, data, ruinous, seed=0)
    assert same(kept, good)


def test_a_teacher_is_followed(data: Dataset) -> None:
    network = Network(SPACE.build(smallest))
    always_two = torch.nn.functional.one_hot(torch.tensor(2), 10).float() * 20
    recipe = dataclasses.replace(SHORT, distill=1.0, lr=0.1)
    trained = fine_tune(network, data, recipe, seed=0, teacher=lambda x: always_two.expand(len(x), 10))
    x = to_input(torch.from_numpy(data.val.take(np.arange(200))), data, size_px=16)
    assert accuracy(trained, data.val, data) < 0.3 or (network(x).argmax(1) == 2).float().mean() < 0.3


def test_a_loss_that_is_never_finite_is_given_up(data: Dataset) -> None:
    def nan(x: torch.Tensor) -> torch.Tensor:
        return torch.full((len(x), 10), torch.nan)

    with pytest.raises(TooManyFailuresError, match="not finite 10 times"):
        fine_tune(Network(SPACE.build(smallest)), data, SHORT, seed=0, teacher=nan)


def test_a_single_bad_step_leaves_no_trace_but_half_the_rate(data: Dataset, tmp_path: Path, monkeypatch) -> None:
    path, calls, notes, rates = tmp_path / "c.safetensors", [], [], []
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    step = torch.optim.SGD.step

    def watched(self, *arguments):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.SGD, "step", watched)

    def once(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return torch.full((len(x), 10), torch.nan if len(calls) == 3 else 0.0)

    def told(stage: str, done: int, total: int, note: str) -> None:
        notes.append(note)
        kill_at(20)(stage, done, total, note)

    network, recipe = Network(SPACE.build(smallest)), Recipe(steps=24, batch=32, lr=0.05)
    with pytest.raises(Killed):
        fine_tune(network, data, recipe, seed=0, teacher=once, checkpoint=path, progress=told)
    trained = fine_tune(network, data, recipe, seed=0, teacher=once, checkpoint=path)
    assert all(tensor.isfinite().all() for tensor in trained.state_dict().values())
    assert "rate x 0.5" in notes[-1]
    expected = [recipe.lr_at(step, 24) for step in range(24)]
    halved = [rate / 2 for rate in expected]
    assert rates == pytest.approx([*expected[:2], *halved[3:20], *halved[19:]])  # killed before step 20 was saved


def test_it_stops_where_it_is_told_to(data: Dataset) -> None:
    seen = []

    def enough(epochs: int, network: Network) -> bool:
        seen.append((epochs, network.training))
        return epochs == 2

    fine_tune(Network(SPACE.build(smallest)), data, SHORT, seed=0, after_epoch=enough)
    assert seen == [(1, True), (2, True)]


def test_a_network_without_statistics_is_not_scored(data: Dataset) -> None:
    with pytest.raises(InputError, match="scored without recalibration"):
        accuracy(Network(SPACE.build(smallest)), data.val, data)


def test_a_loader_scores_like_its_split(data: Dataset) -> None:
    images = to_input(torch.from_numpy(data.train.take(np.arange(64))), data, size_px=16)
    network = recalibrated(Network(SPACE.build(smallest)), images)
    assert accuracy(network, Loader(data.val), data) == accuracy(network, data.val, data)


def test_a_teacher_reads_its_own_resolution(data: Dataset) -> None:
    seen = []

    class Watched(Network):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.shape[-1])
            return super().forward(x)

    teacher = Watched(dataclasses.replace(SPACE, sizes_px=(24,)).build(smallest)).eval()
    fine_tune(Network(SPACE.build(smallest)), data, Recipe(steps=1, batch=32), seed=0, teacher=teacher)
    assert seen == [24]


def test_too_few_images_are_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="384 training images are fewer than a batch of 512"):
        train_supernet(SPACE, data, dataclasses.replace(SHORT, batch=512), seed=0)


def test_recalibrated_statistics_are_those_of_the_images(data: Dataset) -> None:
    network = Network(SPACE.build(smallest))
    x = to_input(torch.from_numpy(data.train.take(np.arange(384))), data, size_px=16)
    stem = torch.nn.functional.conv2d(x, network.tensors()["stem.weight"], stride=2, padding=1)
    mean, var = recalibrate(network, network.arch, x)["stem"]
    torch.testing.assert_close(mean, stem.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(var, stem.var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-5)
    assert torch.equal(recalibrated(network, x).tensors()["stem.mean"], mean)


def test_weight_decay_spares_depthwise_weights_biases_and_batch_norm() -> None:
    network = Network(SPACE.build(smallest))
    assert _decayed(network) == {name for name in network.state_dict() if _dense(name)}


def test_weight_decay_spares_depthwise_weights_of_every_network_of_a_supernet() -> None:
    supernet = Supernet(SPACE.build(smallest), _depthwise_only())
    assert "other.depthwise.weight" in supernet.state_dict()
    assert _decayed(supernet) == {name for name in supernet.state_dict() if _dense(name)}


def _decayed(module: Network | Supernet) -> set[str]:
    groups = make_optimizer(module, SHORT).param_groups
    found = [parameter for group in groups if group["weight_decay"] for parameter in group["params"]]
    return {name for name, parameter in module.named_parameters() if any(parameter is p for p in found)}


def _dense(name: str) -> bool:
    return name.endswith("weight") and "depthwise" not in name


def _depthwise_only() -> Arch:
    """A network with a layer that no member of `SPACE` has."""
    net = Builder(size_px=16, image_channels=1)
    x = net.conv("stem", IMAGE, net.width("stem", 8), kernel=3, stride=2)
    x = net.depthwise("other.depthwise", x, kernel=3)
    return net.classify(net.pool("pool", x), classes=10)
