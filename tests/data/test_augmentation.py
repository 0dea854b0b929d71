"""Augmentation: what each variation does, that the generator alone decides, and that shares add up to the whole."""

from __future__ import annotations

import sys

import pytest
import torch

from nas.data import Augmentation, augmented, generator_of
from nas.errors import InputError

NONE = {"flip": False, "shift_px": 0}
KINDS = [
    {},
    {**NONE, "crop_area": 0.3},
    {"erase": 0.5},
    {"mixup": 0.4},
    {"cutmix": 1.0},
    {"mixup": 0.4, "cutmix": 1.0},
    {"policy": "randaugment"},
    {"policy": "trivialaugment", "erase": 0.2, "mixup": 0.2, "crop_area": 0.5},
]


def batch(n: int, *, channels: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = generator_of(5, 0)
    raw = torch.randint(0, 256, (n, 12, 12, channels), dtype=torch.uint8, generator=generator)
    return raw, torch.randint(0, 4, (n,), generator=generator)


def vary(options: dict[str, object], raw: torch.Tensor, labels: torch.Tensor, *, seed: int = 0, **share: int):
    if "policy" in options:
        pytest.importorskip("kornia")
    return augmented(raw, labels, Augmentation(**options), classes=4, generator=generator_of(seed, 0), **share)


@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_generator_alone_decides(options: dict[str, object], channels: int) -> None:
    raw, labels = batch(32, channels=channels)
    first, again, other = (vary(options, raw, labels, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert first[0].shape == raw.shape
    assert float(first[0].min()) >= 0
    assert float(first[0].max()) <= 255.001


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_two_shares_are_what_the_whole_batch_is(options: dict[str, object]) -> None:
    raw, labels = batch(32)
    whole = vary(options, raw, labels)
    shares = [vary(options, raw[at : at + 16], labels[at : at + 16], rank=at // 16, world=2) for at in (0, 16)]
    assert torch.allclose(torch.cat([share[0] for share in shares]).float(), whole[0].float(), atol=1e-3)
    assert torch.equal(torch.cat([share[1] for share in shares]), whole[1])


def test_nothing_asked_for_is_nothing_done() -> None:
    raw, labels = batch(8)
    same, kept = vary(NONE, raw, labels)
    assert same is raw
    assert kept is labels


def test_flips_and_shifts_move_pixels_and_keep_images() -> None:
    raw = torch.zeros(64, 9, 9, 1, dtype=torch.uint8)
    raw[:, 4, 3] = 255
    moved, _ = vary({"flip": True, "shift_px": 1}, raw, torch.zeros(64, dtype=torch.int64))
    assert moved.dtype == torch.uint8
    assert (moved.flatten(1).sum(dim=1, dtype=torch.int64) == 255).all()
    rows, columns = moved[..., 0].nonzero()[:, 1], moved[..., 0].nonzero()[:, 2]
    assert (int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())) == (3, 5, 2, 6)


def test_crops_enlarge_a_part_of_the_image() -> None:
    ramp = torch.arange(24, dtype=torch.uint8).repeat(24, 1)[None, :, :, None].repeat(64, 1, 1, 1)
    cut, _ = vary({**NONE, "crop_area": 0.25}, ramp, torch.zeros(64, dtype=torch.int64))
    width = cut[:, 0, -1, 0] - cut[:, 0, 0, 0]
    assert float(width.min()) < 16
    assert float(width.max()) <= 23
    assert (cut.diff(dim=2) >= -1e-3).all()


def test_erasing_paints_rectangles_of_one_colour_in_some_images() -> None:
    raw = torch.full((200, 16, 16, 3), 7, dtype=torch.uint8)
    painted, _ = vary({**NONE, "erase": 0.5}, raw, torch.zeros(200, dtype=torch.int64))
    changed = (painted != 7).any(dim=3)
    share = changed.float().mean(dim=(1, 2))
    assert 0.3 < float((share > 0).float().mean()) < 0.7
    assert float(share.max()) <= 0.4
    first = painted[int(share.argmax())]
    assert len(first[(first != 7).any(dim=2)].unique(dim=0)) == 1


@pytest.mark.parametrize("options", [{"mixup": 0.5}, {"cutmix": 0.5}])
def test_mixed_labels_are_the_shares_of_the_pixels(options: dict[str, object]) -> None:
    labels = torch.arange(64) % 4
    raw = (labels * 80).to(torch.uint8)[:, None, None, None].expand(64, 16, 16, 1).contiguous()
    mixed, target = vary({**NONE, **options}, raw, labels)
    assert torch.allclose(target.sum(dim=1), torch.ones(64))
    assert torch.allclose(mixed.mean(dim=(1, 2, 3)), target @ (torch.arange(4.0) * 80), atol=1e-2)
    assert (target.max(dim=1).values < 0.999).any()


def test_an_image_without_a_neighbour_is_not_mixed() -> None:
    raw, labels = batch(5)
    mixed, target = vary({**NONE, "mixup": 1.0}, raw, labels)
    assert torch.equal(mixed[4], raw[4].float())
    assert target[4].tolist() == torch.eye(4)[labels[4]].tolist()


def test_policies_leave_some_images_alone_and_change_most() -> None:
    raw, labels = batch(64)
    changed, kept = vary({**NONE, "policy": "trivialaugment"}, raw, labels)
    touched = ((changed - raw.float()).abs() > 0.01).flatten(1).any(dim=1).float().mean()
    assert 0.6 < float(touched) < 1
    assert torch.equal(kept, labels)


def test_a_policy_without_kornia_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kornia.enhance", None)
    with pytest.raises(InputError, match=r"pip install 'underbudget\[augment\]'"):
        augmented(*batch(4), Augmentation(policy="randaugment"), classes=4, generator=generator_of(0, 0))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"shift_px": -1}, "shift_px = -1"),
        ({"crop_area": 0.0}, "crop_area = 0"),
        ({"crop_area": 1.5}, "crop_area = 1.5"),
        ({"erase": 1.1}, "erase = 1.1"),
        ({"mixup": -0.1}, "mixup = -0.1"),
        ({"cutmix": float("nan")}, "cutmix = nan"),
    ],
)
def test_values_out_of_range_are_refused(options: dict[str, float], match: str) -> None:
    with pytest.raises(InputError, match=match):
        Augmentation(**options)
