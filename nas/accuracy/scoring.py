"""Accuracy of a stand-alone network on images that lie ready.

On the CPU the network runs as it will be deployed, batch norm folded, in ONNX Runtime: twice as fast as in torch.
"""

from __future__ import annotations

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


def share_correct(network: Network, inputs: Inputs) -> float:
    """Share of images whose class has the largest logit, in [0, 1].

    Args:
        network: Evaluated with its running statistics, whatever its mode.
        inputs: On the network's device; channels first on the CPU.

    Raises:
        InputError: Nobody has collected the network's running statistics: so scored, a supernet's slices rank wrongly.
    """
    require_statistics(network)
    on_cpu = inputs.labels.device.type == "cpu"
    found = _classes_on_cpu(network, inputs) if on_cpu else _classes(network, inputs)
    return int((found == inputs.labels).sum()) / len(found)


def _classes_on_cpu(network: Network, inputs: Inputs) -> Tensor:
    """Most likely class of each image, by the folded network in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.add_session_config_entry(SPIN, "0")
    model = write_onnx(network.arch, fold(network), batch=BATCH)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found = []
    for x in inputs.batches(network.arch.size_px, batch=BATCH):
        images = _filled(x.numpy())
        found.append(session.run(None, {INPUT: images})[0].argmax(axis=1)[: len(x)])
    return torch.from_numpy(np.concatenate(found))


def _filled(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """A batch of the size that the file is written for; what is missing is filled with the first image."""
    missing = BATCH - len(images)
    return np.concatenate([images, np.repeat(images[:1], missing, axis=0)]) if missing else images


@torch.inference_mode()
def _classes(network: Network, inputs: Inputs) -> Tensor:
    training = network.training
    network.eval()
    found = [network(x).argmax(dim=1) for x in inputs.batches(network.arch.size_px, batch=256)]
    network.train(training)
    return torch.cat(found)
