"""Underbudget: the most accurate convolutional network within a latency budget on the device at hand.

What other people's programs call is here; it is imported when it is asked for, so that `import nas` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.models import create_model
    from nas.pretrained import load_pretrained

__all__ = ["create_model", "load_pretrained"]


def __getattr__(name: str) -> object:
    match name:
        case "create_model":
            return importlib.import_module("nas.models").create_model
        case "load_pretrained":
            return importlib.import_module("nas.pretrained").load_pretrained
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
