"""Where a supernet's training begins: fresh weights, a supernet's file, or a published network's weights."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch

from nas.errors import InputError, did_you_mean
from nas.files import write_whole
from nas.net import Network, Supernet
from nas.pipeline.context import Context
from nas.pretrained import adapt, load_pretrained, supernet_start
from nas.settings import SupernetSettings


def starting_weights(ctx: Context, settings: SupernetSettings, folder: Path) -> Path | None:
    """The file that a supernet's training starts from, made in `folder` where `init` holds another network's weights.

    Raises:
        InputError: There is no such network, the weights are not its own, or the space has no place for it.
    """
    if settings.init is None or settings.init_network is None:
        return settings.init
    path = folder / "init.safetensors"
    if path.exists():
        return path
    catalogue, name = ctx.settings.catalogue, settings.init_network
    if name not in catalogue:
        raise InputError(f"accuracy.init_network={name} is no hand-designed network{did_you_mean(name, catalogue)}")
    network = Network(catalogue[name]())
    load_pretrained(network, settings.init)
    seed, classes, channels = ctx.settings.seed, len(ctx.dataset.classes), ctx.dataset.channels
    network = adapt(network, classes=classes, image_channels=channels, seed=seed)
    supernet = Supernet.of(ctx.space, seed=seed)
    if len(supernet.archs) > 1:
        raise InputError(
            f"{ctx.space.name} chooses between kinds of blocks; a supernet that starts from "
            f"{name} needs a space of one kind, like space=mobilenet_v3_224px"
        )
    return write_whole(path, safetensors.torch.save(supernet_start(supernet.arch, network, seed=seed)))
