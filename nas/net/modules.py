"""Modules that own tensors: a stand-alone network, and the supernet that every smaller network slices."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.arch import Arch
from nas.net.covering import covering
from nas.net.norm import EPSILON, Norm, Stats
from nas.net.run import Watch, run
from nas.net.slicing import held, slice_weights
from nas.net.tensors import initial_parameters, statistic_shapes
from nas.space import SearchSpace

MOMENTUM = 0.1  # of the running statistics


class _Tensors(nn.Module):
    """Parameters and buffers under dotted names, each level a module, so that state_dict's keys are those names.

    They are those of one network, or of several that share layers by name.
    """

    def __init__(self, *archs: Arch) -> None:
        super().__init__()
        self.arch, self.archs = archs[0], archs
        self._held = held(*archs)
        self._owners: dict[str, nn.Module] = {}

    def _own(self, name: str, tensor: Tensor, *, trainable: bool) -> None:
        *path, leaf = name.split(".")
        owner: nn.Module = self
        for part in path:
            child = dict(owner.named_children()).get(part) or nn.Module()
            owner.add_module(part, child)
            owner = child
        if trainable:
            owner.register_parameter(leaf, nn.Parameter(tensor))
        else:
            owner.register_buffer(leaf, tensor)
        self._owners[name] = owner

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name."""
        return {name: getattr(owner, name.rsplit(".", 1)[-1]) for name, owner in self._owners.items()}

    def tensors_of(self, arch: Arch) -> dict[str, Tensor]:
        """The tensors of a network that is no larger, sliced out of these.

        Raises:
            InputError: `arch` does not fit.
        """
        return slice_weights(self._held, self.tensors(), arch)


class Network(_Tensors):
    """A stand-alone network with running statistics.

    In training mode batch norm uses the batch's statistics and follows them with its running ones, like
    `nn.BatchNorm2d`; in evaluation mode it uses the running ones.
    """

    def __init__(self, arch: Arch, *, seed: int = 0) -> None:
        """Make a network with fresh weights.

        Args:
            arch: What to compute.
            seed: Of the first values.
        """
        super().__init__(arch)
        for name, tensor in initial_parameters(arch, seed=seed).items():
            self._own(name, tensor, trainable=True)
        for name, shape in statistic_shapes(arch).items():
            self._own(name, torch.zeros(shape) if name.endswith(".mean") else torch.ones(shape), trainable=False)

    def forward(self, x: Tensor, *, watch: Watch | None = None) -> Tensor:
        """Logits (n, classes) of normalised images (n, c, h, w); `watch` is told every layer's value."""
        tensors = self.tensors()

        def norm(name: str, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
            mean, var = tensors[f"{name}.mean"], tensors[f"{name}.var"]
            return functional.batch_norm(x, mean, var, gamma, beta, self.training, MOMENTUM, EPSILON)

        return run(self.arch, tensors, x, norm, watch=watch)

    def set_stats(self, stats: Stats) -> None:
        """Replace the running statistics."""
        tensors = self.tensors()
        for name, (mean, var) in stats.items():
            tensors[f"{name}.mean"].copy_(mean)
            tensors[f"{name}.var"].copy_(var)


class Supernet(_Tensors):
    """The weights of a space's largest networks; every smaller one computes with slices of them.

    Where the space chooses between kinds of blocks, no single network has all layers: then it holds those of several.
    It has no running statistics: they differ from network to network, so each forward pass is given a batch norm.
    """

    def __init__(self, arch: Arch, *others: Arch, seed: int = 0) -> None:
        """Make a supernet with fresh weights.

        Args:
            arch: The largest network.
            *others: Networks with layers that it does not have, or has narrower.
            seed: Of the first values.
        """
        super().__init__(arch, *others)
        first: dict[str, Tensor] = {}
        for i, one in enumerate(self.archs):
            for name, tensor in initial_parameters(one, seed=seed + i).items():
                if name not in first or tensor.numel() > first[name].numel():
                    first[name] = tensor
        for name, tensor in first.items():
            self._own(name, tensor, trainable=True)

    @classmethod
    def of(cls, space: SearchSpace, *, seed: int = 0) -> Supernet:
        """Make the supernet that holds the weights of all members of a space."""
        return cls(*covering(space), seed=seed)

    def forward(self, x: Tensor, arch: Arch, norm: Norm) -> Tensor:
        """Logits (n, classes) of one network of the space.

        Args:
            x: Normalised images (n, c, h, w).
            arch: The network to compute.
            norm: Which statistics to normalise with.

        Raises:
            InputError: `arch` does not fit in the supernet.
        """
        return run(arch, self.tensors_of(arch), x, norm)


def network_of(arch: Arch, tensors: Mapping[str, Tensor]) -> Network:
    """Make a network that owns copies of the given tensors; those left out keep their first values."""
    network = Network(arch)
    with torch.no_grad():
        own = network.tensors()
        for name, tensor in tensors.items():
            own[name].copy_(tensor)
    return network


def slice_network(supernet: Supernet, arch: Arch, stats: Stats) -> Network:
    """Take a stand-alone network out of a supernet; its outputs equal `supernet(x, arch, given(stats))` exactly.

    Args:
        supernet: Where the weights come from.
        arch: The network.
        stats: Its running statistics, from `nas.training.recalibrate`.

    Raises:
        InputError: `arch` does not fit in the supernet.
    """
    network = network_of(arch, supernet.tensors_of(arch))
    network.set_stats(stats)
    return network.to(next(supernet.parameters()).device).eval()
