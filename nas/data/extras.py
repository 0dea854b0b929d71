"""Optional libraries: imported where they are first needed, with a remedy where they are missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from nas.errors import InputError


def extra(module: str, *, option: str, name: str) -> ModuleType:
    """Import a module of an optional library.

    Args:
        module: Its full name.
        option: What in the configuration asked for it.
        name: The extra of the package that installs it.

    Raises:
        InputError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        library = module.split(".", maxsplit=1)[0]
        raise InputError(f"{option} needs {library} ({error}): pip install 'underbudget[{name}]'") from None
