"""Write an `Arch` layer by layer; every method returns the new layer's name, to be the next one's input."""

from __future__ import annotations

from nas.arch.arch import Arch
from nas.arch.layer import CLASSES, IMAGE, Layer
from nas.arch.op import Act, Kind

Size = int | tuple[int, int]  # one number for both directions, or height and width


class Builder:
    """Collects layers and widths. A width is given as a name and, once, its channels.

    >>> net = Builder(size_px=28, image_channels=1)
    >>> stem = net.conv("stem", IMAGE, net.width("stem", 16), kernel=3, stride=2, act=Act.RELU)
    >>> arch = net.classify(net.pool("pool", stem), classes=10)
    >>> [op.out_px for op in arch.ops()]
    [14, 1, 1]
    """

    def __init__(self, *, size_px: int, image_channels: int) -> None:
        self._size_px = size_px
        self._layers: list[Layer] = []
        self._widths = {IMAGE: image_channels}

    def width(self, name: str, channels: int) -> str:
        """Name a width and give its channels; return the name."""
        self._widths[name] = channels
        return name

    def channels(self, width: str) -> int:
        """Channels given to a width."""
        return self._widths[width]

    def add(self, layer: Layer) -> str:
        """Append any layer."""
        self._layers.append(layer)
        return layer.name

    def conv(
        self,
        name: str,
        source: str,
        width: str,
        *,
        kernel: Size = 1,
        stride: int = 1,
        padding: Size | None = None,
        dilation: int = 1,
        groups: int = 1,
        act: Act = Act.IDENTITY,
        norm: bool = True,
        bias: bool = True,
    ) -> str:
        """A convolution with batch norm and activation, "same" padding; without `norm` it has a `bias`, or neither."""
        return self.add(
            Layer(
                name=name,
                kind=Kind.CONV,
                inputs=(source,),
                width=width,
                kernel=_pair(kernel),
                stride=stride,
                padding=None if padding is None else _pair(padding),
                dilation=dilation,
                groups=groups,
                act=act,
                norm=norm,
                bias=bias,
            )
        )

    def depthwise(
        self,
        name: str,
        source: str,
        *,
        kernel: Size,
        stride: int = 1,
        padding: Size | None = None,
        dilation: int = 1,
        act: Act = Act.IDENTITY,
        norm: bool = True,
        bias: bool = True,
    ) -> str:
        """A depthwise convolution; options as for `conv`."""
        return self.add(
            Layer(
                name=name,
                kind=Kind.CONV,
                inputs=(source,),
                kernel=_pair(kernel),
                stride=stride,
                padding=None if padding is None else _pair(padding),
                dilation=dilation,
                depthwise=True,
                act=act,
                norm=norm,
                bias=bias,
            )
        )

    def squeeze_excite(
        self, name: str, source: str, width: str, *, act: Act = Act.RELU, gate: Act = Act.HSIGMOID
    ) -> str:
        """Squeeze-excite with its bottleneck width."""
        return self.add(Layer(name=name, kind=Kind.SE, inputs=(source,), squeeze=width, act=act, gate=gate))

    def residual(self, name: str, left: str, right: str, *, act: Act = Act.IDENTITY) -> str:
        """The sum of two layers of the same width; the runtime computes it with `right` where that is a convolution."""
        return self.add(Layer(name=name, kind=Kind.ADD, inputs=(left, right), act=act))

    def concat(self, name: str, *sources: str) -> str:
        """The channels of several layers, one after the other."""
        return self.add(Layer(name=name, kind=Kind.CONCAT, inputs=sources))

    def slice(self, name: str, source: str, width: str, *, skip: tuple[str, ...] = ()) -> str:
        """A run of as many channels as `width` says, behind the channels of the widths in `skip`."""
        return self.add(Layer(name=name, kind=Kind.SLICE, inputs=(source,), width=width, skip=skip))

    def shuffle(self, name: str, source: str, *, groups: int) -> str:
        """Channel shuffle: the first channels of all groups, then the second ones, and so on."""
        return self.add(Layer(name=name, kind=Kind.SHUFFLE, inputs=(source,), groups=groups))

    def norm(self, name: str, source: str, *, act: Act = Act.IDENTITY) -> str:
        """A batch norm of its own, with activation (pre-activation networks)."""
        return self.add(Layer(name=name, kind=Kind.NORM, inputs=(source,), act=act))

    def act(self, name: str, source: str, act: Act) -> str:
        """An activation of its own."""
        return self.add(Layer(name=name, kind=Kind.ACT, inputs=(source,), act=act))

    def max_pool(
        self, name: str, source: str, *, kernel: int, stride: int = 1, padding: int | None = None, ceil: bool = False
    ) -> str:
        """Max pooling, "same" padding; with `ceil` the last window may reach past the end."""
        return self.add(
            Layer(
                name=name,
                kind=Kind.MAX_POOL,
                inputs=(source,),
                kernel=_pair(kernel),
                stride=stride,
                padding=None if padding is None else _pair(padding),
                ceil=ceil,
            )
        )

    def avg_pool(
        self,
        name: str,
        source: str,
        *,
        kernel: int,
        stride: int = 1,
        padding: int | None = None,
        counts_padding: bool = True,
    ) -> str:
        """Average pooling, "same" padding; the zeros of the padding count unless `counts_padding` is false."""
        return self.add(
            Layer(
                name=name,
                kind=Kind.AVG_POOL,
                inputs=(source,),
                kernel=_pair(kernel),
                stride=stride,
                padding=None if padding is None else _pair(padding),
                counts_padding=counts_padding,
            )
        )

    def pool(self, name: str, source: str) -> str:
        """Global average pooling."""
        return self.add(Layer(name=name, kind=Kind.GLOBAL_POOL, inputs=(source,)))

    def linear(self, name: str, source: str, width: str, *, act: Act = Act.IDENTITY, bias: bool = True) -> str:
        """A linear layer with activation; it flattens its input."""
        return self.add(Layer(name=name, kind=Kind.LINEAR, inputs=(source,), width=width, act=act, bias=bias))

    def classify(self, source: str, *, classes: int) -> Arch:
        """Append the classifier and return the network."""
        self.linear("classifier", source, self.width(CLASSES, classes))
        return self.finish()

    def finish(self) -> Arch:
        """Return the network; the last layer is its output."""
        return Arch(layers=tuple(self._layers), widths=self._widths, size_px=self._size_px)


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
