"""When an imbalance bar closes: at a fixed imbalance, or at the one that is expected of a bar."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Shaped

from quantjax.numerics.arguments import holds, plain, plain_float

__all__ = ["UNBOUNDED", "AdaptiveThreshold", "FixedThreshold", "ImbalanceState"]

Number = float | jax.Array
UNBOUNDED = np.iinfo(np.int32).max  # trades are counted in int32


class FixedThreshold(eqx.Module):
    """A bar closes when |theta| >= `threshold`, in the unit of the imbalance.

    A leaf of a PyTree: `imbalance_closes` is compiled once for all thresholds, and jax.vmap serves a batch of them.
    Raises ValueError unless it is > 0 and finite, where that is known (not under tracing).

    >>> FixedThreshold(25.0)
    FixedThreshold(threshold=25.0)
    """

    threshold: Number = eqx.field(converter=plain_float)

    def __check_init__(self):
        if not holds(lambda threshold: (threshold > 0) & np.isfinite(threshold), self.threshold):
            raise ValueError(f"expected threshold > 0 and finite, got {self.threshold}")


class AdaptiveThreshold(eqx.Module):
    """A bar closes when |theta| >= E[T] |E[x]|, the imbalance expected of a bar, and both follow the bars before.

    E[T] is the expected number of trades of a bar, E[x] the expected imbalance of a trade: 2 P[b = 1] - 1 where trades
    are counted, 2 v+ - E[v] where they are weighted. When a bar of T trades closes at theta,

        E[T] <- E[T] + a (T - E[T]),   E[x] <- E[x] + a (theta / T - E[x]),   a = 2 / (span + 1).

    Arguments, all to be given but the bounds: `expected_trades` and `expected_imbalance`, E[T] and E[x] before the
    first bar, the latter signed and in the unit of the imbalance; `span` >= 1, in bars. `min_trades`, `max_trades`: no
    bar has fewer trades, and one with as many closes whatever its imbalance.

    The rule is known to run away: a bar that closes late raises E[T], by it the threshold, and the next is later still,
    and where E[x] comes near 0 every trade closes a bar. The bounds on T are bounds on E[T] too, and so stop the first;
    `min_trades` bounds the harm of the second. Look at the counts of the bars.

    All are leaves of a PyTree: one compilation serves all rules that have a `max_trades`, and one those without.

    Raises ValueError for numbers out of these ranges, and for `expected_trades` outside the bounds; TypeError for
    bounds that are no integers. Numbers that are traced are not looked at.
    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, section 2.3.2.1-2; there E[x] is averaged
    over trades, here over the bars, as is E[T].
    """

    expected_trades: Number = eqx.field(kw_only=True, converter=plain_float)
    expected_imbalance: Number = eqx.field(kw_only=True, converter=plain_float)
    span: Number = eqx.field(kw_only=True, converter=plain_float)
    min_trades: int | jax.Array = eqx.field(default=1, kw_only=True, converter=plain)
    max_trades: int | jax.Array | None = eqx.field(default=None, kw_only=True, converter=plain)

    def __check_init__(self):
        most = UNBOUNDED if self.max_trades is None else self.max_trades
        for name, value in (("min_trades", self.min_trades), ("max_trades", most)):
            if not holds(lambda number: np.issubdtype(number.dtype, np.integer), value):
                raise TypeError(f"expected {name} as an integer, got {value!r}")
        if not holds(lambda low, high: (low >= 1) & (low <= high) & (high <= UNBOUNDED), self.min_trades, most):
            raise ValueError(
                f"expected 1 <= min_trades <= max_trades < 2**31, got {self.min_trades} and {self.max_trades}"
            )
        bounds = (self.min_trades, self.expected_trades, most)
        if not holds(lambda low, number, high: (low <= number) & (number <= high), *bounds):
            raise ValueError(
                f"expected expected_trades from min_trades {self.min_trades} to max_trades {self.max_trades}, got "
                f"{self.expected_trades}"
            )
        if not holds(lambda number: np.isfinite(number) & (number != 0), self.expected_imbalance):
            raise ValueError(
                f"expected expected_imbalance finite and not 0, got {self.expected_imbalance}; with 0 every trade "
                "would close a bar"
            )
        if not holds(lambda span: span >= 1, self.span):
            raise ValueError(f"expected span >= 1 bar, got {self.span}")


class ImbalanceState(eqx.Module):
    """Where the rule stands: imbalance and trades of the open bar, and what is expected of a bar; scalars."""

    theta: Shaped[jax.Array, ""]
    trades: Int[jax.Array, ""]
    expected_trades: Float[jax.Array, ""]
    expected_imbalance: Float[jax.Array, ""]

    @classmethod
    def begin(cls, threshold: FixedThreshold | AdaptiveThreshold, dtype: Any = float) -> ImbalanceState:
        """The state before the first trade; `dtype` of theta, and of what is expected where it is floating."""
        if isinstance(threshold, FixedThreshold):
            expected = (1.0, threshold.threshold)
        else:
            expected = (threshold.expected_trades, threshold.expected_imbalance)
        floating = dtype if jnp.issubdtype(dtype, jnp.floating) else float
        expected = (jnp.asarray(value, floating) for value in expected)
        return cls(jnp.zeros((), dtype), jnp.zeros((), jnp.int32), *expected)
