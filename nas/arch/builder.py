"""Write an `Arch` layer by layer; every method returns the new layer's name, to be the next one's input."""

from __future__ import annotations

from nas.arch.arch import Arch
from nas.arch.layer import CLASSES, IMAGE, Layer
from nas.arch.op import Act, Kind


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
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        groups: int = 1,
        act: Act = Act.IDENTITY,
    ) -> str:
        """A convolution with batch norm and activation, "same" padding."""
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        return self.add(
            Layer(
                name=name,
                kind=Kind.CONV,
                inputs=(source,),
                width=width,
                kernel=size,
                stride=stride,
                groups=groups,
                act=act,
            )
        )

    def depthwise(self, name: str, source: str, *, kernel: int, stride: int = 1, act: Act = Act.IDENTITY) -> str:
        """A depthwise convolution with batch norm and activation, "same" padding."""
        return self.add(
            Layer(
                name=name,
                kind=Kind.CONV,
                inputs=(source,),
                kernel=(kernel, kernel),
                stride=stride,
                depthwise=True,
                act=act,
            )
        )

    def squeeze_excite(
        self, name: str, source: str, width: str, *, act: Act = Act.RELU, gate: Act = Act.HSIGMOID
    ) -> str:
        """Squeeze-excite with its bottleneck width."""
        return self.add(Layer(name=name, kind=Kind.SE, inputs=(source,), squeeze=width, act=act, gate=gate))

    def residual(self, name: str, left: str, right: str) -> str:
        """The sum of two layers of the same width."""
        return self.add(Layer(name=name, kind=Kind.ADD, inputs=(left, right)))

    def pool(self, name: str, source: str) -> str:
        """Global average pooling."""
        return self.add(Layer(name=name, kind=Kind.GLOBAL_POOL, inputs=(source,)))

    def linear(self, name: str, source: str, width: str, *, act: Act = Act.IDENTITY) -> str:
        """A linear layer with bias and activation."""
        return self.add(Layer(name=name, kind=Kind.LINEAR, inputs=(source,), width=width, act=act))

    def classify(self, source: str, *, classes: int) -> Arch:
        """Append the classifier and return the network."""
        self.linear("classifier", source, self.width(CLASSES, classes))
        return Arch(layers=tuple(self._layers), widths=self._widths, size_px=self._size_px)
