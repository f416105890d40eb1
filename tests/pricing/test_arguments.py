"""What users give in place of numbers, models and engines: a clear error, or NaN, and nothing on stderr."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from decimal import Decimal

import jax
import numpy as np
import pandas as pd
import pytest

from quantjax import pricing
from quantjax.numerics import as_floating

MODEL = pricing.Heston(v0=0.04, kappa=1.5, theta=0.04, xi=0.5, rho=-0.7)
NO_NUMBERS = [
    "90",
    ["90", "100"],
    None,
    [None, 90.0],
    [[90.0], [90.0, 100.0]],
    [Decimal("90")],
    [90.0 + 1j],
    {90.0: 1.0},
    np.array(["90"]),
    np.array([90.0, None], object),
    np.array([90.0 + 1j]),
    datetime.date(2026, 12, 31),
    [datetime.timedelta(days=30)],
    np.datetime64("2026-12-31"),
    np.array([30], "timedelta64[D]"),
    pd.to_datetime(["2026-12-31"]),
]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_number_is_named(value):
    with pytest.raises(TypeError, match="expected x as numbers in rows of one length, got"):
        as_floating(value, "x")
    for name, function in (
        ("strikes", lambda: pricing.price(MODEL, value, [1.0], forward=100.0)),
        ("maturities", lambda: pricing.price(MODEL, [90.0], value, forward=100.0)),
        ("forward", lambda: pricing.price(MODEL, [90.0], [1.0], forward=value)),
        ("strikes", lambda: pricing.greeks(MODEL, value, [1.0], forward=100.0)),
        ("maturity", lambda: pricing.black_price(100.0, 110.0, value, 0.2)),
        ("price", lambda: pricing.implied_vol(value, 100.0, 110.0, 1.0)),
        ("vol", lambda: pricing.Black(value)),
    ):
        with pytest.raises(TypeError, match=f"expected {name} as numbers in rows of one length, got"):
            function()


@pytest.mark.parametrize("call", ["put", None, 1, ["call"], [[True], [True, False]]], ids=repr)
def test_what_is_no_truth_value_is_refused(call):
    for function in (
        lambda: pricing.price(MODEL, [90.0], [1.0], forward=100.0, call=call),
        lambda: pricing.black_price(100.0, 110.0, 0.5, 0.2, 1.0, call),
    ):
        with pytest.raises(TypeError, match="expected call as True, False or an array of truth values"):
            function()


@pytest.mark.parametrize("model", [None, "heston", pricing.Heston, {"v0": 0.04}], ids=repr)
def test_what_is_no_model_is_refused(model):
    for function in (pricing.price, pricing.price_error, pricing.greeks):
        with pytest.raises(TypeError, match="expected a model with log_cf"):
            function(model, [90.0], [1.0], forward=100.0)


@pytest.mark.parametrize("engine", ["lewis", pricing.Lewis], ids=repr)
def test_what_is_no_engine_is_refused(engine):
    for function in (pricing.price, pricing.price_error, pricing.greeks):
        with pytest.raises(TypeError, match=r"expected (an )?engine"):
            function(MODEL, [90.0], [1.0], forward=100.0, engine=engine)


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"expected shapes that broadcast, got strike\[2\], vol\[3\]"):
        pricing.black_price(100.0, [90.0, 110.0], 0.5, [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=r"got price\[3\], strike\[2\]"):
        pricing.implied_vol([5.0, 6.0, 7.0], 100.0, [100.0, 101.0], 1.0)
    with pytest.raises(ValueError, match=r"got strike\[2\], call\[3\]"):
        pricing.bachelier_price(100.0, [90.0, 110.0], 0.5, 20.0, call=np.array([True, False, True]))
    with pytest.raises(ValueError, match=r"expected strikes \[\.\.\., strike\]"):
        pricing.slice_arbitrage(90.0, 12.0, 13.0)
    with pytest.raises(ValueError, match=r"expected strikes \[\.\.\., strike\]"):
        pricing.calendar_arbitrage(90.0, 12.0, 100.0, 1.0, [90.0], [13.0], 100.0, 1.0)


def test_numbers_in_any_container_are_the_same_numbers():
    surface = pricing.price(MODEL, np.array([90.0, 100.0]), np.array([0.5, 1.0]), forward=100.0)
    for strikes, maturities, forward in (
        ([90, 100], (0.5, 1), 100),
        (range(90, 110, 10), [0.5, 1.0], Decimal("100")),
        (pd.Series([90, 100], index=[5, 7]), pd.Series([0.5, 1.0], dtype="Float64"), pd.Series([100.0, 100.0])),
        (pd.DataFrame([[90.0, 100.0], [90.0, 100.0]]), [0.5, 1.0], [100.0]),
    ):
        np.testing.assert_allclose(pricing.price(MODEL, strikes, maturities, forward=forward), surface, rtol=1e-13)
    expected = pricing.black_price(100.0, np.array([90.0, 110.0]), 1.0, 0.2)
    for strike in ([90, 110], pd.Series([90, 110]), pd.Series([90.0, 110.0], dtype="Float64")):
        np.testing.assert_array_equal(pricing.black_price(100, strike, 1, 0.2), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_nan(bad):
    for arguments in (([bad], [1.0], 100.0), ([90.0], [bad], 100.0), ([90.0], [1.0], bad)):
        strikes, maturities, forward = arguments
        assert np.isnan(pricing.price(MODEL, strikes, maturities, forward=forward)).all(), arguments


def test_empty_surfaces_are_empty():
    assert pricing.price(MODEL, [], [1.0], forward=100.0).shape == (1, 0)
    assert pricing.price(MODEL, [90.0], [], forward=100.0).shape == (0, 1)


def test_python_floats_are_refused_while_x64_is_off():
    strikes = np.array([90.0, 100.0], np.float32)
    with jax.enable_x64(False):
        for function in (pricing.price, pricing.price_error, pricing.greeks):
            with pytest.raises(ValueError, match="jax_enable_x64"):
                function(MODEL, [90.0, 100.0], [1.0], forward=100.0)
            with pytest.raises(ValueError, match="jax_enable_x64"):
                function(MODEL, strikes, [1.0], forward=np.array([100.0]))
        model = pricing.Black(np.float32(0.2))
        assert pricing.price(model, strikes, [1.0], forward=100.0).dtype == np.float32


def test_nothing_on_stderr(capfd):
    code = """
import jax
jax.config.update("jax_enable_x64", True)
from quantjax import pricing
model = pricing.Heston(v0=0.04, kappa=1.5, theta=0.04, xi=0.5, rho=-0.7)
for maturities in ([1], 1):
    print(pricing.price(model, [90.0, 100.0], maturities, forward=100.0))
"""
    # Compiled anew, for it is the compiler that would complain.
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    printed = capfd.readouterr()
    assert printed.err == ""
    assert printed.out.startswith("[[13.71319652")
