"""What tests of training share: a short recipe, and trainings that are killed."""

from __future__ import annotations

import torch

from nas.progress import Progress
from nas.training import Recipe

SHORT = Recipe(epochs=3, batch=32, lr=0.05)


class Killed(Exception):  # noqa: N818 - stands for a signal
    pass


def kill_at(step: int) -> Progress:
    def progress(_stage: str, done: int, _total: int, _note: str) -> None:
        if done == step:
            raise Killed

    return progress


def same(left: torch.nn.Module, right: torch.nn.Module) -> bool:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
