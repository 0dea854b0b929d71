"""`nas.create_model`: what users of other libraries expect of a model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import nas
from nas.arch import CLASSES, IMAGE, Act, Arch, Builder, Kind, Layer, to_json
from nas.errors import InputError
from nas.net import Network, save_network
from nas.pretrained import adapt, feature_maps
from tests.net.zoo import every_kind

SIZE_PX = 32


def small(*, classes: int = 5) -> Arch:
    """A stem, two blocks, the second with a stride, and a head."""
    net = Builder(size_px=SIZE_PX, image_channels=3)
    x = net.conv("stem", IMAGE, net.width("stem", 8), kernel=3, stride=2, act=Act.RELU)
    before = x
    x = net.depthwise("b0.depthwise", net.conv("b0.expand", x, net.width("mid", 16)), kernel=3)
    x = net.residual("b0.sum", before, net.conv("b0.project", x, "stem"))
    x = net.depthwise("b1.depthwise", net.conv("b1.expand", x, net.width("mid1", 16)), kernel=3, stride=2)
    x = net.conv("b1.project", x, net.width("out", 12))
    x = net.conv("head", x, net.width("head", 24), act=Act.RELU)
    return net.classify(net.pool("pool", x), classes=classes)


def images(channels: int = 3, n: int = 2) -> torch.Tensor:
    return torch.randn(n, channels, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with a searched and a trimmed network."""
    (tmp_path / "arch.json").write_text(to_json(small(classes=9)))
    (tmp_path / "trimmed.json").write_text(to_json(small()))
    save_network(tmp_path / "weights.safetensors", Network(small(), seed=7))
    return tmp_path


@torch.no_grad()
def test_a_name_a_file_a_folder_and_an_arch_make_models(run: Path) -> None:
    trained = Network(small(), seed=7).eval()(images())
    file, weights = run / "trimmed.json", run / "weights.safetensors"
    for model in (nas.create_model(run), nas.create_model(str(file), weights), nas.create_model(small(), str(weights))):
        assert isinstance(model, torch.nn.Module)
        assert not model.training
        assert torch.equal(model(images()), trained)
    assert nas.create_model("mobilenet_v3_small", num_classes=4)(images()).shape == (2, 4)


@torch.no_grad()
def test_other_classes_start_a_fresh_classifier_and_keep_the_rest(run: Path) -> None:
    trained, model = nas.create_model(run), nas.create_model(run, num_classes=3)
    assert model(images()).shape == (2, 3)
    own, theirs = model.tensors(), trained.tensors()
    assert all(torch.equal(own[name], theirs[name]) for name in own if not name.startswith("classifier."))
    assert own["classifier.weight"].std() > 0


def test_weights_may_have_the_classes_that_are_wanted(tmp_path: Path) -> None:
    tuned = Network(small(classes=3), seed=1)
    save_network(tmp_path / "tuned.safetensors", tuned)
    model = nas.create_model(small(), tmp_path / "tuned.safetensors", num_classes=3)
    assert torch.equal(model.tensors()["classifier.weight"], tuned.tensors()["classifier.weight"])


@torch.no_grad()
def test_grey_and_many_channels_see_what_colour_saw(run: Path) -> None:
    trained = nas.create_model(run)
    grey = images(1)
    expected = trained(grey.repeat(1, 3, 1, 1))
    for channels in (1, 2, 4, 6):
        model = nas.create_model(run, in_channels=channels)
        torch.testing.assert_close(model(grey.repeat(1, channels, 1, 1)), expected) if channels in (1, 6) else None
        assert model(images(channels)).shape == expected.shape
    assert trained(images()).shape == expected.shape


@torch.no_grad()
def test_feature_maps_are_the_last_of_each_resolution(run: Path) -> None:
    model = nas.create_model(run, features_only=True)
    assert [found.layer for found in model.feature_info.maps] == ["b0.sum", "head"]
    assert (model.feature_info.channels(), model.feature_info.reduction()) == ([8, 24], [2, 4])
    found = model(images())
    assert [tuple(x.shape) for x in found] == [(2, 8, 16, 16), (2, 24, 8, 8)]
    whole = nas.create_model(run)
    classifier = [whole.tensors()[f"classifier.{key}"] for key in ("weight", "bias")]
    torch.testing.assert_close(torch.nn.functional.linear(found[-1].mean((2, 3)), *classifier), whole(images()))
    assert [tuple(x.shape[2:]) for x in model(torch.zeros(1, 3, 48, 48))] == [(24, 24), (12, 12)]


def test_feature_maps_of_a_known_network() -> None:
    model = nas.create_model("mobilenet_v3_large", features_only=True)
    assert model.feature_info.channels() == [16, 24, 40, 112, 960]
    assert model.feature_info.reduction() == [2, 4, 8, 16, 32]


def test_a_model_trains_on() -> None:
    model = nas.create_model(small(), in_channels=1, num_classes=2).train()
    model(images(1, n=4)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def linear() -> Arch:
    layers = (Layer(name="fc", kind=Kind.LINEAR, inputs=(IMAGE,), width="out"),)
    return Arch(layers=layers, widths={IMAGE: 3, "out": 4}, size_px=2)


def test_bad_input_is_refused_in_one_line(run: Path) -> None:
    other = run / "other.safetensors"
    save_network(other, Network(every_kind()))
    for attempt, says in (
        (lambda: nas.create_model("mobilenet_v3_largo"), "did you mean 'mobilenet_v3_large'"),
        (lambda: nas.create_model(small(), other), "not named as in|weights of another network"),
        (lambda: nas.create_model(small(), run / "none.pth"), "is no file"),
        (lambda: nas.create_model(small(), other, num_classes=3), "not named as in|weights of another network"),
        (lambda: nas.create_model(small(), num_classes=0), f"{CLASSES} = 0: must be at least 1"),
        (lambda: nas.create_model(small(), in_channels=-1), f"{IMAGE} = -1: must be at least 1"),
        (lambda: adapt(Network(linear()), classes=3), "has no width 'classes'"),
        (lambda: adapt(Network(linear()), image_channels=1), "layer 'fc' reads the image"),
        (lambda: feature_maps(linear()), "has no feature maps"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            attempt()
        assert "\n" not in str(caught.value)


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'create_modle'"):
        nas.create_modle  # noqa: B018
