import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.arch import IMAGE, Arch, Kind, Layer, digest, from_json, to_json
from nas.errors import InputError

EVERYTHING = Arch(
    layers=(
        Layer(name="a", kind=Kind.CONV, inputs=(IMAGE,), width="w", kernel=(1, 3), dilation=2, norm=False, bias=False),
        Layer(name="b", kind=Kind.SLICE, inputs=("a",), width="rest", skip=("half",)),
        Layer(name="c", kind=Kind.AVG_POOL, inputs=("b",), kernel=(3, 3), stride=2, counts_padding=False),
        Layer(name="d", kind=Kind.SHUFFLE, inputs=("c",), groups=2),
        Layer(name="e", kind=Kind.MAX_POOL, inputs=("d",), kernel=(3, 3), stride=2, padding=(0, 0), ceil=True),
    ),
    widths={IMAGE: 3, "w": 8, "half": 4, "rest": 4},
    size_px=8,
)


@given(st.integers(0, 10_000))
def test_round_trip(random_arch, seed):
    arch = random_arch(seed)
    text = to_json(arch)
    assert from_json(text) == arch
    assert to_json(from_json(text)) == text


def test_round_trip_of_every_field():
    assert from_json(to_json(EVERYTHING)) == EVERYTHING
    assert json.loads(to_json(EVERYTHING))["digest"] == digest(EVERYTHING)


@given(st.integers(0, 10_000), st.data())
def test_any_truncation_is_an_input_error(random_arch, seed, data):
    text = to_json(random_arch(seed)).rstrip()
    end = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(InputError, match=r"net\.json"):
        from_json(text[:end], where="net.json")


def edited(change):
    data = json.loads(to_json(EVERYTHING))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.update(schema=2), "schema 2"),
        (lambda data: data.update(digest="0" * 16), "was it edited"),
        (lambda data: data.update(size_px=16), "was it edited"),
        (lambda data: data["widths"].update(w=16), "was it edited"),
        (lambda data: data.update(layrs=[]), "did you mean 'layers'"),
        (lambda data: data.pop("layers"), "needs 'layers'"),
        (lambda data: data.update(size_px=8.0), "size_px"),
        (lambda data: data.update(size_px=True), "size_px"),
        (lambda data: data.update(size_px=0), "size_px"),
        (lambda data: data["widths"].update(w="8"), "whole numbers"),
        (lambda data: data["widths"].update(w=None), "whole numbers"),
        (lambda data: data["widths"].pop("w"), "width 'w' is 0"),
        (lambda data: data["widths"].pop(IMAGE), "width 'image' is 0"),
        (lambda data: data["layers"].append("conv"), "must be an object"),
        (lambda data: data["layers"][0].update(kernal=[3, 3]), "did you mean 'kernel'"),
        (lambda data: data["layers"][0].update(kind="convolution"), "unknown kind"),
        (lambda data: data["layers"][0].update(act="rleu"), "did you mean 'relu'"),
        (lambda data: data["layers"][0].update(kernel=[3]), "two whole numbers"),
        (lambda data: data["layers"][0].update(kernel=[0, 0]), "does not fit"),
        (lambda data: data["layers"][0].update(padding=[-1, -1]), "two whole numbers"),
        (lambda data: data["layers"][0].update(kernel=["3", "3"]), "kernel"),
        (lambda data: data["layers"][0].update(stride=0), "stride"),
        (lambda data: data["layers"][0].update(groups=True), "groups"),
        (lambda data: data["layers"][0].update(norm=1), "norm"),
        (lambda data: data["layers"][0].update(inputs="image"), "inputs"),
        (lambda data: data["layers"][0].pop("inputs"), "lacks inputs"),
    ],
)
def test_bad_files_are_input_errors(change, says):
    with pytest.raises(InputError, match=says):
        from_json(edited(change))


@pytest.mark.parametrize("text", ["", "null", "[]", "3", "NaN", "[" * 100_000, "9" * 5000, '{"schema": 1}'])
def test_what_is_no_network_is_an_input_error(text):
    with pytest.raises(InputError):
        from_json(text)
