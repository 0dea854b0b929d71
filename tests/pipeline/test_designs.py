"""Hand-designed networks by name: options, counts, and what is refused."""

from __future__ import annotations

import json

import pytest

from nas import cli
from nas.config import NETWORKS
from nas.errors import InputError
from nas.pipeline.designs import chosen, designed, distinct, named_arch
from nas.settings import Design


def test_counts_need_no_target(tmp_path, capsys) -> None:
    path = tmp_path / "counts.json"
    assert cli.run("profile", "", ["networks=[mobilenet_v2_1.0,resnet18]", "counts_only=true", f"json={path}"]) == 0
    found = json.loads(path.read_text())
    assert found["mobilenet_v2_1.0"] == {"params": 3_504_872, "macs": 300_774_272, "size_px": 224}
    assert "11,689,512" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("network=mobilenet_v4_conv_smal", "did you mean 'mobilenet_v4_conv_small'"),
        ("networks=[resnet_18]", "did you mean 'resnet18'"),
        ("network=resnet18 design.width=0.5", "has no such option"),
        ("network=mobilenet_v2_1.0 design.width=0.001", "width"),
        ("network=mobilenet_v2_1.0 design.width=-1", "above 0"),
        ("network=mobilenet_v2_1.0 design.size_px=16", "too small"),
        ("network=mobilenet_v2_1.0 design.siz_px=16", "did you mean 'size_px'"),
        ("network=mobilenet_v2_0.5 design.width=0.75", "by name"),
    ],
)
def test_what_is_refused_takes_one_line(arguments: str, told: str, capsys) -> None:
    assert cli.run("profile", "", [*arguments.split(), "counts_only=true"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_options_reach_the_network() -> None:
    arch = designed("v2", NETWORKS["mobilenet_v2_1.0"], Design(width=0.5, size_px=96, image_channels=1, classes=7))
    assert (arch.size_px, arch.classes, arch.ops()[0].in_channels) == (96, 7, 1)


def test_all_leaves_out_what_cannot_be_made() -> None:
    found = chosen("all", NETWORKS, Design(width=0.5))
    assert "mobilenet_v2_1.0" in found
    assert "resnet18" not in found
    assert "mobilenet_v2_0.75" not in found


def test_an_alias_is_not_a_second_network() -> None:
    found = distinct(chosen(("mobilenet_v3_large", "mobilenet_v3_large_1.0"), NETWORKS, Design()))
    assert list(found) == ["mobilenet_v3_large_1.0"]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="neither a run folder, nor a file, nor one of"):
        named_arch("nothing_like_it", NETWORKS)
