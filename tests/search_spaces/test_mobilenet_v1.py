import pytest

from nas.arch import cost
from nas.errors import InputError
from search_spaces.mobilenet_v1 import MEMBERS, mobilenet_v1
from tests.search_spaces.reference import assert_counts

PUBLISHED = {0.25: (0.5, 41), 0.5: (1.3, 149), 0.75: (2.6, 325), 1.0: (4.2, 569)}  # millions: arXiv 1704.04861, table 6


def test_counts_are_those_of_the_reference():
    assert_counts(MEMBERS, "mobilenet_v1")


@pytest.mark.parametrize("width", PUBLISHED)
def test_counts_are_those_of_the_paper(width):
    found, (params, macs) = cost(mobilenet_v1(width=width)), PUBLISHED[width]
    assert round(found.params / 1e6, 1) == params
    assert found.macs / 1e6 == pytest.approx(macs, rel=0.01)


@pytest.mark.parametrize(("resolution", "macs"), [(192 / 224, 418), (160 / 224, 290), (128 / 224, 186)])
def test_the_resolution_multiplier(resolution, macs):
    """MACs in millions: the paper's table 7."""
    arch = mobilenet_v1(resolution=resolution)
    assert arch.size_px == round(224 * resolution)
    assert cost(arch).macs / 1e6 == pytest.approx(macs, rel=0.01)


@pytest.mark.parametrize("resolution", [0, -1, float("nan"), 1e9])
def test_a_resolution_that_makes_no_sense_is_refused(resolution):
    with pytest.raises(InputError, match="resolution"):
        mobilenet_v1(resolution=resolution)
