"""Accuracy of a stand-alone network on images that lie ready: the share classified rightly, or a smoothed share.

On the CPU the network runs as it will be deployed, batch norm folded, in ONNX Runtime: twice as fast as in torch.

A share of n images steps by 1/n as one answer turns, so networks that differ little are ranked by which few images
happen to lie at their borders. A smoothed share lets every answer count by its margin, the logit of the right class
less the largest other one:

    v = mean of logistic(margin / (smooth * sd)), sd the standard deviation of this network's margins,

the kernel estimate of how often the margin is positive; it does not change when all logits grow alike. Its blur draws
v towards one half: of normal margins the share is Phi(k * probit(v)), k = sqrt(1 + (LOGISTIC * smooth)^2), and a shift
of the probit, fixed on one network, makes up for what margins are instead. Measured on the 24 networks of
scripts/supernet_truth.json with two supernets of ten epochs: Kendall's tau .74 and .77 by the share of 5,000 images,
.79 and .77 smoothed; .71 and .71 by 2,000, .78 and .77 smoothed; .71 and .80 by 10,000 others, .78 and .78 smoothed.
Smoothed shares lie within a point of the plain ones (standard deviation 0.3).
"""

from __future__ import annotations

import math
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
SMOOTH = 0.5  # of the margins' standard deviation; 0.3 to 1 rank alike (measured)
LOGISTIC = 1.702  # standard deviations of the normal distribution nearest to the logistic one


@dataclass(frozen=True, kw_only=True, slots=True)
class Smoothing:
    """How the margins of networks become shares.

    Attributes:
        smooth: Width of the step from wrong to right, in standard deviations of the margins; 0 is the plain share.
        shift: Added to the share's probit.
    """

    smooth: float
    shift: float


PLAIN = Smoothing(smooth=0.0, shift=0.0)


def share_correct(network: Network, inputs: Inputs, smoothing: Smoothing = PLAIN) -> float:
    """Share of images whose class has the largest logit, in [0, 1], or its smoothed estimate; NaN for logits that are.

    Args:
        network: Evaluated with its running statistics, whatever its mode.
        inputs: On the network's device; channels first on the CPU.
        smoothing: Of this network, or of one like it.

    Raises:
        InputError: Nobody has collected the network's running statistics: so scored, a supernet's slices rank wrongly.
    """
    margins, hits = _answers(network, inputs)
    deviation = margins.std(unbiased=False)
    if not torch.isfinite(margins).all():
        return math.nan
    if not smoothing.smooth or not deviation:
        return hits / len(margins)
    return float(torch.special.ndtr(_probit(margins, smoothing.smooth) + smoothing.shift))


def smoothing_of(network: Network, inputs: Inputs, *, smooth: float = SMOOTH) -> Smoothing:
    """The smoothing by which a network's smoothed share equals its plain one.

    Args:
        network: One like those that are to be scored.
        inputs: What they are to be scored on.
        smooth: See `Smoothing`.

    Raises:
        InputError: As `share_correct`.
    """
    margins, hits = _answers(network, inputs)
    shift = 0.0
    if smooth and 0 < hits < len(margins):
        share = torch.tensor(hits / len(margins), dtype=torch.float64)
        shift = float(torch.special.ndtri(share) - _probit(margins, smooth))
    return Smoothing(smooth=smooth, shift=shift if math.isfinite(shift) else 0.0)


def _probit(margins: Tensor, smooth: float) -> Tensor:
    """Probit of the smoothed share, less the blur; NaN where all margins are equal."""
    scale = smooth * margins.std(unbiased=False)
    probit: Tensor = math.hypot(1, LOGISTIC * smooth) * torch.special.ndtri(torch.sigmoid(margins / scale).mean())
    return probit


def _answers(network: Network, inputs: Inputs) -> tuple[Tensor, int]:
    """Logit of each image's class less the largest other one, (n,) float64, and how many images are classed rightly."""
    found, hits = [], 0
    for logits, labels in _logits(network, inputs):
        own = labels[:, None]
        others = logits.scatter(1, own, -torch.inf)
        found.append(logits.gather(1, own)[:, 0] - others.amax(dim=1))
        hits += int((logits.argmax(dim=1) == labels).sum())
    return torch.cat(found).double(), hits


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
