"""Accuracy on images that lie ready: the deployed computation classifies as torch does."""

from __future__ import annotations

import math
import pickle
import random

import pytest
import torch

from nas.accuracy import ValidationScore, accuracy, inputs, require_statistics, scoring
from nas.accuracy.scoring import PLAIN, Smoothing, share_correct, smoothing_of
from nas.accuracy.validation import validation_inputs
from nas.errors import InputError
from nas.net import Network, Supernet, network_of, slice_weights
from nas.space import largest, smallest, uniform
from nas.training import recalibrated
from tests.net.zoo import SPACE

SMALL = SPACE.build(smallest)


def images(data) -> torch.Tensor:
    return inputs.calibration_images(data, images=32, seed=0, device="cpu").whole(16)


@pytest.mark.parametrize("seed", range(3))
def test_the_deployed_computation_scores_as_torch_does(data, seed: int) -> None:
    network = recalibrated(Network(SPACE.build(uniform(random.Random(seed))), seed=seed), images(data))
    assert share_correct(network, validation_inputs(data, device="cpu")) == accuracy(network, data.val, data)


def drawn(data, seed: int) -> Network:
    return recalibrated(Network(SPACE.build(uniform(random.Random(seed))), seed=seed), images(data))


def scaled(network: Network, factor: float) -> Network:
    """The same answers, all logits multiplied."""
    with torch.no_grad():
        network.get_parameter("classifier.weight").mul_(factor)
        network.get_parameter("classifier.bias").mul_(factor)
    return network


@pytest.mark.parametrize("smooth", [0.1, 0.5, 2.0])
def test_a_smoothing_gives_its_own_network_the_plain_share(data, smooth: float) -> None:
    network, found = drawn(data, 1), validation_inputs(data, device="cpu")
    smoothing = smoothing_of(network, found, smooth=smooth)
    assert share_correct(network, found, smoothing) == pytest.approx(share_correct(network, found))


@pytest.mark.parametrize("factor", [0.01, 0.5, 20.0])
def test_a_smoothed_share_does_not_depend_on_the_size_of_the_logits(data, factor: float) -> None:
    network, found = drawn(data, 2), validation_inputs(data, device="cpu")
    before = share_correct(network, found, Smoothing(smooth=0.5, shift=0.1))
    after = share_correct(scaled(network, factor), found, Smoothing(smooth=0.5, shift=0.1))
    assert after == pytest.approx(before, abs=1e-4)


def test_no_smoothing_is_the_plain_share(data) -> None:
    network, found = drawn(data, 2), validation_inputs(data, device="cpu")
    assert smoothing_of(network, found, smooth=0.0) == PLAIN
    assert share_correct(network, found, PLAIN) == accuracy(network, data.val, data)


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.8, 0.97])
def test_of_normal_margins_the_smoothed_share_is_an_estimate_of_the_share(share: float, monkeypatch) -> None:
    margins = torch.special.ndtri(torch.linspace(0, 1, 4003, dtype=torch.float64)[1:-1])
    margins = 3 * (margins + float(torch.special.ndtri(torch.tensor(share, dtype=torch.float64))))
    monkeypatch.setattr(scoring, "_answers", lambda *_: (margins, int((margins > 0).sum())))
    plain, smoothed = (share_correct(None, None, one) for one in (PLAIN, Smoothing(smooth=0.5, shift=0.0)))
    assert plain == pytest.approx(share, abs=1e-3)
    assert smoothed == pytest.approx(share, abs=5e-3)


def test_a_smoothed_share_moves_with_every_margin(data) -> None:
    """A change too small to turn an answer changes it."""
    network, found = drawn(data, 3), validation_inputs(data, device="cpu")
    smoothing = smoothing_of(network, found)
    plain, smoothed = share_correct(network, found), share_correct(network, found, smoothing)
    with torch.no_grad():
        network.get_parameter("classifier.bias")[0] += 1e-4
    assert share_correct(network, found) == plain
    assert share_correct(network, found, smoothing) != smoothed


@pytest.mark.parametrize("shift", [-50.0, 50.0])
def test_a_smoothed_share_stays_a_share(data, shift: float) -> None:
    network, found = drawn(data, 4), validation_inputs(data, device="cpu")
    assert 0 <= share_correct(network, found, Smoothing(smooth=1.0, shift=shift)) <= 1


def test_a_network_without_numbers_has_no_share(data) -> None:
    network, found = drawn(data, 5), validation_inputs(data, device="cpu")
    with torch.no_grad():
        network.get_parameter("classifier.bias")[0] = torch.nan
    smoothing = smoothing_of(network, found)
    assert smoothing.shift == 0
    assert all(math.isnan(share_correct(network, found, one)) for one in (PLAIN, smoothing))


def test_a_network_that_says_one_thing_of_all_images_is_scored_plainly(data) -> None:
    network, found = scaled(drawn(data, 6), 0.0), validation_inputs(data, device="cpu")
    smoothing = smoothing_of(network, found)
    assert smoothing.shift == 0
    assert share_correct(network, found, smoothing) == share_correct(network, found)


def test_scores_of_a_reference_are_smoothed(data) -> None:
    reference = drawn(data, 7)
    before = {name: tensor.clone() for name, tensor in reference.tensors().items()}
    smoothed, plain = ValidationScore(data, images=32, reference=reference), ValidationScore(data, images=32)
    assert all(torch.equal(before[name], tensor) for name, tensor in reference.tensors().items())
    assert smoothed(drawn(data, 7)) == pytest.approx(plain(drawn(data, 7)))
    assert smoothed(drawn(data, 1)) != plain(drawn(data, 1))


def test_a_slice_without_statistics_is_refused(data) -> None:
    supernet = Supernet(SPACE.build(largest), seed=0)
    network = network_of(SMALL, slice_weights(supernet.arch, supernet.tensors(), SMALL))
    for score in (
        lambda: accuracy(network, data.val, data),
        lambda: share_correct(network, validation_inputs(data, device="cpu")),
        lambda: require_statistics(network),
    ):
        with pytest.raises(InputError, match="without recalibration"):
            score()
    require_statistics(recalibrated(network, images(data)))


def test_a_network_is_recalibrated_before_it_is_scored(data) -> None:
    network = Network(SMALL, seed=1)
    assert 0 <= ValidationScore(data, images=32)(network) <= 1
    require_statistics(network)


def test_images_are_the_same_whole_in_batches_and_too_many_to_keep(data, monkeypatch) -> None:
    found = inputs.Inputs(data.val, data, device="cpu")
    whole = found.whole(16)
    assert whole.shape == (70, 1, 16, 16)
    assert found.whole(16) is whole
    assert torch.equal(torch.cat(list(found.batches(16, batch=32))), whole)
    assert found.whole(12).shape[-1] == 12
    sent = pickle.loads(pickle.dumps(found))  # noqa: S301 - its own
    assert torch.equal(sent.whole(16), whole)
    monkeypatch.setattr(inputs, "KEPT_BYTES", 100)
    other = inputs.Inputs(data.val, data, device="cpu")
    assert [len(batch) for batch in other.batches(16, batch=32)] == [32, 32, 6]
    assert torch.equal(torch.cat(list(other.batches(16, batch=32))), whole)
    assert other.whole(16) is not other.whole(16)


def test_the_seed_alone_chooses_the_images_of_the_recalibration(data) -> None:
    one, same, other = (inputs.calibration_images(data, images=8, seed=s, device="cpu").whole(16) for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
