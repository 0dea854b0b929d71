"""Which members of a space hold all of its weights: the largest alone, unless the space chooses between layers."""

from __future__ import annotations

from collections.abc import Sequence

from nas.arch import Arch
from nas.net.slicing import held
from nas.space import Choice, Choose, SearchSpace


def covering(space: SearchSpace) -> tuple[Arch, ...]:
    """Members that together have every layer of a space at its widest, the largest member first.

    Beside the largest there is a candidate for every option: the member that takes it wherever it is offered, and the
    largest option elsewhere. Those that add a layer, or widen one, are kept. A layer that only comes with two options
    of different decisions together is not found; slicing a member that has it raises `InputError`.
    """
    seen: dict[Choice, None] = {}

    def taking(wanted: Choice | None) -> Choose:
        def choose(_name: str, options: Sequence[Choice]) -> Choice:
            seen.update(dict.fromkeys(reversed(options)))
            return wanted if wanted is not None and wanted in options else options[-1]

        return choose

    found = [space.build(taking(None))]
    layers = held(*found)
    tried = 0
    while tried < len(seen):
        arch = space.build(taking(tuple(seen)[tried]))
        more = held(*found, arch)
        if more != layers:
            found, layers = [*found, arch], more
        tried += 1
    return tuple(found)
