"""Data-parallel training: processes that `torchrun` started see one batch together and keep equal weights.

Every process draws the same networks; gradients and the reported loss are averaged, batch statistics are those of all
processes, and the first process saves. Two processes so do what one does with the doubled batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from nas.errors import DeviceError
from nas.net import Norm, batch_statistics
from nas.net.norm import EPSILON

PATIENCE = timedelta(days=1)  # the first may wait for the supernet of another run, or score; `torchrun` tells deaths


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """Which of how many processes this is."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process saves and reports."""
        return self.rank == 0


def ranks() -> Ranks:
    """This process among those that train together; the only one where `joined` was not entered."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return Ranks()
    return Ranks(rank=distributed.get_rank(), world=distributed.get_world_size())


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Train together with the processes that `torchrun` started, until the block ends; alone where it started none.

    Args:
        device: `cpu` (over gloo) or `cuda` (over nccl, a device for each process).

    Raises:
        DeviceError: There are more processes on this machine than CUDA devices.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    if device == "cuda":
        local, here = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
        if here > torch.cuda.device_count():
            raise DeviceError(f"{here} processes for {torch.cuda.device_count()} CUDA devices; lower --nproc_per_node")
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield ranks()
    finally:
        distributed.destroy_process_group()


def batch_norm() -> Norm:
    """Batch norm of a training: over this process's batch or, where several train together, over all of theirs."""
    return batch_statistics if ranks().world == 1 else synchronised


def synchronised(_name: str, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Normalise with the statistics of all processes' batches, which are of one size."""
    normalised: Tensor = _Synchronised.apply(x, gamma, beta)  # type: ignore[no-untyped-call]
    return normalised


def average(parameters: Sequence[nn.Parameter], loss: Tensor) -> Tensor:
    """Average gradients over all processes, in place; return the average of the losses, (1,).

    All processes trained the same networks, so the same parameters have a gradient.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([*(gradient.flatten() for gradient in gradients), loss.detach().float().reshape(1)])
    _mean_over_processes(flat)
    *means, mean_loss = torch.split(flat, [*(gradient.numel() for gradient in gradients), 1])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view(gradient.shape))
    return mean_loss


def from_first(content: bytes | None, device: str) -> bytes | None:
    """Give every process the bytes that the first one has; the others' own are ignored.

    Args:
        content: Bytes, or None for nothing; both are told.
        device: Where the processes can exchange tensors.
    """
    if ranks().world == 1:
        return content
    length = torch.tensor([-1 if content is None else len(content)], device=device)
    distributed.broadcast(length, 0)
    if length.item() < 0:
        return None
    sent = bytearray(content or b"") if ranks().first else bytearray(int(length.item()))
    tensor = torch.frombuffer(sent, dtype=torch.uint8).to(device)
    distributed.broadcast(tensor, 0)
    return tensor.cpu().numpy().tobytes()


class _Synchronised(torch.autograd.Function):
    """Batch norm over all processes: they exchange two sums a channel forward, and two backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """The formula of batch norm with pooled mean and variance.

        The square of the mean is taken in float64: it may be much larger than the variance.
        """
        var, mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)
        pooled = torch.stack([mean.double(), var.double() + mean.double().square()])
        _mean_over_processes(pooled)
        mean, var = pooled[0].float(), (pooled[1] - pooled[0].square()).clamp(min=0).float()
        ctx.save_for_backward(x, gamma, mean, (var + EPSILON).rsqrt())
        return functional.batch_norm(x, mean, var, gamma, beta, training=False, eps=EPSILON)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of x, gamma and beta; those of gamma and beta are this process's, averaged later like all others.

        With y = gamma * z + beta and z = (x - mean) * scale:
        dx = gamma * scale * (dy - mean(dy) - z * mean(dy * z)), the means over the values of all processes.
        """
        x, gamma, mean, scale = ctx.saved_tensors
        (given,) = gradients
        dy, shape = given.float(), (1, -1, 1, 1)
        z = (x.float() - mean.view(shape)) * scale.view(shape)
        dbeta, dgamma = dy.sum((0, 2, 3)), (dy * z).sum((0, 2, 3))
        means = torch.stack([dbeta, dgamma]) / (x.numel() / len(gamma))
        _mean_over_processes(means)
        dx = (gamma * scale).view(shape) * (dy - means[0].view(shape) - z * means[1].view(shape))
        return dx.to(given.dtype), dgamma, dbeta


def _mean_over_processes(tensor: Tensor) -> None:
    distributed.all_reduce(tensor)
    tensor /= ranks().world
