"""Blocks that families share, written once against a `Builder`.

Every block has `write(net, name, source, in_width, out_width)`, which appends it and returns its last layer. Where a
block has a residual sum, the sum is there when input and output share a width's *name* and the stride is 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from nas.arch import Act, Builder
from search_spaces.strides import make_divisible

__all__ = [
    "DepthwiseSeparable",
    "FusedInvertedResidual",
    "GhostBottleneck",
    "InvertedResidual",
    "SqueezeStyle",
    "make_divisible",
    "write_ghost",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class SqueezeStyle:
    """How a family squeezes and excites; the default is MobileNetV3's.

    Attributes:
        ratio: Channels of the bottleneck over those it is measured by.
        of_input: They are the block's input's, and the result is not rounded to a grain (MnasNet, EfficientNet);
            otherwise those inside the block.
        act: Activation of the bottleneck.
        gate: What turns its answer into factors.
    """

    ratio: float = 0.25
    of_input: bool = False
    act: Act = Act.RELU
    gate: Act = Act.HSIGMOID

    def channels(self, *, in_channels: int, mid: int, grain: int = 8) -> int:
        """Channels of the bottleneck in a block of `mid` channels.

        >>> SqueezeStyle().channels(in_channels=24, mid=72), SqueezeStyle(of_input=True).channels(in_channels=24, mid=0)
        (24, 6)
        """
        if self.of_input:
            return max(1, round(in_channels * self.ratio))
        return make_divisible(mid * self.ratio, grain)


@dataclass(frozen=True, kw_only=True, slots=True)
class InvertedResidual:
    """An inverted residual block (MobileNetV2, V3: arXiv 1801.04381, 1905.02244); MBConv where it has squeeze-excite.

    Attributes:
        kernel: Kernel of the depthwise convolution.
        mid: Channels inside the block; equal to the input's: no expansion convolution.
        squeeze: Channels of the squeeze-excite bottleneck; 0 for none.
        act: Activation of the expansion and the depthwise convolution.
        stride: Stride of the depthwise convolution.
        squeeze_act: Activation of the squeeze-excite bottleneck.
        gate: Gate function of the squeeze-excite.
        always_expands: There is an expansion convolution even where `mid` equals the input's channels (FBNet).
    """

    kernel: int
    mid: int
    squeeze: int
    act: Act
    stride: int
    squeeze_act: Act = Act.RELU
    gate: Act = Act.HSIGMOID
    always_expands: bool = False

    def write(self, net: Builder, name: str, source: str, in_width: str, out_width: str) -> str:
        """Append the block; the residual sum is there when input and output share a width and the stride is 1.

        Args:
            net: Where to write.
            name: Prefix of the layers' names.
            source: Layer the block reads.
            in_width: Width name of `source`.
            out_width: Width name of the block's output.
        """
        x = source
        if self.always_expands or self.mid != net.channels(in_width):
            x = net.conv(f"{name}.expand", x, net.width(f"{name}.mid", self.mid), act=self.act)
        x = net.depthwise(f"{name}.depthwise", x, kernel=self.kernel, stride=self.stride, act=self.act)
        if self.squeeze:
            width = net.width(f"{name}.squeeze", self.squeeze)
            x = net.squeeze_excite(f"{name}.se", x, width, act=self.squeeze_act, gate=self.gate)
        x = net.conv(f"{name}.project", x, out_width)
        if in_width == out_width and self.stride == 1:
            x = net.residual(f"{name}.sum", source, x)
        return x


@dataclass(frozen=True, kw_only=True, slots=True)
class DepthwiseSeparable:
    """A depthwise and a pointwise convolution, each with its activation (MobileNetV1, arXiv 1704.04861).

    Attributes:
        kernel: Kernel of the depthwise convolution.
        stride: Its stride.
        act: Activation of both.
        squeeze: Channels of a squeeze-excite between them; 0 for none.
    """

    kernel: int
    stride: int
    act: Act
    squeeze: int = 0

    def write(self, net: Builder, name: str, source: str, in_width: str, out_width: str) -> str:
        """Append the block, which has no residual sum; arguments as for `InvertedResidual.write`."""
        x = net.depthwise(f"{name}.depthwise", source, kernel=self.kernel, stride=self.stride, act=self.act)
        if self.squeeze:
            x = net.squeeze_excite(f"{name}.se", x, net.width(f"{name}.squeeze", self.squeeze))
        return net.conv(f"{name}.pointwise", x, out_width, act=self.act)


@dataclass(frozen=True, kw_only=True, slots=True)
class FusedInvertedResidual:
    """FusedMBConv (EfficientNetV2, arXiv 2104.00298): one dense convolution expands and filters.

    Attributes:
        kernel: Kernel of the expansion.
        mid: Channels inside the block; equal to the input's: the expansion alone makes the output, with activation.
        act: Activation of the expansion.
        stride: Stride of the expansion.
        squeeze: Channels of the squeeze-excite bottleneck; 0 for none.
        squeeze_act: Activation of the squeeze-excite bottleneck.
        gate: Gate function of the squeeze-excite.
    """

    kernel: int
    mid: int
    act: Act
    stride: int
    squeeze: int = 0
    squeeze_act: Act = Act.RELU
    gate: Act = Act.HSIGMOID

    def write(self, net: Builder, name: str, source: str, in_width: str, out_width: str) -> str:
        """Append the block; arguments as for `InvertedResidual.write`."""
        alone = self.mid == net.channels(in_width)
        width = out_width if alone else net.width(f"{name}.mid", self.mid)
        x = net.conv(f"{name}.fused", source, width, kernel=self.kernel, stride=self.stride, act=self.act)
        if self.squeeze:
            squeeze = net.width(f"{name}.squeeze", self.squeeze)
            x = net.squeeze_excite(f"{name}.se", x, squeeze, act=self.squeeze_act, gate=self.gate)
        if not alone:
            x = net.conv(f"{name}.project", x, out_width)
        if in_width == out_width and self.stride == 1:
            x = net.residual(f"{name}.sum", source, x)
        return x


@dataclass(frozen=True, kw_only=True, slots=True)
class GhostBottleneck:
    """Two ghost modules around a depthwise convolution where there is a stride (GhostNet, arXiv 1911.11907).

    A ghost module makes half of its channels, and a depthwise convolution of them the other half, so that channels
    must be even. That half has a width of its own.

    Attributes:
        kernel: Kernel of the strided depthwise convolution, and of the shortcut's.
        mid: Channels inside the block.
        squeeze: Channels of the squeeze-excite bottleneck; 0 for none.
        stride: Stride of the block.
        ghost_kernel: Kernel of the convolutions that make the ghosts.
        act: Activation of the first ghost module.
    """

    kernel: int
    mid: int
    squeeze: int
    stride: int
    ghost_kernel: int = 3
    act: Act = Act.RELU

    def write(self, net: Builder, name: str, source: str, in_width: str, out_width: str) -> str:
        """Append the block; it always ends in a sum, of the input itself or of a convolved one.

        Args:
            net: Where to write.
            name: Prefix of the layers' names.
            source: Layer the block reads.
            in_width: Width name of `source`.
            out_width: Width name of the block's output.
        """
        inside = net.width(f"{name}.half", self.mid // 2)
        x = write_ghost(net, f"{name}.expand", source, inside, kernel=self.ghost_kernel, act=self.act)
        if self.stride > 1:
            x = net.depthwise(f"{name}.depthwise", x, kernel=self.kernel, stride=self.stride)
        if self.squeeze:
            x = net.squeeze_excite(f"{name}.se", x, net.width(f"{name}.squeeze", self.squeeze))
        half = net.width(f"{out_width}.half", net.channels(out_width) // 2)
        x = write_ghost(net, f"{name}.project", x, half, kernel=self.ghost_kernel, act=Act.IDENTITY)
        if in_width != out_width or self.stride > 1:
            source = net.depthwise(f"{name}.shortcut.depthwise", source, kernel=self.kernel, stride=self.stride)
            source = net.conv(f"{name}.shortcut.pointwise", source, out_width)
        return net.residual(f"{name}.sum", source, x)


def write_ghost(net: Builder, name: str, source: str, half: str, *, kernel: int, act: Act) -> str:
    """Append a ghost module: a pointwise convolution, a cheap depthwise one of its output, and both together."""
    primary = net.conv(f"{name}.primary", source, half, act=act)
    ghosts = net.depthwise(f"{name}.ghosts", primary, kernel=kernel, act=act)
    return net.concat(f"{name}.both", primary, ghosts)
