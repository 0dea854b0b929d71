"""Runtimes: what each executes, and how it is run and profiled."""

from __future__ import annotations

from nas.errors import InputError, did_you_mean
from nas.latency.runtimes.base import LayerProfile, Runtime
from nas.target import Target

__all__ = ["LayerProfile", "Runtime", "make_runtime"]


def make_runtime(target: Target) -> Runtime:
    """The runtime that a target names.

    Raises:
        InputError: No such runtime.
    """
    match target.runtime:
        case "onnxruntime":
            from nas.latency.runtimes.onnxruntime import OnnxRuntime  # noqa: PLC0415 - imported only where it is run

            return OnnxRuntime(target)
        case _:
            raise InputError(f"unknown runtime '{target.runtime}'{did_you_mean(target.runtime, ['onnxruntime'])}")
