"""A supernet that starts from a published network's weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import safetensors.torch
import torch

from nas._config.compose import compose
from nas.config import load
from nas.errors import InputError
from nas.net import Network, Supernet, save_network
from nas.pipeline.starting import starting_weights
from nas.settings import SupernetSettings
from nas.training import Recipe
from search_spaces.catalogue import NETWORKS


def context(space: str = "mobilenet_v3_224px") -> SimpleNamespace:
    (settings,) = load(compose(["+target=intel_cpu", f"space={space}"]))
    made = settings.make_space(image_channels=1, classes=7)
    return SimpleNamespace(settings=settings, space=made, dataset=SimpleNamespace(classes=tuple("abcdefg"), channels=1))


def asked(file: Path, network: str) -> SupernetSettings:
    return SupernetSettings(recipe=Recipe(steps=1), init=file, init_network=network)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_network(tmp_path_factory.mktemp("v3") / "large.safetensors", Network(NETWORKS["mobilenet_v3_large"]()))


def test_its_weights_become_the_leading_channels(trained, tmp_path) -> None:
    ctx = context()
    path = starting_weights(ctx, asked(trained, "mobilenet_v3_large"), tmp_path)
    assert path == tmp_path / "init.safetensors"
    found, theirs = safetensors.torch.load_file(path), safetensors.torch.load_file(trained)
    assert set(found) == set(Supernet.of(ctx.space).tensors())
    assert torch.equal(found["stem.weight"], theirs["stem.weight"].sum(dim=1, keepdim=True))  # grey images
    assert found["classifier.weight"].shape[0] == 7


@pytest.mark.parametrize(
    ("space", "network", "says"),
    [
        ("mobilenet_v3_224px", "mobilenet_v3_larg", "did you mean 'mobilenet_v3_large'"),
        ("mobilenet_v3_224px", "mobilenet_v3_small", "another network|does not fit|is .*expected"),
        ("mixed_28px", "mobilenet_v3_large", "chooses between kinds of blocks"),
        ("mobilenet_v3_28px", "mobilenet_v3_large", "stages"),
    ],
)
def test_what_cannot_start_a_supernet_is_one_line(trained, tmp_path, space, network, says) -> None:
    with pytest.raises(InputError, match=says) as raised:
        starting_weights(context(space), asked(trained, network), tmp_path)
    assert "\n" not in str(raised.value)


def test_a_network_without_a_file_is_refused() -> None:
    with pytest.raises(InputError, match="init_network=mobilenet_v3_large has no weights"):
        SupernetSettings(recipe=Recipe(steps=1), init_network="mobilenet_v3_large")
