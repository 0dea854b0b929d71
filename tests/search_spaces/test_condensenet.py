import pytest

from nas.arch import Kind, cost
from search_spaces.condensenet import condensenet74


@pytest.mark.parametrize(("groups", "params_m", "flops_m"), [(4, 4.8, 529), (8, 2.9, 274)])
def test_counts_are_those_of_the_authors(groups, params_m, flops_m):
    """The authors count one operation for each value that goes through a ReLU or into a pool, too (their utils.py)."""
    arch = condensenet74(groups=groups)
    others = sum(
        op.in_channels * op.in_px**2 for op in arch.ops() if op.kind in (Kind.NORM, Kind.AVG_POOL, Kind.GLOBAL_POOL)
    )
    assert round((cost(arch).macs + others) / 1e6) == flops_m
    assert round(cost(arch).params / 1e6, 1) == params_m


def test_a_layer_reads_everything_before_it_and_the_classifier_half():
    arch = condensenet74()
    ops = {layer.name: op for layer, op in zip(arch.layers, arch.ops(), strict=True)}
    assert ops["s0.b3.conv1"].in_channels == 16 + 3 * 8
    assert ops["s1.b0.conv1"].in_channels == 16 + 4 * 8
    assert ops["norm"].in_channels == 2 * ops["classifier"].in_channels == 2064
