"""Sources: what the configuration's `data` names, each a dataclass of options that loads a `Dataset`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nas.data.collection import load_collection
from nas.data.dataset import Dataset
from nas.data.fashion import load_fashion_mnist
from nas.data.folder import folder_collection
from nas.data.huggingface import load_huggingface
from nas.data.npz import load_npz
from nas.data.parquet import load_parquet
from nas.data.reading import MEMORY_GB, Loading


class Source(Protocol):
    """Where images come from."""

    def load(self, *, size_px: int) -> Dataset:
        """Load them; `size_px` is the size wanted where the source has none of its own."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class FashionMnist:
    """The embedded data set."""

    def load(self, *, size_px: int) -> Dataset:
        """Load 28 x 28 grey images."""
        return load_fashion_mnist()


@dataclass(frozen=True, kw_only=True, slots=True)
class Npz:
    """A NumPy archive of arrays.

    Attributes:
        path: The file.
        split_seed: Decides the split where the arrays do not; apart from `seed`, so that test images stay unseen.
        split: File of an earlier run's split (`split.json`) to keep to.
    """

    path: Path
    split_seed: int = 0
    split: Path | None = None

    def load(self, *, size_px: int) -> Dataset:
        """Load the arrays, in the size that they have."""
        return load_npz(self.path, seed=self.split_seed, split=self.split)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Encoded:
    """Options of every source of encoded images.

    Attributes:
        size_px: Images are resized to it; None: the largest input size of the space.
        split_seed: Decides the split where the data does not; apart from `seed`, so that test images stay unseen.
        split: File of an earlier run's split (`split.json`) to keep to.
        memory_gb: A part whose decoded images take more, in 10^9 bytes, is streamed from workers.
        workers: Processes that decode; None: one a core, at most 16; 0: this process.
    """

    size_px: int | None = None
    split_seed: int = 0
    split: Path | None = None
    memory_gb: float = MEMORY_GB
    workers: int | None = None

    def __post_init__(self) -> None:
        self._loading(1)  # checks the options before anything is read

    def _loading(self, size_px: int) -> Loading:
        return Loading(
            size_px=size_px if self.size_px is None else self.size_px,
            seed=self.split_seed,
            split=self.split,
            memory_gb=self.memory_gb,
            workers=self.workers,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder(_Encoded):
    """A folder of class folders, or of `train`, `val` and `test` with class folders in each.

    Attributes:
        root: The folder.
    """

    root: Path

    def load(self, *, size_px: int) -> Dataset:
        """Load the images."""
        return load_collection(folder_collection(self.root), self._loading(size_px))


@dataclass(frozen=True, kw_only=True, slots=True)
class Parquet(_Encoded):
    """Parquet files of encoded images and labels.

    Attributes:
        root: A file, or a folder of files.
        image: Column of the images; None: the only one that holds bytes.
        label: Column of the labels; None: the one with a usual name, or the only one left.
    """

    root: Path
    image: str | None = None
    label: str | None = None

    def load(self, *, size_px: int) -> Dataset:
        """Load the images."""
        return load_parquet(self.root, image=self.image, label=self.label, loading=self._loading(size_px))


@dataclass(frozen=True, kw_only=True, slots=True)
class HuggingFace(_Encoded):
    """A data set of the library `datasets`.

    Attributes:
        path: A folder on this machine, or a name on the hub.
        subset: Its configuration, where it has several.
        image: Column of the images; None: the only one of them.
        label: Column of the labels; None: the one with a usual name, or the only one left.
    """

    path: str
    subset: str | None = None
    image: str | None = None
    label: str | None = None

    def load(self, *, size_px: int) -> Dataset:
        """Load the images."""
        loading = self._loading(size_px)
        return load_huggingface(self.path, subset=self.subset, image=self.image, label=self.label, loading=loading)
