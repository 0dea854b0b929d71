"""Images and their labels: sources (embedded, folders, arrays, tables), augmentation, and batches for a network."""

from nas.data.augmentation import Augmentation, augmented
from nas.data.batches import Batch, drawn, generator_of, to_input
from nas.data.dataset import Dataset, MemorySplit, Split, dataset_of, spread, subset
from nas.data.fashion import load_fashion_mnist
from nas.data.folder import load_folder
from nas.data.loader import Loader
from nas.data.splitting import record_text
from nas.data.streamed import StreamedSplit

__all__ = [
    "Augmentation",
    "Batch",
    "Dataset",
    "Loader",
    "MemorySplit",
    "Split",
    "StreamedSplit",
    "augmented",
    "dataset_of",
    "drawn",
    "generator_of",
    "load_fashion_mnist",
    "load_folder",
    "record_text",
    "spread",
    "subset",
    "to_input",
]
