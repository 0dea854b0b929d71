"""Arch <-> JSON. The file is data: unknown keys, kinds or types are refused with their place named."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from nas.arch.arch import Arch
from nas.arch.digest import digest
from nas.arch.layer import Layer
from nas.arch.op import Act, Kind
from nas.errors import InputError, did_you_mean

SCHEMA = 1
_TOP = ("schema", "digest", "size_px", "widths", "layers")
_FIELDS = {field.name: field for field in dataclasses.fields(Layer)}
_ENUMS: Mapping[str, type[Kind | Act]] = {"kind": Kind, "act": Act, "gate": Act}
_TUPLES: Mapping[str, type] = {"inputs": str, "skip": str, "kernel": int, "padding": int}
_SCALARS: Mapping[str, type] = {
    "name": str,
    "width": str,
    "squeeze": str,
    "stride": int,
    "dilation": int,
    "groups": int,
    "depthwise": bool,
    "norm": bool,
    "bias": bool,
    "ceil": bool,
    "counts_padding": bool,
}


def to_json(arch: Arch) -> str:
    """Write a network as JSON text; fields at their default are left out."""
    layers = [
        {
            name: getattr(layer, name)
            for name, field in _FIELDS.items()
            if field.default is dataclasses.MISSING or getattr(layer, name) != field.default
        }
        for layer in arch.layers
    ]
    lines = ",\n".join("    " + json.dumps(layer) for layer in layers)
    head = json.dumps({"schema": SCHEMA, "digest": digest(arch), "size_px": arch.size_px})[1:-1]
    return f'{{\n  {head},\n  "widths": {json.dumps(dict(arch.widths))},\n  "layers": [\n{lines}\n  ]\n}}\n'


def from_json(text: str, *, where: str = "architecture") -> Arch:
    """Read a network back.

    Args:
        text: What `to_json` wrote.
        where: What to call the source in an error, usually the file's path.

    Raises:
        InputError: The text is not JSON, is of another schema, or does not describe a network.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON ({error})") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise InputError(f"{where}: schema {found!r}, this version reads {SCHEMA}")
    for key in data:
        if key not in _TOP:
            raise InputError(f"{where}: unknown key '{key}'{did_you_mean(key, _TOP)}")
    widths, layers, size_px = data.get("widths"), data.get("layers"), data.get("size_px")
    if not isinstance(widths, dict) or not all(_is(value, int) for value in widths.values()):
        raise InputError(f"{where}: 'widths' must map names to whole numbers")
    if not isinstance(layers, list) or not isinstance(size_px, int) or isinstance(size_px, bool):
        raise InputError(f"{where}: needs 'layers' (a list) and 'size_px' (a whole number)")
    read = tuple(_layer(item, where) for item in layers)
    try:
        arch = Arch(layers=read, widths=widths, size_px=size_px)
        found = digest(arch)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if data.get("digest", found) != found:
        raise InputError(f"{where}: digest {data['digest']} does not match its layers ({found}); was it edited?")
    return arch


def _layer(data: object, where: str) -> Layer:
    if not isinstance(data, dict):
        raise InputError(f"{where}: every layer must be an object, found {type(data).__name__}")
    for key in data:
        if key not in _FIELDS:
            raise InputError(f"{where}: unknown layer key '{key}'{did_you_mean(str(key), _FIELDS)}")
    missing = {"name", "kind", "inputs"} - set(data)
    if missing:
        raise InputError(f"{where}: layer {data.get('name', '?')!r} lacks {', '.join(sorted(missing))}")
    return Layer(**{key: _value(key, value, where) for key, value in data.items()})


def _value(key: str, value: object, where: str) -> Any:
    if key in _ENUMS:
        try:
            return _ENUMS[key](str(value))
        except ValueError:
            raise InputError(f"{where}: unknown {key} '{value}'{did_you_mean(str(value), list(_ENUMS[key]))}") from None
    if key in _TUPLES and (isinstance(value, list) and all(_is(item, _TUPLES[key]) for item in value)):
        if _TUPLES[key] is int and (len(value) != 2 or min(value) < 0):
            raise InputError(f"{where}: {key} must be two whole numbers, found {value}")
        return tuple(value)
    if key in _SCALARS and _is(value, _SCALARS[key]) and not (_SCALARS[key] is int and value < 1):  # type: ignore[operator]
        return value
    raise InputError(f"{where}: layer key '{key}' cannot be {value!r}")


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
