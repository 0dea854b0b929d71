"""A layer: an operation written against named widths, before any channel count is known."""

from __future__ import annotations

from dataclasses import dataclass

from nas.arch.op import Act, Kind

IMAGE = "image"  # name of the network's input, as a layer input and as a width
CLASSES = "classes"  # name of the width of the network's output


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One node of a network.

    Layers whose channel counts must agree (a residual sum, a depthwise convolution and its input) share a width
    *name*; that is all a trimming step has to know.

    Attributes:
        name: Unique; dots nest (`"s2.b0.expand"`). Weights are found under it.
        inputs: Names of the layers it reads, or `IMAGE`.
        width: Name of the output's width (CONV that is not depthwise, LINEAR, SLICE); elsewhere the width follows
            from the inputs and this is empty.
        squeeze: Width name of the bottleneck (SE).
        skip: Names of the widths of the channels before the ones taken (SLICE).
        padding: None means "same": (kernel - 1) * dilation / 2 at each side.
        depthwise: CONV with one filter a channel.
        groups: Groups of a CONV that is not depthwise, or of a SHUFFLE.
        norm: CONV has a batch norm.
        bias: CONV without batch norm and LINEAR: whether there is a bias.
        ceil: MAX_POOL: the last window may reach past the end, so that no pixel is left out.
        counts_padding: AVG_POOL: the zeros of the padding count.
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    width: str = ""
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: tuple[int, int] | None = None
    dilation: int = 1
    depthwise: bool = False
    groups: int = 1
    act: Act = Act.IDENTITY
    squeeze: str = ""
    gate: Act = Act.IDENTITY
    skip: tuple[str, ...] = ()
    norm: bool = True
    bias: bool = True
    ceil: bool = False
    counts_padding: bool = True
