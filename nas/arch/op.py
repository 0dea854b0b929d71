"""Primitive operations of a network: shape-complete, hashable values of the granularity that runtimes execute."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The closed set of operations; readings `match` over it and end in `assert_never`."""

    CONV = "conv"  # with its folded batch norm (or bias) and activation; depthwise when groups == in_channels
    NORM = "norm"  # a batch norm of its own, with activation (pre-activation networks)
    ACT = "act"
    SE = "se"  # squeeze-excite: x * gate(up(act(down(mean(x)))))
    ADD = "add"
    CONCAT = "concat"
    SLICE = "slice"  # a run of channels
    SHUFFLE = "shuffle"  # channel shuffle of ShuffleNet, `groups` groups
    MAX_POOL = "max_pool"
    AVG_POOL = "avg_pool"
    GLOBAL_POOL = "global_pool"
    LINEAR = "linear"  # flattens its input


LEAKY_SLOPE = 0.1  # of the leaky ReLU below zero


class Act(StrEnum):
    """Activation functions."""

    IDENTITY = "identity"
    RELU = "relu"
    RELU6 = "relu6"
    HSWISH = "hswish"
    HSIGMOID = "hsigmoid"
    SIGMOID = "sigmoid"
    SWISH = "swish"
    GELU = "gelu"
    TANH = "tanh"
    LEAKY_RELU = "leaky_relu"


@dataclass(frozen=True, kw_only=True, slots=True)
class Op:
    """One operation bound to numbers.

    Attributes:
        kind: What it computes.
        in_channels: Channels of all inputs together (CONCAT) or of each input (everything else).
        out_channels: Channels of the output.
        in_px: Height and width of the input, pixels.
        out_px: Height and width of the output, pixels.
        kernel: Kernel height and width (CONV, pools).
        padding: Pixels added at each side, vertical and horizontal (CONV, pools).
        squeeze: Channels of the bottleneck (SE).
        gate: Gate function (SE).
        begin: First channel taken (SLICE).
        norm: CONV carries a batch norm (folded at inference) instead of a bias.
        arity: Number of inputs.
        bias: CONV without batch norm and LINEAR: whether there is a bias; true wherever that is no question.
        ceil: MAX_POOL: the last window reaches past the end.
        counts_padding: AVG_POOL: the zeros of the padding count; true wherever there are none.
    """

    kind: Kind
    in_channels: int
    out_channels: int
    in_px: int
    out_px: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    dilation: int = 1
    groups: int = 1
    act: Act = Act.IDENTITY
    squeeze: int = 0
    gate: Act = Act.IDENTITY
    begin: int = 0
    norm: bool = True
    arity: int = 1
    bias: bool = True
    ceil: bool = False
    counts_padding: bool = True

    @property
    def depthwise(self) -> bool:
        """Whether this is a convolution with one filter a channel."""
        return self.kind is Kind.CONV and self.groups == self.in_channels == self.out_channels > 1

    @property
    def past_end(self) -> tuple[int, int]:
        """Pixels by which the last window reaches past the padded end, vertical and horizontal (CONV, pools)."""
        spans = [(self.out_px - 1) * self.stride + (size - 1) * self.dilation + 1 for size in self.kernel]
        down, right = (max(0, span - self.in_px - 2 * pad) for span, pad in zip(spans, self.padding, strict=True))
        return down, right

    @property
    def in_features(self) -> int:
        """Length of the flattened input (LINEAR)."""
        return self.in_channels * self.in_px * self.in_px
