"""Weights of others compute in our networks what they computed in theirs, or are refused by name."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from nas.arch import IMAGE, Act, Arch, Builder
from nas.errors import InputError
from nas.net import Network, save_network
from nas.pretrained import load_pretrained
from nas.pretrained.order import in_order


class Gate(nn.Module):
    """Squeeze-excite as torchvision names it."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeeze, 1), nn.Conv2d(squeeze, channels, 1)

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True)
        return x * nn.functional.hardsigmoid(self.fc2(self.fc1(mean).relu()))


class Block(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        depthwise = conv(channels, channels, kernel=3, groups=channels)
        self.block = nn.Sequential(depthwise, Gate(channels, 4), conv(channels, out))

    def forward(self, x):
        return self.block(x)


def conv(channels: int, out: int, *, kernel: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(channels, out, kernel, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out, eps=1e-3))


class Theirs(nn.Module):
    """A little network with the names of torchvision's MobileNetV3, and its epsilon."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(conv(3, 8, kernel=3), Block(8, 12))
        self.classifier = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 5))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def ours(*, classes: int = 5, project: int = 12) -> Arch:
    net = Builder(size_px=8, image_channels=3)
    x = net.conv("stem", IMAGE, net.width("stem", 8), kernel=3)
    x = net.depthwise("b0.depthwise", x, kernel=3)
    x = net.squeeze_excite("b0.se", x, net.width("squeeze", 4))
    x = net.conv("b0.project", x, net.width("project", project))
    x = net.linear("features", net.pool("pool", x), net.width("features", 16), act=Act.RELU)
    return net.classify(x, classes=classes)


@pytest.fixture
def theirs() -> nn.Module:
    torch.manual_seed(0)
    model = Theirs()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(0.01 * torch.rand(tensor.shape) if "running_var" in name else torch.randn(tensor.shape))
    assert logits(model).std(dim=0).min() > 0  # they depend on the image
    return model


def logits(model: nn.Module) -> torch.Tensor:
    x = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return model.eval()(x)


@pytest.mark.parametrize("form", ["pth", "checkpoint", "safetensors"])
def test_outputs_are_equal_whatever_the_file_and_its_order(form: str, theirs: nn.Module, tmp_path: Path) -> None:
    file = tmp_path / "weights"  # no suffix: the content tells
    state = theirs.state_dict()
    match form:
        case "pth":
            torch.save(state, file)
        case "checkpoint":
            torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, file)
        case _:
            safetensors.torch.save_file(dict(sorted(state.items(), reverse=True)), file)
    network = Network(ours())
    assert load_pretrained(network, file) is network
    torch.testing.assert_close(logits(network), logits(theirs), rtol=1e-4, atol=1e-5)


def test_the_epsilon_can_be_told(theirs: nn.Module, tmp_path: Path) -> None:
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    right, wrong = (load_pretrained(Network(ours()), tmp_path / "weights.pth", epsilon=value) for value in (1e-3, 1e-5))
    assert torch.allclose(logits(right), logits(theirs), rtol=1e-4)
    assert not torch.allclose(logits(wrong), logits(theirs), rtol=1e-4)


def test_our_own_files_are_read_too(tmp_path: Path) -> None:
    network = Network(ours(), seed=3)
    save_network(tmp_path / "weights.safetensors", network)
    read = load_pretrained(Network(ours()), tmp_path / "weights.safetensors")
    assert torch.equal(logits(read), logits(network))
    del_one = {name: tensor for name, tensor in read.tensors().items() if name != "stem.gamma"}
    safetensors.torch.save_file(del_one, tmp_path / "less.safetensors")
    with pytest.raises(InputError, match=r"the file has no 'stem\.gamma'"):
        load_pretrained(Network(ours()), tmp_path / "less.safetensors")


@pytest.mark.parametrize(
    ("arch", "says"),
    [
        (ours(project=16), r"'features\.1\.block\.2\.0\.weight' is \(12, 8, 1, 1\) .* 'b0\.project\.weight' needs"),
        (ours(classes=7), r"'classifier\.3\.weight' is \(5, 16\) .* 'classifier\.weight' needs \(7, 16\)"),
    ],
)
def test_weights_of_another_network_are_refused_by_name(
    arch: Arch, says: str, theirs: nn.Module, tmp_path: Path
) -> None:
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    network = Network(arch)
    before = logits(network)
    with pytest.raises(InputError, match=says):
        load_pretrained(network, tmp_path / "weights.pth")
    assert torch.equal(logits(network), before)


def changed(theirs: nn.Module, how: str) -> dict[str, torch.Tensor]:
    state = dict(theirs.state_dict())
    match how:
        case "fewer":
            return {name: value for name, value in state.items() if not name.startswith("classifier.3")}
        case "more":
            return {**state, "classifier.4.weight": torch.zeros(2, 5), "classifier.4.bias": torch.zeros(2)}
        case "no bias":
            return {name: value for name, value in state.items() if name != "classifier.0.bias"}
        case "whole numbers":
            return {**state, "classifier.0.bias": torch.zeros(16, dtype=torch.int64)}
        case _:
            return {f"{how}.{name}": value for name, value in state.items()}


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("fewer", r"the file has nothing for 'classifier\.weight'"),
        ("more", r"the network has nothing for 'classifier\.4'"),
        ("no bias", r"'classifier\.0' stands for 'features\.weight', but the file has no 'bias'"),
        ("whole numbers", r"'classifier\.0\.bias' is \(16,\) of int64"),
        ("transformer", r"not named as in the state dicts of torchvision and timm"),
    ],
)
def test_files_that_do_not_fit_are_refused(how: str, says: str, theirs: nn.Module, tmp_path: Path) -> None:
    torch.save(changed(theirs, how), tmp_path / "weights.pth")
    with pytest.raises(InputError, match=says) as caught:
        load_pretrained(Network(ours()), tmp_path / "weights.pth")
    assert "\n" not in str(caught.value)


class Code:
    """What must never be unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("the file's code was run",))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is no file"),
        (b"", "cannot read"),
        (b"\x10\0\0\0\0\0\0\0{broken}", "cannot read"),
        (Code(), "cannot read"),
        ({"a": 1}, "'a' is a int, not a tensor"),
        ([1], "holds list, not named tensors"),
    ],
)
def test_damaged_files_and_code_are_refused(content: object, says: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(InputError, match=says) as caught:
        load_pretrained(Network(ours()), file)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)  # torch's advice, to load what must not be


@pytest.mark.parametrize(
    "kernels",
    [
        (
            "conv1",
            "layer1.0.conv1",
            "layer1.0.conv2",
            "layer1.0.downsample.0",
            "layer1.1.conv1",
            "layer2.0.conv1",
            "fc",
        ),
        (
            "conv_stem",
            "blocks.0.0.conv_dw",
            "blocks.0.0.se.conv_reduce",
            "blocks.0.0.se.conv_expand",
            "blocks.0.0.conv_pw",
            "blocks.1.0.conv_pw",
            "blocks.1.0.conv_dw",
            "blocks.1.0.conv_pwl",
            "blocks.10.0.conv",
            "conv_head",
            "classifier",
        ),
        (
            "features.0.0",
            "features.2.block.0.0",
            "features.2.block.1.fc1",
            "features.2.block.1.fc2",
            "features.2.block.2.0",
            "features.10.0",
            "classifier.0",
            "classifier.3",
        ),
        (
            "conv1.0",
            "stage2.0.branch1.0",
            "stage2.0.branch2.0",
            "stage2.0.branch2.3",
            "stage3.0.branch1.0",
            "conv5.0",
            "fc",
        ),
        (
            "features.0",
            "features.3.squeeze",
            "features.3.expand1x1",
            "features.3.expand3x3",
            "features.12.squeeze",
            "classifier.1",
        ),
        (
            "features.conv0",
            "features.denseblock1.denselayer2.conv1",
            "features.denseblock1.denselayer2.conv2",
            "features.denseblock1.denselayer10.conv1",
            "features.transition1.conv",
            "features.denseblock2.denselayer1.conv.1",
            "features.denseblock2.denselayer1.conv2",
            "classifier",
        ),
    ],
    ids=["resnet", "timm", "torchvision", "shufflenet", "squeezenet", "densenet"],
)
def test_names_are_put_in_the_order_of_execution(kernels: tuple[str, ...]) -> None:
    state = {f"{name}.weight": torch.zeros(1) for name in random.Random(0).sample(kernels, len(kernels))}
    assert tuple(module.name for module in in_order(state, where="test").kernels) == kernels
