"""`create_model`: a network of any origin as a plain torch module, for training scripts that are not ours."""

from __future__ import annotations

from pathlib import Path

from nas.arch import Arch
from nas.errors import InputError
from nas.net import Network
from nas.pipeline.designs import named_arch
from nas.pretrained import FeatureNetwork, adapt, load_pretrained
from nas.results.run_dir import RunDir
from search_spaces.catalogue import NETWORKS


def create_model(
    arch: Arch | str | Path,
    weights: str | Path | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
    *,
    features_only: bool = False,
    seed: int = 0,
) -> Network | FeatureNetwork:
    """Make a torch module of a network: images (n, c, h, w) to logits (n, classes), in evaluation mode.

    >>> import torch, nas
    >>> model = nas.create_model("mobilenet_v3_small", num_classes=10)
    >>> model(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 10])

    Args:
        arch: An architecture, its JSON file, a run's folder (its last network, with the weights that it trained), or
            the name of a hand-designed network, like "mobilenet_v3_large".
        weights: What `load_pretrained` reads: our safetensors, or torchvision's and timm's weights. None: fresh ones,
            for a run's folder the run's.
        num_classes: Length of the output; a classifier that was trained for another number starts afresh.
        in_channels: Channels of the image. The first convolution of a network trained for others is summed up for one
            channel, and repeated and scaled for more.
        features_only: The module returns the last feature map of each resolution, finest first; `.feature_info` tells
            their channels and reductions.
        seed: Of fresh values.

    Raises:
        InputError: There is no such network, or the weights are not its own.
    """
    found = arch if isinstance(arch, Arch) else named_arch(str(arch), NETWORKS)
    file = _weights_of(arch) if weights is None else Path(weights)
    network = Network(found, seed=seed)
    if file is not None:
        network = _loaded(network, file, num_classes, seed)
    network = adapt(network, classes=num_classes, image_channels=in_channels, seed=seed).eval()
    return FeatureNetwork(network).eval() if features_only else network


def _weights_of(arch: Arch | str | Path) -> Path | None:
    """A run's own weights."""
    if isinstance(arch, Arch) or not Path(arch).is_dir():
        return None
    file = RunDir(path=Path(arch)).weights
    return file if file.exists() else None


def _loaded(network: Network, file: Path, classes: int | None, seed: int) -> Network:
    """The network with a file's weights, which may have its classes or those that are wanted."""
    try:
        return load_pretrained(network, file)
    except InputError:
        if classes is None:
            raise
        wanted = adapt(network, classes=classes, seed=seed)
        if wanted.arch == network.arch:
            raise
        return load_pretrained(wanted, file)
