"""A Gaussian process over networks, and expected improvement: plain functions on arrays.

Glossary (n networks observed, m networks asked about, L decisions, all arrays float64):

    codes    (n, L) int   value of every decision: an option, or that the decision is not asked for
    wide     (n, p1)      features of the whole network, standardised
    staged   (n, p2)      sums of choice features over each stage, standardised
    steps    L x (o, o)   squared distance between the options of a decision, the largest is 1
    linear   (n, m)       mean product of `wide` plus mean product of `staged`
    blocks   (n, m)       mean over decisions of 0.25 [same option] + 0.75 exp(-2 step)
    apart    (n, m)       mean over decisions of the step
    gap      (n, m)       squared distance that belongs to `linear`
    theta    (6,)         t1 linear, t2 blocks, t3 product, t4 its length, t5 noise variance, t6 length of the gap
    k        (n, m)       t1 linear + t2 blocks + t3 exp(-3 apart / t4 - gap / (2 t6))
    y        (n,)         target: -log(error), winsorised below, mean 0 and variance 1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import Bounds, minimize
from scipy.special import erfcx, log1p, ndtr

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

CENTRE = np.array([0.3, 0.3, 1.0, 1.0, 0.05, 6.0])
LOWEST = np.array([0.01, 0.01, 0.01, 0.03, 1e-4, 0.05])
HIGHEST = np.array([10.0, 10.0, 5.0, 5.0, 0.5, 50.0])
PRIOR_SD = 1.5  # of log(theta)
STEPS = 15  # of the ascent to the most probable theta
OWN = 0.5  # share of the noise that is a network's own: not chance, but nothing that other networks tell either
JITTER = 1e-9
SAMPLED = 15  # networks that the commonest values are judged by


@dataclass(frozen=True, slots=True)
class Encoded:
    """Networks as the kernel sees them."""

    codes: Codes
    wide: Array
    staged: Array

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[np.intp] | Sequence[int]) -> Encoded:
        """The networks in these rows."""
        return Encoded(self.codes[rows], self.wide[rows], self.staged[rows])


@dataclass(frozen=True, slots=True)
class Parts:
    """What the kernel of two sets of networks is made of, before hyperparameters; each (n, m)."""

    linear: Array
    blocks: Array
    apart: Array
    gap: Array

    def columns(self, asked: NDArray[np.intp]) -> Parts:
        """Some of the networks on the right side."""
        return Parts(self.linear[:, asked], self.blocks[:, asked], self.apart[:, asked], self.gap[:, asked])

    def take(self, rows: NDArray[np.intp]) -> Parts:
        """Some networks, the same on both sides."""
        grid = np.ix_(rows, rows)
        return Parts(self.linear[grid], self.blocks[grid], self.apart[grid], self.gap[grid])


class Metric:
    """Distances between options, ready for whole sets of networks.

    Args:
        steps: One (options, options) matrix a decision.
    """

    def __init__(self, steps: Sequence[Array]) -> None:
        count = len(steps)
        self._step = [step / count for step in steps]
        self._alike = [(0.25 * np.eye(len(step)) + 0.75 * np.exp(-2 * step)) / count for step in steps]

    def parts(self, left: Encoded, right: Encoded) -> Parts:
        """What the kernel between two sets is made of."""
        add_up = _by_difference if _neighbours(right.codes) else _by_product
        linear = _mean_product(left.wide, right.wide) + _mean_product(left.staged, right.staged)
        gap = linear * -2
        gap += self.own_linear(left)[:, None]
        gap += self.own_linear(right)
        return Parts(
            linear=linear,
            gap=gap,
            blocks=add_up(self._alike, left.codes, right.codes),
            apart=add_up(self._step, left.codes, right.codes),
        )

    def own_linear(self, encoded: Encoded) -> Array:
        """`linear` of each network with itself, (n,)."""
        return _own_product(encoded.wide) + _own_product(encoded.staged)


def _neighbours(codes: Codes) -> bool:
    """Whether networks differ in few decisions from their first one's neighbourhood."""
    return len(codes) > 0 and float((codes != _commonest(codes)).mean()) < 0.2


def _commonest(codes: Codes) -> Codes:
    """The value that most networks have, of each decision, (L,), judged by a few of them."""
    few = np.sort(codes[:: max(1, len(codes) // SAMPLED)], axis=0)
    return np.asarray(few[len(few) // 2])


def _by_difference(tables: Sequence[Array], left: Codes, right: Codes) -> Array:
    """Sum over decisions of tables[left, right], (n, m), by what differs from the commonest values."""
    base = _commonest(right)
    columns = [table[:, left[:, i]] for i, table in enumerate(tables)]
    total = np.sum([column[base[i]] for i, column in enumerate(columns)], axis=0)
    sums = np.repeat(total[None], len(right), axis=0)
    for i, column in enumerate(columns):
        rows = np.flatnonzero(right[:, i] != base[i])
        sums[rows] += (column - column[base[i]])[right[rows, i]]
    return np.asarray(sums.T)


def _by_product(tables: Sequence[Array], left: Codes, right: Codes) -> Array:
    """The same as one matrix product of one-hot codes."""
    starts = np.cumsum([0, *(len(table) for table in tables)])
    spread = np.concatenate([table[left[:, i]] for i, table in enumerate(tables)], axis=1)
    hot = np.zeros((len(right), starts[-1]))
    np.put_along_axis(hot, right + starts[:-1], 1.0, axis=1)
    product: Array = spread @ hot.T
    return product


def _mean_product(left: Array, right: Array) -> Array:
    return np.asarray(left @ right.T / max(1, left.shape[1]))


def _own_product(features: Array) -> Array:
    product: Array = np.einsum("np,np->n", features, features) / max(1, features.shape[1])
    return product


def kernel(parts: Parts, theta: Array) -> Array:
    """k, (n, m), without noise."""
    covariance: Array = parts.gap * (-0.5 / theta[5])
    covariance += parts.apart * (-3 / theta[3])
    np.exp(covariance, out=covariance)
    covariance *= theta[2]
    covariance += parts.linear * theta[0]
    covariance += parts.blocks * theta[1]
    return covariance


def log_posterior(parts: Parts, y: Array, theta: Array) -> tuple[float, Array]:
    """Log likelihood of the observations plus log prior of theta, up to a constant, and its slopes in log theta."""
    product = theta[2] * np.exp(parts.apart * (-3 / theta[3]) - parts.gap / (2 * theta[5]))
    lengths = product * parts.apart * (3 / theta[3]), product * parts.gap / (2 * theta[5])
    slopes = np.stack([theta[0] * parts.linear, theta[1] * parts.blocks, product, *lengths])
    covariance = slopes[:3].sum(axis=0)
    covariance.flat[:: len(y) + 1] += theta[4] + JITTER * (1 + covariance.flat[:: len(y) + 1])
    factor = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
    inverse = cho_solve((factor, True), np.eye(len(y)), check_finite=False)
    weights = inverse @ y
    pull = np.outer(weights, weights) - inverse
    away = np.log(theta / CENTRE) / PRIOR_SD
    value = -0.5 * (y @ weights) - np.log(np.diag(factor)).sum() - 0.5 * away @ away
    slope = 0.5 * np.insert(slopes.reshape(5, -1) @ pull.ravel(), 4, theta[4] * np.trace(pull)) - away / PRIOR_SD
    return float(value), slope


def fit(parts: Parts, y: Array) -> Array:
    """Theta at the maximum of the posterior, from the prior's centre."""

    def loss(log_theta: Array) -> tuple[float, Array]:
        value, slope = log_posterior(parts, y, np.exp(log_theta))
        return -value, -slope

    bounds = Bounds(np.log(LOWEST), np.log(HIGHEST))
    found = minimize(loss, np.log(CENTRE), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS})
    theta: Array = np.exp(found.x)
    return theta


@dataclass(frozen=True, slots=True)
class Posterior:
    """A fitted process: `theta`, the Cholesky factor of k + noise, (n, n), and its inverse applied to y, (n,)."""

    theta: Array
    factor: Array
    weights: Array

    def mean(self, parts: Parts) -> Array:
        """Posterior mean of asked networks, (m,); `parts` is between observed and asked, (n, m)."""
        mean: Array = self.weights @ kernel(parts, self.theta)
        return mean

    def mean_and_sd(self, parts: Parts, own_linear: Array) -> tuple[Array, Array]:
        """Posterior mean and standard deviation without noise, (m,) each."""
        covariance = kernel(parts, self.theta)
        white = solve_triangular(self.factor, covariance, lower=True, check_finite=False)
        own = self.theta[0] * own_linear + self.theta[1] + self.theta[2]
        variance = own - np.einsum("nm,nm->m", white, white)
        return self.weights @ covariance, np.sqrt(np.maximum(variance, 1e-12))

    def believed(self, y: Array) -> Array:
        """Posterior mean of the observed networks, (n,), with their own share of what the kernel leaves over."""
        mean: Array = y - (1 - OWN) * self.theta[4] * self.weights
        return mean


def condition(parts: Parts, y: Array, theta: Array) -> Posterior:
    """The process given its observations."""
    factor = cholesky(_noisy(parts, theta), lower=True, overwrite_a=True, check_finite=False)
    return Posterior(theta, factor, cho_solve((factor, True), y, check_finite=False))


def _noisy(parts: Parts, theta: Array) -> Array:
    covariance = kernel(parts, theta)
    covariance.flat[:: len(covariance) + 1] += theta[4] + JITTER * (1 + covariance.flat[:: len(covariance) + 1])
    return covariance


def target(values: Array) -> Array:
    """Make y of evaluations, of which higher is better: -log of the error where they look like accuracies.

    Values within [0, 1] are taken for shares, within [0, 100] for per cent; others stay as they are. The far low side
    is cut at three times the distance between the median and the best, which one failed training would else rule.
    """
    top = 1.0 if values.max() <= 1 else 100.0
    y = -np.log(np.maximum(1.005 - values / top, 0.001)) if values.min() >= 0 and values.max() <= top else values
    middle, best = np.median(y), y.max()
    y = np.maximum(y, middle - 3 * (best - middle))
    spread = y.std()
    return (y - y.mean()) / spread if spread > 0 else np.zeros_like(y)


def log_improvement(mean: Array, sd: Array, best: float | Array) -> Array:
    """Log of the expected improvement over `best`, (m,), exact in the far tail where the plain formula underflows."""
    z = (mean - best) / sd
    upper = np.maximum(z, -1.0)
    near = np.log(np.exp(-0.5 * upper**2) / _ROOT_2PI + upper * ndtr(upper))
    lower = np.minimum(z, -1.0)
    # phi(z) + z Phi(z) = phi(z) (1 + z sqrt(pi / 2) erfcx(-z / sqrt(2))); its series below -1e3, where that cancels.
    ratio = np.minimum(-lower * np.sqrt(np.pi / 2) * erfcx(-lower / np.sqrt(2)), 1 - 1e-15)
    far = (
        -0.5 * lower**2
        - np.log(_ROOT_2PI)
        + np.where(lower > -1e3, log1p(-ratio), -2 * np.log(np.maximum(-lower, 1.0)))
    )
    result: Array = np.log(sd) + np.where(z > -1, near, far)
    return result


_ROOT_2PI = np.sqrt(2 * np.pi)
