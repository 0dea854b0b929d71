import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import InputError
from search_spaces.catalogue import MEMBERS
from search_spaces.strides import early_ones, scaled

STRIDED = sorted(
    name
    for name in MEMBERS
    if name.startswith(("mobilenet", "mnasnet", "efficientnet", "ghostnet", "shufflenet", "pp_lcnet"))
)


@given(st.lists(st.sampled_from([1, 2]), min_size=1, max_size=9), st.integers(0, 9))
def test_the_earliest_strides_become_one(strides, kept):
    total = 2 ** min(kept, strides.count(2))
    found = early_ones(strides, total_stride=total, size_px=1000)
    assert math.prod(found) == total
    changed = [i for i, (new, old) in enumerate(zip(found, strides, strict=True)) if new != old]
    halving = [i for i, stride in enumerate(strides) if stride == 2]
    assert changed == halving[: len(changed)]


@pytest.mark.parametrize(
    ("total_stride", "size_px", "says"),
    [
        (64, 224, "total_stride = 64: this network has 1, 2, 4, 8"),
        (3, 224, "total_stride = 3"),
        (0, 224, "total_stride = 0"),
        (8, 4, "size_px = 4 is too small for total_stride = 8.*use total_stride=4 or larger"),
        (8, 0, "size_px = 0 must be at least 1"),
        (8, -3, "size_px = -3 must be at least 1"),
    ],
)
def test_strides_that_do_not_exist_are_refused(total_stride, size_px, says):
    with pytest.raises(InputError, match=says):
        early_ones((2, 2, 2), total_stride=total_stride, size_px=size_px)


@pytest.mark.parametrize("width", [0, -1.0, 0.001, math.nan, math.inf])
def test_a_width_that_makes_no_channel_is_refused(width):
    with pytest.raises(InputError, match="make no channel"):
        scaled(16, width)


@pytest.mark.parametrize("name", STRIDED)
def test_members_for_small_images(name):
    """With `total_stride` 8 a network of 32 px images ends in 4 x 4 maps."""
    arch = MEMBERS[name](size_px=32, total_stride=8, classes=3)
    ops = arch.ops()
    pool = next(i for i, op in enumerate(ops) if op.kind == "global_pool")
    assert ops[pool].in_px == 4
    assert arch.classes == 3
