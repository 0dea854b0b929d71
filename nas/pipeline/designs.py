"""Hand-designed networks by name, with the options that the user gives them; what they count needs no target."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from nas.arch import CLASSES, IMAGE, Arch, cost, digest, from_json
from nas.errors import InputError, did_you_mean
from nas.files import read_text
from nas.settings import ALL, Design

MakeArch = Callable[..., Arch]
FEW = 12  # names that an error lists


def named_arch(name: str, networks: Mapping[str, MakeArch], design: Design | None = None) -> Arch:
    """The architecture that a name stands for: a run folder, an architecture's JSON file, or a hand-designed network.

    Args:
        name: The name.
        networks: Hand-designed networks by name.
        design: What is asked of a hand-designed one; None: nothing.

    Raises:
        InputError: There is no such network or file, or the network cannot be made as `design` says.
    """
    path = Path(name)
    if path.is_dir():
        path /= "trimmed.json" if (path / "trimmed.json").exists() else "arch.json"
    if path.exists():
        return from_json(read_text(path), where=str(path))
    if name not in networks:
        raise InputError(f"network={name}: neither a run folder, nor a file, nor {_known(name, networks)}")
    return designed(name, networks[name], design or Design())


def chosen(networks: str | Sequence[str], catalogue: Mapping[str, MakeArch], design: Design) -> dict[str, Arch]:
    """The hand-designed networks of a list of names, or all, as the user wants them.

    With `all`, networks that cannot be made as `design` says (no width multiplier, too small an image) are left out.

    Raises:
        InputError: There is no such network, or a named one cannot be made so; or none can.
    """
    if networks != ALL:
        names = [networks] if isinstance(networks, str) else networks
        for name in names:
            if name not in catalogue:
                raise InputError(f"networks: '{name}' is not {_known(name, catalogue)}")
        return {name: designed(name, catalogue[name], design) for name in names}
    found, refused = {}, ""
    for name, make in catalogue.items():
        try:
            found[name] = designed(name, make, design)
        except InputError as error:
            refused = refused or str(error)
    if not found:
        raise InputError(f"no network of the catalogue can be made so: {refused}")
    return found


def distinct(archs: Mapping[str, Arch]) -> dict[str, Arch]:
    """Each network once, by its longest name: an alias is short."""
    names: dict[str, str] = {}
    for name, arch in archs.items():
        key = digest(arch)
        names[key] = max(names.get(key, ""), name, key=len)
    kept = set(names.values())
    return {name: arch for name, arch in archs.items() if name in kept}


def designed(name: str, make: MakeArch, design: Design) -> Arch:
    """A hand-designed network as the user wants it.

    Raises:
        InputError: It knows no such option, its channels round to none, or its image is too small for its strides.
    """
    options = design.options()
    own = make.keywords.get("width", 1.0) if isinstance(make, partial) else 1.0
    if "width" in options and own not in (1.0, options["width"]):
        raise InputError(f"design.width = {options['width']:g}: {name} is {own:g} wide by name; take that of width 1")
    known = inspect.signature(make).parameters
    open_ended = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in known.values())
    for option in options:
        if option not in known and not open_ended:
            raise InputError(f"design.{option} = {options[option]:g}: {name} has no such option")
    try:
        arch = make(**options)
        if "width" in options:
            _require_channels(make(**{**options, "width": 1.0}), float(options["width"]))
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except TypeError as error:
        raise InputError(f"{name}: cannot be made with {options}: {error}") from None
    _require_size(name, arch)
    return arch


def _require_channels(whole: Arch, multiplier: float) -> None:
    """Refuse a multiplier that leaves nothing of a width: families that round up would hide it."""
    widths = {key: count for key, count in whole.widths.items() if key not in (IMAGE, CLASSES)}
    width, channels = min(widths.items(), key=lambda item: item[1])
    if channels * multiplier < 0.5:
        raise InputError(
            f"design.width = {multiplier:g}: the {channels} channels of '{width}' round to zero; "
            f"give at least {0.5 / channels:.3g}"
        )


def _require_size(name: str, arch: Arch) -> None:
    """Refuse an image that is a single pixel before the network has used up its strides."""
    for layer, op in zip(arch.layers, arch.ops(), strict=True):
        if op.stride > 1 and op.in_px < 2:
            raise InputError(
                f"{name}: design.size_px = {arch.size_px}: too small for its strides, layer '{layer.name}' would "
                f"shrink a single pixel; give a larger size_px or a smaller total_stride"
            )


def _known(name: str, networks: Mapping[str, MakeArch]) -> str:
    near = did_you_mean(name, networks)
    listed = ", ".join(networks) if len(networks) <= FEW else f"one of {len(networks)} hand-designed networks"
    more = "" if near or len(networks) <= FEW else "; python -m nas.profile networks=all counts_only=true lists them"
    return f"{listed if len(networks) > FEW else f'one of {listed}'}{near}{more}"


def counts(archs: Mapping[str, Arch]) -> dict[str, dict[str, int]]:
    """Parameters and multiply-accumulates of networks, by name."""
    found = {name: (arch, cost(arch)) for name, arch in archs.items()}
    return {
        name: {"params": costs.params, "macs": costs.macs, "size_px": arch.size_px}
        for name, (arch, costs) in found.items()
    }


def count_lines(found: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The counts as a table."""
    width = max(map(len, found))
    return [
        f"{'network':<{width}}  {'parameters':>12}  {'MACs':>15}  {'px':>4}",
        *(
            f"{name:<{width}}  {item['params']:12,}  {item['macs']:15,}  {item['size_px']:4}"
            for name, item in found.items()
        ),
    ]
