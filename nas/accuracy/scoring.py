"""Accuracy of a stand-alone network on images that lie ready: the share classified rightly, or a smoothed share.

On the CPU the network runs as it will be deployed, batch norm folded, in ONNX Runtime: twice as fast as in torch.

A share of n images steps by 1/n as one answer turns, so networks that differ little are ranked by which few images
happen to lie at their borders. A smoothed share lets every answer count by its margin, the logit of the right class
less the largest other one: logistic(margin / scale), the kernel estimate of how often the margin is positive. Its
expectation is a little lower than the share's; `shift`, fixed on one network, makes up for that. Measured on the 24
networks of scripts/supernet_truth.json, ten epochs of a supernet: Kendall's tau .74 and .77 by the share of 5,000
images, .80 and .80 smoothed; of 2,000 images .71 and .71, and .79 and .78.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.accuracy.inputs import Inputs
from nas.formats.onnx import INPUT, write_onnx
from nas.net import Network, fold
from nas.training import require_statistics

BATCH = 32  # images a run; 8 to 100 cost the same (measured)
SPIN = "session.intra_op.allow_spinning"
SMOOTH = 0.5  # scale of the logistic over the standard deviation of the margins; 0.3 to 1.5 rank alike (measured)


@dataclass(frozen=True, kw_only=True, slots=True)
class Smoothing:
    """How the margins of networks become shares.

    Attributes:
        scale: Logits in which an answer turns from wrong to right; 0: at once, which is the plain share.
        shift: Added to a smoothed share, in [-1, 1].
    """

    scale: float
    shift: float


PLAIN = Smoothing(scale=0.0, shift=0.0)


def share_correct(network: Network, inputs: Inputs, smoothing: Smoothing = PLAIN) -> float:
    """Share of images whose class has the largest logit, in [0, 1], or what a smoothing makes of it.

    Args:
        network: Evaluated with its running statistics, whatever its mode.
        inputs: On the network's device; channels first on the CPU.
        smoothing: Of this network, or of one like it. NaN where it finds no numbers.

    Raises:
        InputError: Nobody has collected the network's running statistics: so scored, a supernet's slices rank wrongly.
    """
    if smoothing.scale:
        return float((_smoothed(_margins(network, inputs), smoothing.scale) + smoothing.shift).clamp(0, 1))
    hits = [int((found.argmax(dim=1) == labels).sum()) for found, labels in _logits(network, inputs)]
    return sum(hits) / len(inputs.labels)


def smoothing_of(network: Network, inputs: Inputs, *, smooth: float = SMOOTH) -> Smoothing:
    """The smoothing by which a network's smoothed share equals its plain one.

    Args:
        network: One like those that are to be scored.
        inputs: What they are to be scored on.
        smooth: Scale over the standard deviation of the network's margins.

    Raises:
        InputError: As `share_correct`.
    """
    margins = _margins(network, inputs)
    scale = smooth * float(margins.std(unbiased=False))
    if not 0 < scale < float("inf"):  # smooth=0, or a network that says the same, or nothing, of every image
        return PLAIN
    return Smoothing(scale=scale, shift=share_correct(network, inputs) - float(_smoothed(margins, scale)))


def _smoothed(margins: Tensor, scale: float) -> Tensor:
    return torch.sigmoid(margins.double() / scale).mean()


def _margins(network: Network, inputs: Inputs) -> Tensor:
    """Logit of each image's class less the largest other one, (n,)."""
    found = []
    for logits, labels in _logits(network, inputs):
        own = labels[:, None]
        others = logits.scatter(1, own, -torch.inf)
        found.append(logits.gather(1, own)[:, 0] - others.amax(dim=1))
    return torch.cat(found)


def _logits(network: Network, inputs: Inputs) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits (b, classes) and labels (b,), batch by batch."""
    require_statistics(network)
    on_cpu = inputs.labels.device.type == "cpu"
    done = 0
    for logits in _logits_on_cpu(network, inputs) if on_cpu else _logits_in_torch(network, inputs):
        yield logits, inputs.labels[done : done + len(logits)]
        done += len(logits)


def _logits_on_cpu(network: Network, inputs: Inputs) -> Iterator[Tensor]:
    """By the folded network in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.add_session_config_entry(SPIN, "0")
    model = write_onnx(network.arch, fold(network), batch=BATCH)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for x in inputs.batches(network.arch.size_px, batch=BATCH):
        images = _filled(x.numpy())
        yield torch.from_numpy(session.run(None, {INPUT: images})[0][: len(x)])


def _filled(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """A batch of the size that the file is written for; what is missing is filled with the first image."""
    missing = BATCH - len(images)
    return np.concatenate([images, np.repeat(images[:1], missing, axis=0)]) if missing else images


def _logits_in_torch(network: Network, inputs: Inputs) -> Iterator[Tensor]:
    training = network.training
    network.eval()
    try:
        for x in inputs.batches(network.arch.size_px, batch=256):
            with torch.inference_mode():
                logits = network(x)
            yield logits
    finally:
        network.train(training)
