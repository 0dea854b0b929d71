"""Torch-Pruning (github.com/VainF/Torch-Pruning) on a network of ours: as torch modules, pruned, and back."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import torch
from torch import Tensor, nn

from nas.arch import IMAGE, Act, Arch, Kind, Op
from nas.errors import InputError
from nas.net import Network, network_of

TRACED = 2  # images that the graph is traced with


def installed() -> bool:
    """Whether Torch-Pruning is there."""
    return importlib.util.find_spec("torch_pruning") is not None


def pruned(network: Network, *, ratio: float, round_to: int) -> Network:
    """One-shot pruning of a whole network by the group norms of its weights, each layer as much as the ranking says.

    Args:
        network: Of convolutions, squeeze-excites, sums, a pool and linear layers; left as it is.
        ratio: Share of all channels that goes.
        round_to: Channels stay multiples of it.

    Raises:
        InputError: It is made of other layers.
    """
    library = importlib.import_module("torch_pruning")
    module = _Modules(network)
    arch = network.arch
    library.pruner.MetaPruner(
        module,
        torch.zeros(TRACED, arch.widths[IMAGE], arch.size_px, arch.size_px),
        importance=library.importance.GroupMagnitudeImportance(p=2),
        global_pruning=True,
        pruning_ratio=ratio,
        round_to=round_to,
        ignored_layers=[module.parts[_key(arch.layers[-1].name)]],
    ).step()
    return network_of(*_back(arch, module))


class _Modules(nn.Module):
    """The network as modules with parameters of their own, which is what Torch-Pruning reads."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.arch = network.arch
        tensors = network.tensors()
        ops = zip(self.arch.layers, self.arch.ops(), strict=True)
        self.parts = nn.ModuleDict({_key(layer.name): _module(layer.name, op, tensors) for layer, op in ops})
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        values = {IMAGE: x}
        for layer in self.arch.layers:
            values[layer.name] = self.parts[_key(layer.name)](*(values[name] for name in layer.inputs))
        return values[self.arch.layers[-1].name]


class _Conv(nn.Module):
    def __init__(self, op: Op, own: dict[str, Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            op.in_channels,
            op.out_channels,
            op.kernel,
            op.stride,
            op.padding,
            op.dilation,
            op.groups,
            bias=not op.norm and op.bias,
        )
        self.norm = nn.BatchNorm2d(op.out_channels) if op.norm else nn.Identity()
        self.act = _activation(op.act)
        _copy(self.conv, own, weight="weight", bias="bias")
        _copy(self.norm, own, weight="gamma", bias="beta", running_mean="mean", running_var="var")

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.norm(self.conv(x)))
        return y

    def tensors(self) -> dict[str, Tensor]:
        found = {"weight": self.conv.weight} | ({} if self.conv.bias is None else {"bias": self.conv.bias})
        norm = self.norm
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            found |= {"gamma": norm.weight, "beta": norm.bias, "mean": norm.running_mean, "var": norm.running_var}
        return found


class _SqueezeExcite(nn.Module):
    def __init__(self, op: Op, own: dict[str, Tensor]) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(op.in_channels, op.squeeze, 1), nn.Conv2d(op.squeeze, op.in_channels, 1)
        self.act, self.gate = _activation(op.act), _activation(op.gate)
        for name in ("down", "up"):
            own[f"{name}.weight"] = own[f"{name}.weight"][:, :, None, None]
            _copy(getattr(self, name), own, weight=f"{name}.weight", bias=f"{name}.bias")

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x * self.gate(self.up(self.act(self.down(x.mean((2, 3), keepdim=True)))))
        return y

    def tensors(self) -> dict[str, Tensor]:
        parts = {"down": self.down, "up": self.up}
        weights = {f"{name}.weight": part.weight.flatten(1) for name, part in parts.items()}
        biases = {f"{name}.bias": part.bias for name, part in parts.items() if part.bias is not None}
        return weights | biases


class _Sum(nn.Module):
    def forward(self, *inputs: Tensor) -> Tensor:
        return sum(inputs[1:], start=inputs[0])

    def tensors(self) -> dict[str, Tensor]:
        return {}


class _Pool(_Sum):
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].mean((2, 3), keepdim=True)


class _Linear(nn.Module):
    def __init__(self, op: Op, own: dict[str, Tensor]) -> None:
        super().__init__()
        self.linear, self.act = nn.Linear(op.in_features, op.out_channels, bias=op.bias), _activation(op.act)
        _copy(self.linear, own, weight="weight", bias="bias")

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.linear(x.flatten(1)))
        return y

    def tensors(self) -> dict[str, Tensor]:
        bias: Tensor | None = self.linear.bias
        return {"weight": self.linear.weight} | ({} if bias is None else {"bias": bias})


def _module(name: str, op: Op, tensors: dict[str, Tensor]) -> nn.Module:
    own = {key[len(name) + 1 :]: tensor.detach() for key, tensor in tensors.items() if key.startswith(f"{name}.")}
    match op.kind:
        case Kind.CONV:
            return _Conv(op, own)
        case Kind.SE:
            return _SqueezeExcite(op, own)
        case Kind.ADD:
            return _Sum()
        case Kind.GLOBAL_POOL:
            return _Pool()
        case Kind.LINEAR:
            return _Linear(op, own)
        case _:
            raise InputError(f"layer '{name}': Torch-Pruning is not tried on {op.kind}")


def _activation(act: Act) -> nn.Module:
    known: dict[Act, type[nn.Module]] = {
        Act.IDENTITY: nn.Identity,
        Act.RELU: nn.ReLU,
        Act.RELU6: nn.ReLU6,
        Act.HSWISH: nn.Hardswish,
        Act.HSIGMOID: nn.Hardsigmoid,
    }
    if act not in known:
        raise InputError(f"Torch-Pruning is not tried on {act}")
    return known[act]()


def _copy(module: nn.Module, own: dict[str, Tensor], **names: str) -> None:
    with torch.no_grad():
        for key, name in names.items():
            if name in own and getattr(module, key, None) is not None:
                getattr(module, key).copy_(own[name])


def _back(arch: Arch, module: _Modules) -> tuple[Arch, dict[str, Tensor]]:
    """The pruned network's architecture and tensors."""
    tensors: dict[str, Tensor] = {}
    widths: dict[str, int] = {}
    for layer in arch.layers:
        part: Any = module.parts[_key(layer.name)]
        own: dict[str, Tensor] = part.tensors()
        tensors |= {f"{layer.name}.{key}": tensor.detach() for key, tensor in own.items()}
        if layer.kind is Kind.SE:
            widths[layer.squeeze] = len(own["down.weight"])
        elif layer.width:
            widths[layer.width] = len(own["weight"])
    return arch.with_widths(widths), tensors


def _key(name: str) -> str:
    return name.replace(".", "/")  # a module's name has no dots
