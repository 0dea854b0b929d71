"""Weights from elsewhere, and networks for elsewhere: published state dicts, supernets, other classes, backbones."""

from nas.pretrained.adapt import adapt
from nas.pretrained.ends import with_ends_of
from nas.pretrained.features import FeatureInfo, FeatureMap, FeatureNetwork, feature_maps
from nas.pretrained.load import load_pretrained, pretrained_tensors
from nas.pretrained.start import supernet_start

__all__ = [
    "FeatureInfo",
    "FeatureMap",
    "FeatureNetwork",
    "adapt",
    "feature_maps",
    "load_pretrained",
    "pretrained_tensors",
    "supernet_start",
    "with_ends_of",
]
