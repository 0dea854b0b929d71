from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from nas.arch import from_json
from nas.data import MemorySplit, dataset_of
from nas.errors import InfeasibleError, InputError, TooManyFailuresError
from nas.netadapt import Rule, TrimSettings, Weighing, least, trim, trimmable, tuner
from nas.training import Recipe

SETTINGS = TrimSettings()


def by_head(network):
    """An accuracy that cares for the head most."""
    widths = network.arch.widths
    return 0.5 + widths["head"] / 200 + sum(widths[name] for name in trimmable(network.arch)) / 2000


@pytest.mark.parametrize("share", [0.95, 0.8, 0.6, 0.4])
def test_the_budget_is_met_and_little_is_left(network, latency, share):
    budget_ms = share * latency(network.arch)
    settings = TrimSettings(grain=1, tolerance=0.01)
    result = trim(network, latency, budget_ms=budget_ms, settings=settings, score=by_head)
    assert 0.99 * budget_ms <= latency(result.network.arch) <= budget_ms
    assert result.moves[-1].latency_ms == latency(result.network.arch)


def test_the_moves_are_an_audit_trail(network, latency):
    result = trim(network, latency, budget_ms=0.7 * latency(network.arch), settings=SETTINGS, score=by_head)
    widths, ms, accuracy = dict(network.arch.widths), latency(network.arch), by_head(network)
    for move in result.moves:
        assert (move.channels_before, move.accuracy_before) == (widths[move.width], accuracy)
        assert move.saved_ms == pytest.approx(ms - move.latency_ms)
        assert move.saved_ms > 0
        widths[move.width], ms, accuracy = move.channels_after, move.latency_ms, move.accuracy_after
    assert {name: result.network.arch.widths[name] for name in trimmable(network.arch)} == {
        name: widths[name] for name in trimmable(network.arch)
    }
    assert by_head(result.network) == accuracy


def test_widths_stay_on_the_grain(network, latency):
    result = trim(network, latency, budget_ms=0.6 * latency(network.arch), settings=SETTINGS, score=by_head)
    assert all(result.network.arch.widths[name] % 8 == 0 for name in trimmable(network.arch))


def test_the_accuracy_rule_takes_the_highest_score(network, latency):
    settings = TrimSettings(rule=Rule.ACCURACY, tolerance=0.5)
    result = trim(network, latency, budget_ms=0.8 * latency(network.arch), settings=settings, score=by_head)
    assert result.network.arch.widths["head"] == 64


@pytest.mark.parametrize("workers", [2, 5])
def test_proposals_scored_side_by_side_lead_to_the_same_moves(network, latency, workers):
    kwargs = {"budget_ms": 0.6 * latency(network.arch), "settings": SETTINGS, "score": by_head}
    alone, beside = (trim(network, latency, workers=count, **kwargs) for count in (1, workers))
    assert beside.moves == alone.moves
    own, other = (result.network.tensors() for result in (alone, beside))
    assert all(torch.equal(own[name], other[name]) for name in own)


def test_an_error_of_a_score_beside_others_is_raised(network, latency):
    def fail(other):
        if other.arch.widths["head"] < 64:
            raise ValueError("no score")
        return by_head(other)

    with pytest.raises(ValueError, match="no score"):
        trim(network, latency, budget_ms=0.6 * latency(network.arch), settings=SETTINGS, score=fail, workers=3)


def test_without_a_worker_nothing_is_tried(network, latency):
    with pytest.raises(InputError, match="workers=0"):
        trim(network, latency, budget_ms=1e-3, settings=SETTINGS, score=by_head, workers=0)


def test_within_the_budget_nothing_moves_and_nothing_is_scored(network, latency):
    def refuse(_network):
        raise AssertionError

    result = trim(network, latency, budget_ms=latency(network.arch), settings=SETTINGS, score=refuse)
    assert (result.network, result.moves) == (network, ())


def test_an_unreachable_budget_names_the_least_latency_before_any_scoring(network, latency):
    least_ms = latency(least(network.arch, grain=8))
    with pytest.raises(InfeasibleError, match=f"{least_ms:.4g} ms"):
        trim(network, latency, budget_ms=0.9 * least_ms, settings=SETTINGS, score=lambda _network: 1 / 0)


def test_the_network_given_is_left_as_it_is(network, latency):
    before = {name: tensor.clone() for name, tensor in network.tensors().items()}

    def spoil(other):
        with torch.no_grad():
            for tensor in other.tensors().values():
                tensor.mul_(0.5)
        return by_head(other)

    trim(network, latency, budget_ms=0.9 * latency(network.arch), settings=SETTINGS, score=spoil)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.tensors().items())


def test_proposals_without_a_numeric_score_are_dropped_and_counted(network, latency):
    def no_head(other):
        return by_head(other) if other.arch.widths["head"] == 64 else float("nan")

    result = trim(network, latency, budget_ms=0.8 * latency(network.arch), settings=SETTINGS, score=no_head)
    assert result.network.arch.widths["head"] == 64
    assert result.dropped > 0


def test_proposals_whose_training_diverges_are_dropped_and_counted(network, latency, tmp_path):
    def diverge_with_the_head(other, _steps):
        if other.arch.widths["head"] < 64:
            raise TooManyFailuresError("the loss is not finite")
        return other

    def cares_for_stages(other):
        return 0.5 + sum(other.arch.widths[name] for name in ("s0", "stem")) / 200

    settings = TrimSettings(tune_top=20, tune_steps=1)
    budget_ms = 0.8 * latency(network.arch)
    kwargs = {"budget_ms": budget_ms, "settings": settings, "score": cares_for_stages, "tune": diverge_with_the_head}
    result = trim(network, latency, folder=tmp_path, **kwargs)
    assert result.network.arch.widths["head"] == 64
    assert result.dropped > 0
    assert trim(network, latency, folder=tmp_path, **kwargs).dropped == result.dropped

    def always(_network, _steps):
        raise TooManyFailuresError("the loss is not finite")

    with pytest.raises(TooManyFailuresError, match="numeric score"):
        trim(network, latency, **kwargs | {"tune": always})


def test_widths_without_any_weight_go_first(network, latency):
    """What weighs nothing costs nothing: no share of nothing disturbs the order."""
    with torch.no_grad():
        for name, tensor in network.tensors().items():
            if name.startswith("head"):
                tensor.zero_()
    settings = TrimSettings(shortlist=1, importance=Weighing.BN_SCALE)
    result = trim(network, latency, budget_ms=0.97 * latency(network.arch), settings=settings, score=lambda _: 0.5)
    assert result.moves[0].width == "head"


def test_a_tuner_trains_different_networks_on_different_images(network, latency):
    rng = np.random.default_rng(0)
    split = MemorySplit(images=rng.integers(0, 256, (64, 8, 8, 1), dtype=np.uint8), labels=np.arange(64) % 5)
    dataset = dataset_of(name="noise", train=split, val=split, test=split, classes=tuple("abcde"))
    tune = tuner(dataset, Recipe(steps=1, batch=8, lr=0.01))
    before = {name: tensor.clone() for name, tensor in network.tensors().items()}
    first, again = (tune(network, 2) for _ in range(2))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.tensors().items())
    assert all(torch.equal(tensor, again.tensors()[name]) for name, tensor in first.tensors().items())
    assert not torch.equal(first.tensors()["head.weight"], before["head.weight"])


def test_no_numeric_score_at_all_ends_the_trimming(network, latency):
    scores = iter([0.5])
    with pytest.raises(TooManyFailuresError, match="numeric score"):
        trim(
            network,
            latency,
            budget_ms=0.8 * latency(network.arch),
            settings=SETTINGS,
            score=lambda _network: next(scores, float("nan")),
        )


def test_a_killed_trimming_goes_on_from_its_last_move(network, latency, tmp_path):
    budget_ms = 0.5 * latency(network.arch)
    whole = trim(network, latency, budget_ms=budget_ms, settings=SETTINGS, score=by_head)
    for stop in range(1, len(whole.moves) + 1):
        folder = tmp_path / str(stop)
        count = [0]

        def interrupt(_stage, _done, _total, _note, count=count, stop=stop):
            count[0] += 1
            if count[0] == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            _trim(network, latency, budget_ms, folder, interrupt)
        assert len(json.loads((folder / "moves.json").read_text())) == stop
        resumed = _trim(network, latency, budget_ms, folder, lambda *_step: None)
        assert resumed.moves == whole.moves
        x = torch.randn(2, 1, 8, 8)
        assert torch.equal(resumed.network(x), whole.network(x))
        assert from_json((folder / "arch.json").read_text()) == whole.network.arch


def test_a_folder_of_another_trimming_is_refused(network, latency, tmp_path):
    seed_ms = latency(network.arch)
    _trim(network, latency, 0.9 * seed_ms, tmp_path, lambda *_step: None)
    with pytest.raises(InputError, match="holds a trimming of"):
        _trim(network, latency, 0.8 * seed_ms, tmp_path, lambda *_step: None)


def test_a_damaged_checkpoint_is_one_clear_error(network, latency, tmp_path):
    _trim(network, latency, 0.9 * latency(network.arch), tmp_path, lambda *_step: None)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="not a readable checkpoint"):
        _trim(network, latency, 0.9 * latency(network.arch), tmp_path, lambda *_step: None)


def test_the_best_proposals_are_tuned_and_kept_when_better(network, latency):
    tuned = []

    def tune(other, steps):
        tuned.append(steps)
        with torch.no_grad():
            other.tensors()["classifier.bias"].fill_(7.0)
        return other

    def score(other):
        return by_head(other) + 0.3 * float((other.tensors()["classifier.bias"] == 7.0).all())

    settings = TrimSettings(tune_top=2, tune_steps=5)
    budget_ms = 0.98 * latency(network.arch)
    result = trim(network, latency, budget_ms=budget_ms, settings=settings, score=score, tune=tune)
    assert tuned == [5, 5] * len(result.moves)
    assert score(result.network) == result.moves[-1].accuracy_after > 0.8


def test_a_shortlist_scores_fewer(network, latency):
    asked = []

    def score(other):
        asked.append(other)
        return by_head(other)

    budget_ms = 0.8 * latency(network.arch)
    result = trim(network, latency, budget_ms=budget_ms, settings=TrimSettings(shortlist=2), score=score)
    assert len(asked) <= 1 + 2 * len(result.moves)


@pytest.mark.parametrize(
    "change",
    [
        {"grain": 0},
        {"step": 0.0},
        {"step": 1.0},
        {"tolerance": -0.1},
        {"shortlist": -1},
        {"tune_top": -1},
        {"tune_top": 2},
        {"tune_lr": 0.0},
    ],
)
def test_settings_out_of_range_are_refused(change):
    with pytest.raises(InputError):
        TrimSettings(**change)


@pytest.mark.parametrize("budget_ms", [0.0, -1.0, float("nan"), float("inf")])
def test_budgets_out_of_range_are_refused(network, latency, budget_ms):
    with pytest.raises(InputError):
        trim(network, latency, budget_ms=budget_ms, settings=SETTINGS, score=by_head)


def _trim(network, latency, budget_ms, folder, progress):
    return trim(
        network, latency, budget_ms=budget_ms, settings=SETTINGS, score=by_head, folder=folder, progress=progress
    )


def test_the_way_that_is_asked_for_weighs_the_filters(network, latency):
    images, labels = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(2)), torch.arange(64) % 5
    asked = {"budget_ms": 0.7 * latency(network.arch), "score": by_head}
    kept = {
        weighing: trim(
            network,
            latency,
            settings=TrimSettings(importance=weighing),
            calibration=lambda _size_px: (images, labels),
            **asked,
        ).network.tensors()
        for weighing in Weighing
    }
    assert not torch.equal(kept[Weighing.L2]["s0.b1.expand.weight"], kept[Weighing.TAYLOR]["s0.b1.expand.weight"])
    with pytest.raises(InputError, match="calibration batch"):
        trim(network, latency, settings=TrimSettings(importance=Weighing.TAYLOR), **asked)
