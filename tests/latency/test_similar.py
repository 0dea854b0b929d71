"""Kernels are priced from those that they are like."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.latency.kernels import fused_kernels
from nas.latency.similar import GROUP_SD, TWIN_SD, Signature, Similar, signature
from nas.space import uniform
from tests.latency.simulated import GRAIN, keys_of, true_us
from tests.net.zoo import SPACE, every_kind

GRID = [
    f"conv {first}>{second} {px}px k{kernel} {act}"
    for first, second in ((16, 32), (16, 96), (64, 32), (48, 96), (96, 160), (32, 160))
    for px, kernel, act in ((14, 1, "relu"), (28, 1, "relu"), (14, 1, "hswish"), (14, 3, "relu"))
]


def similar(keys: list[str] | None = None, *, sights: float = 10.0) -> Similar:
    keys = GRID if keys is None else keys
    us = np.array([true_us(key) for key in keys])
    return Similar(keys, us, np.full(len(keys), sights), grain=GRAIN)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("conv 24>72 14px k1 relu", Signature("conv k1", "relu", 14, (24, 72))),
        ("conv 24 14px k3 p0x0 s2 +sum relu6", Signature("conv k3 s2", "+sum relu6", 14, (24, 24))),
        ("conv 60>240 14px k1 g3 plain relu", Signature("conv k1 plain grouped", "relu", 14, (60, 240), 3)),
        ("conv 3>16 32px k3 s2", Signature("conv k3 s2 few", "", 32, (3, 16))),
        ("conv 8>16 8px k3x1 d2 swish", Signature("conv k3x1 d2", "swish", 8, (8, 16))),
        ("dw 72 14px k5 s2 hswish", Signature("dw k5 s2", "hswish", 14, (72, 72))),
        ("se 72 14px sq24 hsigmoid relu", Signature("se", "hsigmoid relu", 14, (72, 24))),
        ("slice 16 8px x2", Signature("slice", "x2", 8, (16, 16))),
        ("slice 16>8 7px from4", Signature("slice", "", 7, (16, 8))),
        ("concat 96 14px x2 plain", Signature("concat plain", "x2", 14, (96, 96))),
        ("max_pool 64 14px k3 p0x0 e1x1 s2", Signature("max_pool k3 s2", "", 14, (64, 64))),
        ("shuffle 60 14px g3", Signature("shuffle grouped", "", 14, (60, 60), 3)),
        ("linear 1280>1000 1px of16", Signature("linear", "", 1, (1280, 1000), 16)),
        ("to_plain 24 56px", Signature("to_plain", "", 56, (24, 24))),
    ],
)
def test_keys_are_read(key: str, said: Signature) -> None:
    assert signature(key) == said


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_the_kernels_of_a_space_are_read(seed: int) -> None:
    for kernel in (*fused_kernels(SPACE.build(uniform(random.Random(seed)))), *fused_kernels(every_kind())):
        said, op = signature(kernel.key), kernel.op
        if "/" not in kernel.layers[0] and len(kernel.layers) == 1:
            assert (said.channels, said.px) == ((op.in_channels, op.squeeze or op.out_channels), op.in_px)
        assert said.kind == kernel.key.split(maxsplit=1)[0]


def test_factorised_kernels_have_the_pixels_of_their_window() -> None:
    assert [signature(f"conv 8 8px {size}").window for size in ("k1", "k3", "k1x7", "k3x1")] == [1, 9, 7, 3]


def test_kernels_of_one_signature_are_one() -> None:
    keys = keys_of([SPACE.build(uniform(random.Random(seed))) for seed in range(30)])
    assert len(set(map(signature, keys))) == len(keys)


def test_numbers_of_a_group() -> None:
    assert signature("conv 16 14px k5 s2 g4").number("s") == 2
    assert signature("conv 16 14px k5 s2 g4").number("k") == 5
    assert signature("conv 16 14px k5").number("s") == 1


def test_the_nearest_kin_prices_what_was_never_measured() -> None:
    found = similar([f"conv {width} {px}px k3 relu" for width in (16, 32, 64, 96) for px in (7, 14, 28)])
    (us,) = found.us(["conv 48 14px k5 relu"], kin=True)
    assert us == pytest.approx(true_us("conv 48 14px k5 relu"), rel=0.3)
    assert np.isnan(found.us(["conv 48 14px k5 relu", "dw 48 14px k3 relu"])).all()
    assert np.isnan(found.us(["dw 48 14px k3 relu"], kin=True)).all()


def test_measured_kernels_keep_their_price() -> None:
    us = similar(sights=100.0).us(GRID)
    np.testing.assert_allclose(us, [true_us(key) for key in GRID], rtol=0.01)


@pytest.mark.parametrize(
    "key",
    ["conv 32>96 14px k1 relu", "conv 48>64 28px k1 relu", "conv 64>128 14px k3 relu", "conv 80>96 14px k1 hswish"],
)
def test_widths_between_measured_ones_are_priced(key: str) -> None:
    found = similar()
    assert found.us([key])[0] == pytest.approx(true_us(key), rel=0.06)
    assert found.sd([key])[0] < TWIN_SD


def test_an_outlier_seen_once_is_drawn_to_its_relatives() -> None:
    key = "conv 48>96 14px k1 relu"
    us = np.array([true_us(item) * (1.5 if item == key else 1.0) for item in GRID])
    sights = np.array([1.0 if item == key else 20.0 for item in GRID])
    once = Similar(GRID, us, sights, grain=GRAIN).us([key])[0] / true_us(key)
    often = Similar(GRID, us, np.full(len(GRID), 1000.0), grain=GRAIN).us([key])[0] / true_us(key)
    assert once < often
    assert once < 1.4
    assert often > 1.4


def test_another_computation_has_no_price() -> None:
    us = similar().us(["dw 32 14px k3 relu", "conv 32>96 14px k5 relu", "conv 32>96 14px k1 relu"])
    assert np.isnan(us).tolist() == [True, True, False]
    assert similar().sd(["dw 32 14px k3 relu"])[0] == pytest.approx(np.hypot(TWIN_SD, GROUP_SD))


def test_doubt_grows_with_the_distance() -> None:
    keys = [f"conv {first}>{second} 14px k1 relu" for first, second in ((48, 96), (48, 112), (256, 512), (2048, 4096))]
    sd = similar().sd([*keys, "conv 48>97 14px k1 relu", "conv 48>96 224px k1 relu"])
    assert list(sd[:4]) == sorted(sd[:4])
    assert sd[0] < 0.05
    assert sd[3] > 0.15
    assert sd[4] > sd[1]  # 97 is no multiple of the grain
    assert sd[5] > sd[1]


def test_nothing_asked_is_nothing_said() -> None:
    assert similar().us([]).shape == similar().sd([]).shape == (0,)
    assert similar().likeness([]).shape == (0, 0)


KEYS = st.builds(
    "{} {}>{} {}px k{}{}".format,
    st.sampled_from(["conv", "dw"]),
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([1, 7, 14, 112]),
    st.sampled_from([1, 3]),
    st.sampled_from(["", " relu", " hswish", " +sum"]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(KEYS, min_size=1, max_size=12), st.sampled_from([1, 8, 16]))
def test_likeness_is_a_correlation(keys: list[str], grain: int) -> None:
    likeness = Similar(GRID, np.ones(len(GRID)), np.ones(len(GRID)), grain=grain).likeness(keys)
    np.testing.assert_allclose(likeness, likeness.T)
    np.testing.assert_allclose(likeness.diagonal(), 1.0)
    assert ((likeness >= 0) & (likeness <= 1 + 1e-12)).all()
    assert np.linalg.eigvalsh(likeness).min() > -1e-9


def test_prices_are_positive_whatever_was_measured() -> None:
    found = Similar(GRID, np.zeros(len(GRID)), np.ones(len(GRID)), grain=GRAIN)
    assert (found.us([*GRID, "conv 8>1 1px k1 relu", "conv 4096>4096 224px k3 relu"]) > 0).all()
