"""Whether a network learns from another one beside the labels, and what to say of it."""

from __future__ import annotations

from collections.abc import Callable

from nas.net import Network

WORTH_HEARING = 0.01  # a teacher has to lead by it: distillation from an equal gains nothing
NOBODY = "none"


def teacher_of(
    name: str, *, wanted: str, score: float, before: float | None, make: Callable[[], Network]
) -> tuple[Network | None, str]:
    """The teacher, where it is wanted and has something to tell; and what to say of it.

    Args:
        name: What to call it.
        wanted: `auto`: only where it leads by `WORTH_HEARING`; anything else: always.
        score: Its accuracy on validation.
        before: The learner's; None: not known, so that the teacher is heard.
        make: Gives the teacher.
    """
    if wanted == "auto" and before is not None and score < before + WORTH_HEARING:
        return None, f"none, {name}'s {score:.1%} lead by less than a point"
    return make().eval(), f"{name}, {score:.1%}"
