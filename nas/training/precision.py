"""Mixed precision: what runs in sixteen bits, and the loss scale that keeps fp16's small gradients from vanishing."""

from __future__ import annotations

import json

import torch
from torch import Tensor

from nas.errors import InputError
from nas.training.recipe import Precision

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LEAST_SCALE = 1.0  # a gradient that overflows below it is not the scale's fault


class Scaling:
    """Forward passes in a precision, backward passes with a scaled loss. Weights and gradients stay float32."""

    def __init__(self, precision: Precision, device: str) -> None:
        """Prepare a precision.

        Raises:
            InputError: `fp16` on a CPU.
        """
        self._kind = torch.device(device).type
        if precision == "fp16" and self._kind == "cpu":
            raise InputError("precision=fp16 needs device=cuda; choose precision=bf16 or fp32")
        self._precision: Precision = precision
        self._scaler = torch.amp.GradScaler(self._kind, enabled=precision == "fp16")

    def autocast(self) -> torch.autocast:
        """The context of a forward pass."""
        return torch.autocast(self._kind, TYPES[self._precision], enabled=self._precision != "fp32")

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        with torch.autocast(self._kind, enabled=False):
            self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Bring the gradients to their true size."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer, *, finite: bool) -> None:
        """Move the weights where the gradients are finite, and adapt the scale."""
        if finite:
            self._scaler.step(optimizer)
        self._scaler.update()

    def may_overflow(self) -> bool:
        """Whether gradients that are not finite are to be expected: the scale is still too large."""
        return self._scaler.is_enabled() and self._scaler.get_scale() > LEAST_SCALE

    def state(self) -> str:
        """What a checkpoint keeps."""
        return json.dumps(self._scaler.state_dict())

    def restore(self, state: str) -> None:
        """Go on from what a checkpoint kept."""
        if self._scaler.is_enabled():
            self._scaler.load_state_dict(json.loads(state))
