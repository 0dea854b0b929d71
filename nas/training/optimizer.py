"""The optimizer, and the moving average of the weights that it moves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.net import Network, Supernet
from nas.training.recipe import Recipe

FOLLOWING = 10  # the average's decay begins at 1 / FOLLOWING: early weights are soon forgotten


def make_optimizer(module: Network | Supernet, recipe: Recipe) -> torch.optim.SGD:
    """SGD whose weight decay spares batch norm, biases and depthwise weights."""
    ops = (pair for arch in module.archs for pair in zip(arch.layers, arch.ops(), strict=True))
    spared = {f"{layer.name}.weight" for layer, op in ops if op.depthwise}
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        (free if parameter.dim() == 1 or name in spared else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=True)


class Ema:
    """An exponential moving average of a module's parameters; of decay 0, none."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module, self._decay = module, decay
        self.tensors = {name: p.detach().clone() for name, p in module.named_parameters()} if decay else {}

    def follow(self, step: int) -> None:
        """Move the average towards the weights after a step, the first of which is 0."""
        if self._decay:
            decay = min(self._decay, (1 + step) / (FOLLOWING + step))
            weights = [parameter.detach() for parameter in self._module.parameters()]
            torch._foreach_lerp_(list(self.tensors.values()), weights, 1 - decay)

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take over a saved average."""
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name])

    @torch.no_grad()
    def settle(self) -> None:
        """Give the module the averaged weights."""
        for name, tensor in self.tensors.items():
            self._module.get_parameter(name).copy_(tensor)
