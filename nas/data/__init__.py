"""Images and their labels: the embedded data set, class folders, and batches for a network."""

from nas.data.batches import augment, batches, generator_of, on_device, to_input
from nas.data.dataset import Dataset, Split, dataset_of
from nas.data.fashion import load_fashion_mnist
from nas.data.folder import load_folder

__all__ = [
    "Dataset",
    "Split",
    "augment",
    "batches",
    "dataset_of",
    "generator_of",
    "load_fashion_mnist",
    "load_folder",
    "on_device",
    "to_input",
]
