"""The short training that a proposal gets before the move is chosen."""

from __future__ import annotations

from dataclasses import replace

from nas.arch import digest
from nas.data import Dataset
from nas.net import Network
from nas.netadapt.trim import Tune
from nas.training import Recipe, train, tuning_job


def tuner(dataset: Dataset, recipe: Recipe, *, device: str = "cpu") -> Tune:
    """What trains a network for so many steps; equal networks see equal images, others other ones.

    Args:
        dataset: Its training split.
        recipe: How; its length does not count.
        device: `cpu` or `cuda`.
    """

    def tune(network: Network, steps: int) -> Network:
        seed = int(digest(network.arch)[:7], 16)
        job = tuning_job(network, dataset, replace(recipe, epochs=None, steps=steps), seed=seed, device=device)
        train(job)
        assert isinstance(job.module, Network)
        return job.module.eval()

    return tune
