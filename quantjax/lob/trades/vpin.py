"""VPIN: how one-sided trading is, in buckets of equal volume."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Float

from quantjax.lob.intervals import interval_ns
from quantjax.lob.lots import to_lots
from quantjax.lob.padding import cut_to, padded
from quantjax.lob.trades.intervals import cut_intervals, require_few
from quantjax.lob.trades.series import TradeSeries
from quantjax.lob.trades.validation import require_valid
from quantjax.lob.trades.volume_buckets import split_volume
from quantjax.numerics.arguments import plain, whole_number
from quantjax.numerics.running_sums import rolling_sum

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BulkVolume", "TrueSides", "Vpin", "bulk_buy_share", "vpin", "vpin_of_buckets"]


class TrueSides(eqx.Module):
    """Trades are bought or sold as their sides say; those of side 0 fill buckets and are counted as neither.

    A bucket of which they are more than half has the imbalance NaN: nothing says whether it was balanced.
    """


class BulkVolume(eqx.Module):
    """Bulk volume classification: of the volume of a bar, the share Phi(dP / sigma) is bought, see `bulk_buy_share`.

    `interval`: length of the bars, seconds or "1min", 60 s in the paper. `sigma_window`: sigma is that of the last so
    many bars with trades, this one among them, and of those there are before so many have passed; None, the default:
    that of the whole recording, so that the shares of its first bars, and the VPIN of its first buckets, know its last
    ones: as in the paper, but no signal to trade on. Sides are not looked at.

    Raises ValueError for an interval that is no whole number of nanoseconds and for a window below 1.

    >>> BulkVolume("1min", sigma_window=500).interval_ns
    60000000000
    """

    interval: str | float | Decimal = eqx.field(static=True, default=60.0, converter=plain)
    sigma_window: int | None = eqx.field(
        static=True,
        default=None,
        kw_only=True,
        converter=lambda window: None if window is None else whole_number(window, "sigma_window"),
    )

    def __check_init__(self):
        interval_ns(self.interval)

    @property
    def interval_ns(self) -> int:
        """Length of the bars in nanoseconds."""
        return interval_ns(self.interval)


class Vpin(eqx.Module):
    """VPIN by bucket: numpy arrays `[bucket]`, complete buckets only.

    `vpin`, in [0, 1], of the `window` buckets up to this one, NaN for the first window - 1, and where more than half of
    the volume of one of them is of unknown side; `buy`, `sell`, `unknown`, int64 lots of `lot_size`, whose sum is
    `bucket_lots` exactly; `end_ns`, time of the trade (or of the end of the bar) that filled the bucket; `counts`:
    trades, buckets, those mostly of unknown side, lots in all, in the last, incomplete bucket (left out) and of unknown
    side.
    """

    vpin: np.ndarray
    buy: np.ndarray
    sell: np.ndarray
    unknown: np.ndarray
    end_ns: np.ndarray
    window: int = eqx.field(static=True)
    bucket_lots: int = eqx.field(static=True)
    lot_size: float = eqx.field(static=True)
    symbol: str = eqx.field(static=True)
    counts: dict[str, int]

    def __len__(self) -> int:
        return len(self.end_ns)

    @property
    def mostly_unknown(self) -> np.ndarray:
        """Whether more than half of a bucket's volume is of unknown side, `[bucket]`."""
        return 2 * self.unknown > self.bucket_lots

    @property
    def imbalance(self) -> np.ndarray:
        """|V^B - V^S| / V of each bucket by itself, in [0, 1], `[bucket]`; NaN where it is mostly of unknown side."""
        return np.where(self.mostly_unknown, np.nan, np.abs(self.buy - self.sell) / self.bucket_lots)

    def to_pandas(self) -> pd.DataFrame:
        """VPIN and the volumes in base currency, indexed by the UTC time each bucket was filled."""
        import pandas as pd

        volumes = {name: getattr(self, name) * self.lot_size for name in ("buy", "sell", "unknown")}
        index = pd.DatetimeIndex(self.end_ns, tz="UTC", name="time")
        frame = pd.DataFrame({"vpin": self.vpin, **volumes}, index=index)
        frame.attrs["symbol"] = self.symbol
        return frame


def vpin_of_buckets(
    buy: Float[jax.Array, "*batch bucket"], sell: Float[jax.Array, "*batch bucket"], bucket_volume, window: int
) -> Float[jax.Array, "*batch bucket"]:
    """VPIN_k = sum_{j = k-n+1..k} |V^B_j - V^S_j| / (n V), `[..., bucket]`; NaN for the first n - 1.

    `buy` V^B, `sell` V^S and `bucket_volume` V in one unit; `window` n. Broadcasting. Raises ValueError for a window
    below 1. Source: Easley, Lopez de Prado & O'Hara (2012), Flow toxicity and liquidity in a high-frequency world,
    Review of Financial Studies 25(5), eq. 7.

    >>> vpin_of_buckets(jnp.array([6.0, 5.0]), jnp.array([2.0, 3.0]), 8.0, 2).tolist()
    [nan, 0.375]
    """
    return rolling_sum(jnp.abs(jnp.asarray(buy) - jnp.asarray(sell)), window) / (window * bucket_volume)


def bulk_buy_share(
    price_change: Float[jax.Array, "*batch bar"], *, window: int | None = None
) -> Float[jax.Array, "*batch bar"]:
    """Share of each bar's volume taken as bought: Phi(dP / sigma_dP), `[..., bar]`.

    `price_change` dP from bar to bar. sigma is their standard deviation around 0, the root of the mean of their
    squares: of all bars given, so that the share of a bar knows bars that come after it, or with `window` of the last
    so many bars, this one among them (of those there are, for the first window - 1). 1/2 where the price never changed.
    Broadcasting. Raises ValueError for a window below 1. Source: Easley, Lopez de Prado & O'Hara (2012), eq. 6.

    >>> [round(share, 4) for share in bulk_buy_share(jnp.array([1.0, -1.0, 0.0])).tolist()]
    [0.8897, 0.1103, 0.5]
    """
    window = None if window is None else whole_number(window, "window")
    return _bulk_buy_share(price_change, None, window)


def _bulk_buy_share(price_change, count, window: int | None) -> jax.Array:
    """`count`: how many bars there are before those of change 0 that fill up a length; None: all."""
    change = jnp.asarray(price_change)
    if window is None:
        mean_square = (change * change).sum(axis=-1, keepdims=True) / (change.shape[-1] if count is None else count)
    else:
        before = jnp.zeros((*change.shape[:-1], window - 1), change.dtype)
        sums = rolling_sum(jnp.concatenate([before, change * change], axis=-1), window)[..., window - 1 :]
        mean_square = sums / jnp.minimum(jnp.arange(1, change.shape[-1] + 1), window).astype(change.dtype)
    moved = mean_square != 0
    return ndtr(jnp.where(moved, change / jnp.sqrt(jnp.where(moved, mean_square, 1.0)), 0.0))


_compiled_share = jax.jit(_bulk_buy_share, static_argnums=2)


def vpin(
    trades: TradeSeries,
    bucket_volume: float,
    *,
    window: int = 50,
    lot_size: float = 1e-8,
    classification: TrueSides | BulkVolume | None = None,
) -> Vpin:
    """VPIN of a recording: trades cut into buckets of exactly `bucket_volume`, one-sidedness over `window` of them.

    Arguments: `trades`, in time order; `bucket_volume`, base currency (the paper: a fiftieth of a day's volume);
    `window`, buckets; `lot_size`, the step of sizes in base currency, whose multiples are worked with as integers, so
    that every bucket holds the same volume to the last lot; `classification`: `TrueSides()`, the default, or
    `BulkVolume("1min")`, the paper's, in which bars of time take the place of trades: a bar's price change runs from
    the last price of the bar with trades before it, the first bar's from its first price. Its sigma is that of the
    whole recording unless a `sigma_window` is given: without one, a VPIN knows prices that come after it.

    |buy - sell| is divided by the volume of the whole bucket; it is NaN where more than half of that volume is of
    unknown side. An empty TradeSeries gives no buckets.

    Driver. The last, incomplete bucket is left out and counted. Compiled for a few numbers of buckets and bars. Raises
    ValueError where no trade has a side (`TrueSides`) and for fewer full buckets than `window`, for bad prices, sizes
    or sides and for times that go back (`lob.clean_trades` mends both), for sizes or a bucket volume that are not
    multiples of the lot size or too many lots for their dtype (`to_lots`: give float32 sizes the lot size of their
    market), for a window below 1, and for more than ten million buckets.

    >>> sides = np.array([1, -1, 1])
    >>> trades = TradeSeries(np.array([1, 2, 3]), np.full(3, 9.0), np.array([3.0, 4.0, 5.0]), sides, "XYZ")
    >>> found = vpin(trades, 5.0, window=1, lot_size=1.0)
    >>> found.vpin, found.counts["lots_left_over"]
    (array([0.2, 0.2]), 2)
    """
    window = whole_number(window, "window")
    classification = TrueSides() if classification is None else classification
    if not isinstance(classification, TrueSides | BulkVolume):
        raise TypeError(f"expected classification as TrueSides() or BulkVolume(...), got {classification!r}")
    if not (np.isfinite(bucket_volume) and bucket_volume > 0):
        raise ValueError(f"expected bucket_volume > 0 in base currency, got {bucket_volume!r}")
    require_valid(trades, in_order=True)
    bucket_lots = int(to_lots(np.array([bucket_volume], np.float64), lot_size, name="bucket_volume")[0])
    lots, end_ns, side = to_lots(np.asarray(trades.size), lot_size), np.asarray(trades.time_ns), np.asarray(trades.side)
    total = int(lots.sum())
    unknown = 0
    if isinstance(classification, BulkVolume):
        lots, end_ns, share = _bars(trades, lots, classification)
        known = np.ones(len(lots), bool)
    else:
        share, known = side > 0, side != 0
        unknown = 0 if known.all() else int(lots[~known].sum())
    num_buckets = total // bucket_lots
    require_few(num_buckets, "buckets", f"{bucket_volume!r}", "look for a size that is far from the others")
    if len(trades) and not known.any():
        raise ValueError(
            f"expected trades with sides, got {len(trades)} of {trades.symbol}, all of side 0; take the sides that "
            "lob.sign_trades guesses, or classification=lob.BulkVolume(), which needs none"
        )
    if len(trades) and num_buckets < window:
        raise ValueError(
            f"expected at least window={window} full buckets, got {num_buckets}; take a smaller bucket_volume than "
            f"{bucket_volume!r} or a smaller window"
        )
    buckets = split_volume(lots, share, known, bucket_lots, num_buckets)
    dtype = trades.price.dtype
    mostly_unknown = 2 * np.asarray(buckets.unknown) > bucket_lots
    buy = np.where(mostly_unknown, np.nan, buckets.buy)
    volumes = padded([np.asarray(volume, dtype) for volume in (buy, buckets.sell)], [0, 0])
    value = cut_to(num_buckets, _vpin_of_buckets(*volumes, float(bucket_lots), window))
    counts = {
        "trades": len(trades),
        "buckets": num_buckets,
        "buckets_mostly_unknown_side": int(np.count_nonzero(mostly_unknown)),
        "lots": total,
        "lots_left_over": total - num_buckets * bucket_lots,
        "lots_unknown_side": unknown,
    }
    return Vpin(
        value,
        np.asarray(buckets.buy),
        np.asarray(buckets.sell),
        np.asarray(buckets.unknown),
        end_ns[np.asarray(buckets.last_row)],
        window,
        bucket_lots,
        float(lot_size),
        trades.symbol,
        counts,
    )


_vpin_of_buckets = jax.jit(vpin_of_buckets, static_argnums=3)


def _bars(
    trades: TradeSeries, lots: np.ndarray, classification: BulkVolume
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lots, end time and bought share of each bar that has trades."""
    cut = cut_intervals(np.asarray(trades.time_ns), classification.interval)
    if len(lots) == 0:
        return lots, cut.start_ns, np.empty(0)
    first = np.flatnonzero(np.diff(cut.row, prepend=-1))
    price = np.asarray(trades.price)
    close = price[np.append(first[1:], len(price)) - 1]
    change = np.diff(close, prepend=price[:1])
    share = _compiled_share(*padded([change], [0]), len(change), classification.sigma_window)
    end_ns = cut.start_ns[cut.row[first]] + cut.step_ns
    return np.add.reduceat(lots, first), end_ns, cut_to(len(change), share).astype(np.float64)
