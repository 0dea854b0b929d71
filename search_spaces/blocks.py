"""Blocks that families share, written once against a `Builder`."""

from __future__ import annotations

from dataclasses import dataclass

from nas.arch import Act, Builder


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round channels to a multiple of `divisor`, never losing more than 10 % (MobileNetV2's rule).

    >>> make_divisible(18), make_divisible(8 * 0.75), make_divisible(3.0)
    (24, 8, 8)
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


@dataclass(frozen=True, kw_only=True, slots=True)
class InvertedResidual:
    """An inverted residual block (MobileNetV2, MobileNetV3: arXiv 1801.04381, 1905.02244).

    Attributes:
        kernel: Kernel of the depthwise convolution.
        mid: Channels inside the block; equal to the input's: no expansion convolution.
        squeeze: Channels of the squeeze-excite bottleneck; 0 for none.
        act: Activation of the expansion and the depthwise convolution.
        stride: Stride of the depthwise convolution.
    """

    kernel: int
    mid: int
    squeeze: int
    act: Act
    stride: int

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
        if self.mid != net.channels(in_width):
            x = net.conv(f"{name}.expand", x, net.width(f"{name}.mid", self.mid), act=self.act)
        x = net.depthwise(f"{name}.depthwise", x, kernel=self.kernel, stride=self.stride, act=self.act)
        if self.squeeze:
            x = net.squeeze_excite(f"{name}.se", x, net.width(f"{name}.squeeze", self.squeeze))
        x = net.conv(f"{name}.project", x, out_width)
        if in_width == out_width and self.stride == 1:
            x = net.residual(f"{name}.sum", source, x)
        return x
