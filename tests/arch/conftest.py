import random

import pytest

from nas.space import record, uniform
from search_spaces.mobilenet_v3 import MobileNetV3Space, StageSpace


def small_space():
    return MobileNetV3Space(
        name="small",
        image_channels=1,
        classes=10,
        sizes_px=(24, 28),
        stem_widths=(8, 16),
        stem_stride=2,
        stages=(
            StageSpace(widths=(8, 16), depths=(1, 2), stride=1),
            StageSpace(widths=(16, 24), depths=(1, 2, 3), stride=2, acts=("hswish",)),
        ),
        kernels=(3, 5),
        expansions=(1.0, 3.0),
        se=(False, True),
        acts=("relu", "hswish"),
        head_expansions=(2.0,),
        feature_widths=(0, 32),
    )


@pytest.fixture(scope="session")
def random_arch():
    """Architecture number `seed` of a small MobileNetV3-like space."""
    space = small_space()
    return lambda seed: record(space, uniform(random.Random(seed)))[0]
