"""Option quotes: vols and prices in, weights, padding, bad input."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantjax.pricing import OptionQuotes, black_price, stack_quotes
from tests.assertions import assert_close

STRIKES, MATURITIES = [90.0, 100.0, 110.0], [0.5, 1.0]
VOLS = np.array([[0.25, 0.2, 0.22], [0.24, np.nan, 0.21]])
FORWARD, DISCOUNT = [100.0, 101.0], [0.99, 0.98]


def quotes(**options) -> OptionQuotes:
    return OptionQuotes.from_vols(STRIKES, MATURITIES, VOLS, forward=FORWARD, discount=DISCOUNT, **options)


def test_prices_and_vols_are_one_thing():
    surface = quotes()
    assert int(surface.num_quotes) == 5
    prices = surface.prices()
    np.testing.assert_array_equal(np.isnan(prices), np.isnan(VOLS))
    assert_close(prices[1, 2], black_price(101.0, 110.0, 1.0, 0.21, 0.98, True))
    assert_close(prices[0, 0], black_price(100.0, 90.0, 0.5, 0.25, 0.99, False))
    back = OptionQuotes.from_prices(STRIKES, MATURITIES, prices, forward=FORWARD, discount=DISCOUNT, call=surface.calls)
    assert_close(back.vols, VOLS)
    assert int(back.num_unpriced) == 0


def test_prices_without_a_vol_are_counted():
    prices = np.array([[12.0, 150.0, np.nan], [0.0, 8.0, 3.0]])
    surface = OptionQuotes.from_prices(
        STRIKES, MATURITIES, prices, forward=FORWARD, bid_prices=prices, ask_prices=prices
    )
    assert int(surface.num_unpriced) == 2
    assert int(surface.num_quotes) == 3
    assert surface.weights.tolist() == [[1000.0, 0.0, 0.0], [0.0, 1000.0, 1000.0]]  # the floor of the error


def test_weights():
    spread = np.array([[0.02, 0.0, np.nan], [0.01, 0.01, 0.004]])
    surface = quotes(bid_vols=VOLS - spread / 2, ask_vols=VOLS + spread / 2)
    assert_close(surface.weights, [[100.0, 1000.0, 100.0], [200.0, 0.0, 500.0]], scale=100)
    # A quote without a bid is known to the distance of its ask.
    one_sided = quotes(bid_vols=np.where(spread == 0.02, np.nan, VOLS - spread / 2), ask_vols=VOLS + spread / 2)
    assert_close(one_sided.weights[0, :2], [100.0, 1000.0], scale=100)
    wide = quotes(bid_vols=VOLS * np.nan, ask_vols=VOLS + 0.07)
    assert_close(wide.weights[0], np.full(3, 1 / 0.07), scale=100)
    assert_close(quotes(weights=np.full((2, 3), 2.0)).weights, [[2.0, 2.0, 2.0], [2.0, 0.0, 2.0]])
    assert_close(quotes().weights, [[100.0, 100.0, 100.0], [100.0, 0.0, 100.0]])


def test_table():
    table = quotes().to_pandas()
    assert len(table) == 5
    assert table["strike"].tolist() == [90.0, 100.0, 110.0, 90.0, 110.0]
    assert table["call"].tolist() == [False, True, True, False, True]
    assert_close(table["log_moneyness"].to_numpy(), np.log(table["strike"] / table["forward"]))
    assert table["bid_vol"].isna().all()


def test_stack_pads_and_vmaps():
    small = OptionQuotes.from_vols([95.0], [0.25], [[0.3]], forward=100.0)
    stack = stack_quotes([quotes(), small])
    assert stack.vols.shape == (2, 2, 3)
    assert stack.num_quotes.tolist() == [5, 1]
    assert not np.isnan(stack.weights).any()
    prices = jax.vmap(OptionQuotes.prices)(stack)
    assert_close(prices[0], quotes().prices())
    assert_close(prices[1, 0, 0], small.prices()[0, 0])
    assert np.isnan(np.asarray(prices[1]).ravel()[1:]).all()
    with pytest.raises(ValueError, match="one surface"):
        stack.to_pandas()
    with pytest.raises(ValueError, match="at least one surface"):
        stack_quotes([])
    with pytest.raises(ValueError, match="at least one surface"):
        stack_quotes([stack])


def test_traced_and_in_single_precision():
    single = [np.asarray(array, np.float32) for array in (STRIKES, MATURITIES, VOLS)]
    made = jax.jit(
        lambda k, t, v: OptionQuotes.from_vols(k, t, v, forward=jnp.float32(100.0), discount=jnp.float32(1.0))
    )
    surface = made(*single)
    assert surface.vols.dtype == surface.weights.dtype == jnp.float32
    assert int(surface.num_quotes) == 5


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"vols": VOLS[:1]}, "vols as"),
        ({"vols": np.where(VOLS > 0.23, -0.1, VOLS)}, "vols > 0"),
        ({"vols": np.where(VOLS > 0.23, np.inf, VOLS)}, "vols > 0"),
        ({"strikes": [90.0, -1.0, 110.0]}, "strikes > 0"),
        ({"strikes": [[90.0, 100.0, 110.0]]}, "expected strikes"),
        ({"maturities": [0.0, 1.0]}, "maturities > 0"),
        ({"forward": 0.0}, "forward > 0"),
        ({"forward": [100.0, 100.0, 100.0]}, "forward as a number"),
        ({"discount": [-1.0, 1.0]}, "discount > 0"),
        ({"weights": np.full((2, 3), -1.0)}, "weights >= 0"),
        ({"weights": np.full((2, 3), np.nan)}, "weights >= 0"),
        ({"bid_vols": VOLS + 0.1, "ask_vols": VOLS - 0.1}, "crossed"),
    ],
)
def test_bad_input_is_refused(change, match):
    arguments = {"strikes": STRIKES, "maturities": MATURITIES, "vols": VOLS, "forward": FORWARD, **change}
    with pytest.raises(ValueError, match=match):
        OptionQuotes.from_vols(**arguments)
