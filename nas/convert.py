"""Plain data (from YAML, JSON or the command line) to frozen dataclasses: strictly, and calling nothing it names."""

from __future__ import annotations

import dataclasses
import enum
import sys
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from nas.errors import InputError, did_you_mean

T = TypeVar("T")

MISSING = "???"  # how OmegaConf's YAML marks a value that the user must give


def build(cls: type[T], data: object, where: str = "", *, given: Mapping[str, object] = MappingProxyType({})) -> T:
    """Fill a dataclass from a mapping, checking every key and value.

    Whole numbers are taken for floats and lists for tuples; nothing else is guessed.

    Args:
        cls: A dataclass; its fields may be scalars, `Path`, enums, `Literal`, tuples, optional values, mappings and
            further dataclasses.
        data: Mapping of field names to plain values.
        where: Path of `data` in the configuration, for messages; empty at the top.
        given: Fields that the program fills; `data` must not name them.

    Raises:
        InputError: An unknown or missing key, a value of the wrong type, NaN, infinity, or what the class refuses.

    >>> @dataclasses.dataclass(frozen=True, kw_only=True)
    ... class Point:
    ...     x: float
    ...     labels: tuple[str, ...] = ()
    >>> build(Point, {"x": 1, "labels": ["a"]})
    Point(x=1.0, labels=('a',))
    >>> build(Point, {"x": "far"}, "start")
    Traceback (most recent call last):
    nas.errors.InputError: start.x = 'far': expected a number
    """
    every: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(cls)  # type: ignore[arg-type]
    fields = {field.name: field for field in every if field.init and field.name not in given}
    if not isinstance(data, Mapping):
        raise _wrong(where, data, f"a group of keys ({', '.join(fields)})")
    refuse_unknown(data, fields, where)
    for name, field in fields.items():
        if data.get(name, MISSING) == MISSING and (name in data or _required(field)):
            raise InputError(f"{_join(where, name)} is not set; give {_join(where, name)}=<value>")
    hints = get_type_hints(cls)
    values = {str(key): convert(hints[key], value, _join(where, str(key))) for key, value in data.items()}
    try:
        return cls(**values, **given)
    except ValueError as error:
        raise InputError(f"{where or 'configuration'}: {error}") from None
    except InputError as error:  # a class names its own field, a user the whole key
        if str(error).partition("=")[0].strip() not in fields:
            raise
        raise InputError(_join(where, str(error))) from None


def refuse_unknown(keys: Iterable[object], known: Collection[str], where: str = "") -> None:
    """Check that all keys of a group are known.

    Raises:
        InputError: One is not; the message has the nearest known key, or all of them.
    """
    for key in map(str, keys):
        if key not in known:
            hint = did_you_mean(key, known) or f"; known: {', '.join(known)}"
            raise InputError(f"unknown key '{_join(where, key)}'{hint}")


def convert(kind: Any, value: object, where: str) -> Any:
    """Return `value` as the annotated type `kind`.

    Raises:
        InputError: It is not one; the message names the key, the value and what is expected.
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return build(kind, value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is Literal:
        return _one_of(arguments, value, where)
    if origin in (Union, types.UnionType):
        return _first_that_fits(arguments, value, where)
    if origin is tuple:
        return _tuple(arguments, value, where)
    if (origin or kind) in (Mapping, dict):
        return _mapping(arguments, value, where)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(_one_of(tuple(member.value for member in kind), value, where))
    return _SCALARS[kind](value, where)


def _boolean(value: object, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong(where, value, "true or false")


def _whole_number(value: object, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _wrong(where, value, "a whole number")


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(where, value, "a number")
    if not abs(value) <= sys.float_info.max:  # NaN, infinity, or a whole number too large for a float
        raise _wrong(where, value, "a finite number")
    return float(value)


def _text(value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # name=3 is a name
    raise _wrong(where, value, "text")


def _path(value: object, where: str) -> Path:
    return Path(_text(value, where)).expanduser()


def _nothing(value: object, where: str) -> None:
    if value is not None:
        raise _wrong(where, value, "null")


_SCALARS: Mapping[type, Callable[[object, str], object]] = MappingProxyType(
    {bool: _boolean, int: _whole_number, float: _number, str: _text, Path: _path, types.NoneType: _nothing}
)


def _one_of(options: tuple[object, ...], value: object, where: str) -> object:
    if value in options:
        return value
    near = did_you_mean(value, map(str, options)) if isinstance(value, str) else ""
    raise _wrong(where, value, f"one of {', '.join(map(str, options))}{near}")


def _first_that_fits(kinds: tuple[Any, ...], value: object, where: str) -> object:
    if value is None and types.NoneType in kinds:
        return None
    *others, last = (kind for kind in kinds if kind is not types.NoneType)
    for kind in others:
        try:
            return convert(kind, value, where)
        except InputError:
            continue
    return convert(last, value, where)


def _tuple(kinds: tuple[Any, ...], value: object, where: str) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(where, value, "a list")
    each = [kinds[0]] * len(value) if kinds[-1] is Ellipsis else list(kinds)
    if len(each) != len(value):
        raise _wrong(where, value, f"a list of {len(each)}")
    return tuple(convert(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(each, value, strict=True)))


def _mapping(kinds: tuple[Any, ...], value: object, where: str) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise _wrong(where, value, "a group of keys")
    return {str(key): convert(kinds[1] if kinds else Any, item, _join(where, str(key))) for key, item in value.items()}


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _wrong(where: str, value: object, expected: str) -> InputError:
    return InputError(f"{where or 'configuration'} = {value!r}: expected {expected}")
