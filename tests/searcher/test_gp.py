from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from nas.searcher import gp

RNG = np.random.default_rng(0)
STEPS = [np.array([[0, 1.0, 0.5], [1.0, 0, 0.2], [0.5, 0.2, 0]])] * 4


def networks(count: int) -> gp.Encoded:
    return gp.Encoded(RNG.integers(0, 3, (count, 4)), RNG.normal(size=(count, 3)), RNG.normal(size=(count, 2)))


def near(one: gp.Encoded) -> gp.Encoded:
    """Networks that differ from the first one in a decision."""
    codes = np.repeat(one.codes[:1], 8, axis=0)
    codes[np.arange(8), np.arange(8) % 4] = np.arange(8) % 3
    return gp.Encoded(codes, one.wide[:1].repeat(8, axis=0), one.staged[:1].repeat(8, axis=0))


@pytest.mark.parametrize("right", [networks(30), near(networks(1))])
def test_parts_are_the_sums_of_their_definitions(right):
    left = networks(5)
    parts = gp.Metric(STEPS).parts(left, right)
    for i, j in np.ndindex(len(left), len(right)):
        steps = np.array([step[a, b] for step, a, b in zip(STEPS, left.codes[i], right.codes[j], strict=True)])
        same = left.codes[i] == right.codes[j]
        linear = left.wide[i] @ right.wide[j] / 3 + left.staged[i] @ right.staged[j] / 2
        assert parts.apart[i, j] == pytest.approx(steps.mean())
        assert parts.blocks[i, j] == pytest.approx((0.25 * same + 0.75 * np.exp(-2 * steps)).mean())
        assert parts.linear[i, j] == pytest.approx(linear)
        wide, staged = left.wide[i] - right.wide[j], left.staged[i] - right.staged[j]
        assert parts.gap[i, j] == pytest.approx(wide @ wide / 3 + staged @ staged / 2)


def test_the_kernel_is_positive_definite_and_its_own_variance_is_known():
    encoded = networks(40)
    metric = gp.Metric(STEPS)
    covariance = gp.kernel(metric.parts(encoded, encoded), gp.CENTRE)
    assert np.linalg.eigvalsh(covariance + 1e-8 * np.eye(40)).min() > 0
    own = gp.CENTRE[0] * metric.own_linear(encoded) + gp.CENTRE[1] + gp.CENTRE[2]
    np.testing.assert_allclose(np.diag(covariance), own)


def test_the_posterior_is_the_textbook_one():
    observed, asked = networks(12), networks(7)
    metric, theta, y = gp.Metric(STEPS), gp.CENTRE, RNG.normal(size=12)
    process = gp.condition(metric.parts(observed, observed), y, theta)
    mean, sd = process.mean_and_sd(metric.parts(observed, asked), metric.own_linear(asked))
    k = gp.kernel(metric.parts(observed, observed), theta) + theta[4] * np.eye(12)
    cross = gp.kernel(metric.parts(observed, asked), theta)
    own = np.diag(gp.kernel(metric.parts(asked, asked), theta))
    np.testing.assert_allclose(mean, cross.T @ np.linalg.solve(k, y), rtol=1e-5)
    np.testing.assert_allclose(sd**2, own - np.einsum("nm,nm->m", cross, np.linalg.solve(k, cross)), rtol=1e-5)
    np.testing.assert_allclose(process.mean(metric.parts(observed, asked)), mean)


def test_an_observed_network_is_believed_between_what_was_seen_and_what_others_tell():
    observed, y = networks(12), RNG.normal(size=12)
    parts = gp.Metric(STEPS).parts(observed, observed)
    process = gp.condition(parts, y, gp.CENTRE)
    believed = process.believed(y)
    np.testing.assert_allclose(believed, gp.OWN * y + (1 - gp.OWN) * process.mean(parts), atol=1e-6)
    exact = gp.condition(parts, y, gp.CENTRE * np.array([1, 1, 1, 1, 1e-6, 1]))
    np.testing.assert_allclose(exact.believed(y), y, atol=1e-4)


def test_the_slopes_of_the_posterior_are_its_differences():
    encoded, y, step = networks(15), RNG.normal(size=15), 1e-5
    parts = gp.Metric(STEPS).parts(encoded, encoded)
    for i, slope in enumerate(gp.log_posterior(parts, y, gp.CENTRE)[1]):
        up, down = gp.CENTRE.copy(), gp.CENTRE.copy()
        up[i], down[i] = up[i] * np.exp(step), down[i] * np.exp(-step)
        difference = gp.log_posterior(parts, y, up)[0] - gp.log_posterior(parts, y, down)[0]
        assert slope == pytest.approx(difference / (2 * step), rel=1e-4, abs=1e-5)


def test_fitting_raises_the_posterior_and_stays_within_bounds():
    encoded = networks(25)
    parts = gp.Metric(STEPS).parts(encoded, encoded)
    y = (encoded.wide[:, 0] - encoded.wide[:, 0].mean()) / encoded.wide[:, 0].std()
    theta = gp.fit(parts, y)
    assert gp.log_posterior(parts, y, theta)[0] > gp.log_posterior(parts, y, gp.CENTRE)[0]
    assert (theta >= gp.LOWEST).all()
    assert (theta <= gp.HIGHEST).all()


def test_log_improvement_is_the_plain_formula_where_that_works():
    mean, sd = np.linspace(-4, 4, 41), np.full(41, 0.7)
    z = (mean - 0.5) / sd
    np.testing.assert_allclose(
        gp.log_improvement(mean, sd, 0.5), np.log(sd * (norm.pdf(z) + z * norm.cdf(z))), rtol=1e-9
    )


def test_log_improvement_stays_finite_and_ordered_far_below_the_best():
    values = gp.log_improvement(-np.logspace(0, 7, 200), np.ones(200), 0.0)
    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("values", [[0.2, 0.9, 0.93, 0.94], [20.0, 90.0, 93.0, 94.0], [-7.0, -1.0, 3.0, 250.0]])
def test_the_target_keeps_the_order_and_is_standardised(values):
    y = gp.target(np.array(values))
    assert (np.diff(y) >= 0).all()
    assert y.mean() == pytest.approx(0)
    assert y.std() == pytest.approx(1)


def test_shares_and_per_cents_are_one_target():
    values = np.array([0.7, 0.9, 0.92, 0.95])
    np.testing.assert_allclose(gp.target(values), gp.target(100 * values))


def test_one_failed_training_does_not_rule_the_target():
    y = gp.target(np.array([0.1, 0.90, 0.91, 0.92, 0.93]))
    assert y[4] - y[1] > 0.5


def test_equal_values_give_no_target():
    assert (gp.target(np.full(5, 0.4)) == 0).all()
