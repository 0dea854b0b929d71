"""What a file's weights were made for: how many image channels they read and how many classes they tell apart."""

from __future__ import annotations

from pathlib import Path

from nas.arch import CLASSES, IMAGE, Arch
from nas.errors import InputError
from nas.pretrained.files import read_tensors
from nas.pretrained.load import are_ours, shapes_of
from nas.pretrained.order import in_order


def with_ends_of(arch: Arch, file: Path) -> Arch:
    """The architecture with the image channels and the classes of the weights in a file.

    Nothing else is compared: `load_pretrained` says whether the weights are the network's. Ends that the architecture
    cannot have are left as they are.

    Raises:
        InputError: The file cannot be read, or its tensors have names that are not known here.
    """
    state = read_tensors(file)
    if are_ours(state, shapes_of(arch)):
        first = next(layer.name for layer in arch.layers if IMAGE in layer.inputs)
        kernels = [state.get(f"{name}.weight") for name in (first, arch.layers[-1].name)]
    else:
        modules = in_order(state, where=str(file)).kernels
        kernels = [module.tensors.get("weight") for module in (modules[:1] + modules[-1:])]
    if len(kernels) < 2 or any(kernel is None or kernel.dim() < 2 for kernel in kernels):
        return arch
    reads, tells = kernels
    assert reads is not None
    assert tells is not None
    try:
        return arch.with_widths({IMAGE: reads.shape[1], CLASSES: tells.shape[0]})
    except InputError:
        return arch
