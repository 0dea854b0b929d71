"""A trained network for other classes or other images."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.arch import CLASSES, IMAGE, Arch, Kind
from nas.errors import InputError
from nas.net.modules import Network


def adapt(network: Network, *, classes: int | None = None, image_channels: int | None = None, seed: int = 0) -> Network:
    """Change the length of the output and the channels of the image; all other tensors are copied.

    Args:
        network: Is not changed.
        classes: The classifier starts afresh if it has other ones; None: as it is.
        image_channels: Convolutions that read an image of other channels are summed up for one channel; for several
            their channels are repeated in turn and scaled, so that grey images give what they gave. None: as it is.
        seed: Of the fresh values.

    Raises:
        InputError: A number is below 1, or the network does not allow the change.
    """
    changes = {
        name: count
        for name, count in ((CLASSES, classes), (IMAGE, image_channels))
        if count is not None and count != network.arch.widths.get(name)
    }
    if not changes:
        return network
    arch = _changed(network.arch, changes)
    adapted = Network(arch, seed=seed)
    readers = {layer.name for layer in arch.layers if IMAGE in layer.inputs}
    own = adapted.tensors()
    with torch.no_grad():
        for name, tensor in network.tensors().items():
            if tensor.shape == own[name].shape:
                own[name].copy_(tensor)
            elif name.rpartition(".")[0] in readers:
                own[name].copy_(_image_channels(tensor, arch.widths[IMAGE]))
    return adapted.to(next(network.parameters()).device).train(network.training)


def _changed(arch: Arch, changes: dict[str, int]) -> Arch:
    for name, count in changes.items():
        if count < 1:
            raise InputError(f"{name} = {count}: must be at least 1")
        if name not in arch.widths:
            raise InputError(f"the network has no width '{name}': its last layer is '{arch.layers[-1].name}'")
    for layer in arch.layers if IMAGE in changes else ():
        if IMAGE in layer.inputs and (layer.kind is not Kind.CONV or layer.depthwise or layer.groups > 1):
            raise InputError(
                f"layer '{layer.name}' reads the image and is no plain convolution; its channels are fixed"
            )
    return arch.with_widths(changes)


def _image_channels(weight: Tensor, channels: int) -> Tensor:
    """A convolution's weight (out, c, k, k) for another number of input channels."""
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    here = weight.shape[1]
    turns = -(-channels // here)
    return weight.repeat(1, turns, 1, 1)[:, :channels] * (here / channels)
