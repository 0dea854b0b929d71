"""A network as a backbone: the feature maps that detection and segmentation read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn

from nas.arch import CLASSES, IMAGE, Arch, Kind
from nas.errors import InputError
from nas.net.modules import Network, network_of


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureMap:
    """One feature map that a backbone returns.

    Attributes:
        layer: Name of the layer that makes it.
        channels: Its channels.
        reduction: How many times smaller than the image it is, in each direction.
    """

    layer: str
    channels: int
    reduction: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureInfo:
    """The feature maps of a backbone, finest first; read as timm's `feature_info` is."""

    maps: tuple[FeatureMap, ...]

    def channels(self) -> list[int]:
        """Channels of each map."""
        return [found.channels for found in self.maps]

    def reduction(self) -> list[int]:
        """How many times smaller than the image each map is."""
        return [found.reduction for found in self.maps]


class FeatureNetwork(nn.Module):
    """Images (n, c, h, w) to a list of feature maps (n, channels, h / reduction, w / reduction), finest first.

    Each is the last one of its resolution: the output of the block before a block with a stride, and what the
    network's last pooling reads.
    """

    def __init__(self, network: Network) -> None:
        """Take the layers up to the last feature map, with copies of their tensors.

        Args:
            network: The classifier.

        Raises:
            InputError: It has no feature map.
        """
        super().__init__()
        self.feature_info = FeatureInfo(maps=feature_maps(network.arch))
        last = [layer.name for layer in network.arch.layers].index(self.feature_info.maps[-1].layer)
        arch = replace(network.arch, layers=network.arch.layers[: last + 1])
        kept = set(Network(arch).tensors())
        self.backbone = network_of(arch, {name: value for name, value in network.tensors().items() if name in kept})

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the feature maps."""
        found: dict[str, Tensor] = {}
        wanted = {feature.layer for feature in self.feature_info.maps}

        def watch(name: str, value: Tensor) -> None:
            if name in wanted:
                found[name] = value

        self.backbone(x, watch=watch)
        return [found[feature.layer] for feature in self.feature_info.maps]


def feature_maps(arch: Arch) -> tuple[FeatureMap, ...]:
    """The last feature map of each resolution, finest first.

    Raises:
        InputError: The network pools or flattens the image itself.
    """
    reductions = {IMAGE: 1}
    found: dict[int, FeatureMap] = {}
    entered = ""  # block that the loop is in
    before: FeatureMap | None = None  # the output of what came before that block
    last: FeatureMap | None = None
    for layer, op in zip(arch.layers, arch.ops(), strict=True):
        if layer.kind in (Kind.GLOBAL_POOL, Kind.LINEAR) or layer.width == CLASSES:
            break
        block = layer.name.rpartition(".")[0]
        if block != entered or not block:
            entered, before = block, last
        reduction = max(reductions[source] for source in layer.inputs) * op.stride
        reductions[layer.name] = reduction
        if before and reduction > before.reduction:
            found.setdefault(before.reduction, before)
        last = FeatureMap(layer=layer.name, channels=op.out_channels, reduction=reduction)
    if last is None:
        raise InputError(f"the network begins with '{arch.layers[0].name}': it has no feature maps")
    return (*found.values(), last)
