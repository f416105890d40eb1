"""Forward and discount by put-call parity: the exact line, the slow fit, stale quotes, honest errors, transforms."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.pricing.parity import fit_parity
from tests.assertions import assert_close
from tests.conftest import ROOT
from tests.reference.parity import parity_line

STRIKE = np.arange(80.0, 121.0, 2.0)
FORWARD, DISCOUNT = 101.5, 0.985


def quotes(rng: np.random.Generator, noise: float = 0.05, size: tuple[int, ...] = ()):
    """Calls, puts and spreads `[..., strike]` whose errors are normal, of as many tenths of the spread as it says."""
    spread = 0.1 + 0.02 * np.abs(STRIKE - 100)
    put = np.broadcast_to(np.maximum(STRIKE - 100, 0) + 3.0, (*size, len(STRIKE)))
    call = put + DISCOUNT * (FORWARD - STRIKE) + noise * spread / 0.1 * rng.normal(size=put.shape)
    return call, put, np.broadcast_to(spread, put.shape)


def test_exact_prices_give_the_line():
    call, put, spread = quotes(np.random.default_rng(0), noise=0.0)
    fit = fit_parity(STRIKE, call, put, spread)
    assert_close(fit.forward, FORWARD)
    assert_close(fit.discount, DISCOUNT)
    np.testing.assert_allclose(fit.residual, 0, atol=1e-11)
    assert float(fit.forward_std_error) < 1e-10
    assert int(fit.num_pairs) == len(STRIKE)
    held = fit_parity(STRIKE, call, put, spread, DISCOUNT)
    assert_close(held.forward, FORWARD)
    assert float(held.discount_std_error) == 0.0


@pytest.mark.parametrize("discount", [None, DISCOUNT])
def test_as_the_slow_fit(discount):
    rng = np.random.default_rng(1)
    call, put, spread = quotes(rng)
    call = call + np.where(np.arange(len(STRIKE)) == 7, 5.0, 0.0)  # a stale quote
    fit = fit_parity(STRIKE, call, put, spread, discount)
    expected = parity_line(STRIKE, call - put, spread, discount)
    found = (fit.forward, fit.discount, fit.forward_std_error, fit.discount_std_error)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_stale_quote_does_not_move_the_line():
    call, put, spread = quotes(np.random.default_rng(2), noise=0.01)
    clean = fit_parity(STRIKE, call, put, spread)
    stale = fit_parity(STRIKE, call + np.where(np.arange(len(STRIKE)) == 10, 3.0, 0.0), put, spread)
    assert abs(float(stale.forward - clean.forward)) < 3 * float(clean.forward_std_error)
    assert abs(float(stale.residual[10]) - 3.0) < 0.1


def test_errors_are_those_of_repeated_fits():
    call, put, spread = quotes(np.random.default_rng(3), size=(2_000,))
    fit = fit_parity(STRIKE, call, put, spread)
    for name, truth in (("forward", FORWARD), ("discount", DISCOUNT)):
        estimate, error = np.asarray(getattr(fit, name)), np.asarray(getattr(fit, f"{name}_std_error"))
        assert abs(estimate.mean() - truth) < 4 * estimate.std() / np.sqrt(len(estimate))
        assert 0.95 < np.sqrt((error**2).mean()) / estimate.std() < 1.05


def test_padding_takes_no_part_and_rows_are_their_own():
    call, put, spread = quotes(np.random.default_rng(4), size=(3,))
    call = np.array(call)
    call[0, 15:], call[1, 4] = np.nan, np.inf
    fit = fit_parity(STRIKE, call, put, spread)
    assert fit.num_pairs.tolist() == [15, 20, 21]
    short = fit_parity(STRIKE[:15], call[0, :15], put[0, :15], spread[0, :15])
    assert_close(fit.forward[0], short.forward)
    assert_close(fit.discount_std_error[0], short.discount_std_error, scale=100)
    assert np.isnan(fit.residual[0, 15:]).all()
    mapped = jax.vmap(lambda c, p, s: fit_parity(STRIKE, c, p, s))(call, put, spread)
    jax.tree.map(lambda one, other: assert_close(one, other, scale=10), mapped, fit)


def test_too_few_pairs_are_nan():
    nan = np.full(4, np.nan)
    assert np.isnan(fit_parity(STRIKE[:4], nan, nan).forward)
    assert np.isnan(fit_parity(STRIKE[:4], nan, nan, 1.0, 0.9).forward)
    one = np.array([3.0, np.nan, np.nan, np.nan])
    assert np.isnan(fit_parity(STRIKE[:4], one, one).forward)
    held = fit_parity(STRIKE[:4], one, one, 1.0, 0.9)
    assert float(held.forward) == STRIKE[0]
    assert np.isnan(held.forward_std_error)
    same = np.full(4, 90.0)  # one strike four times
    assert np.isnan(fit_parity(same, np.full(4, 5.0), np.full(4, 4.0)).discount)
    with pytest.raises(ValueError, match="strike"):
        fit_parity(100.0, 5.0, 4.0)


def test_gradient_is_the_difference():
    call, put, spread = quotes(np.random.default_rng(5))

    def forward(shift):
        return fit_parity(STRIKE, call + shift, put, spread).forward

    direction = np.random.default_rng(6).normal(size=len(STRIKE))
    step = 1e-6
    difference = (forward(step * direction) - forward(-step * direction)) / (2 * step)
    assert_close(jax.grad(forward)(np.zeros(len(STRIKE))) @ direction, difference, scale=1e4)
    exact = jax.grad(lambda c: fit_parity(STRIKE, c, put, spread).forward_std_error)(put + FORWARD - STRIKE)
    assert np.isfinite(exact).all()


def test_float32():
    call, put, spread = (x.astype(np.float32) for x in quotes(np.random.default_rng(7)))
    fit = fit_parity(STRIKE.astype(np.float32), call, put, spread)
    assert fit.forward.dtype == fit.discount.dtype == jnp.float32
    double = fit_parity(STRIKE, call.astype(float), put.astype(float), spread.astype(float))
    np.testing.assert_allclose(fit.forward, double.forward, rtol=2e-5)


def test_float64_without_x64_is_refused():
    code = (
        "import numpy as np\nfrom quantjax.pricing.parity import fit_parity\n"
        "from quantjax.pricing.arbitrage import slice_arbitrage\nfrom quantjax.pricing.svi import fit_svi\n"
        "x = np.ones(6)\n"
        "for call in (lambda: fit_parity(x, x, x), lambda: slice_arbitrage(x, x, x), lambda: fit_svi(x, x)):\n"
        "    try: call()\n"
        "    except ValueError as error: assert 'jax_enable_x64' in str(error), error\n"
        "    else: raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env={"JAX_PLATFORMS": "cpu", "PATH": ""})
