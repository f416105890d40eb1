"""VPIN: how one-sided trading is, in buckets of equal volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Float

from quantjax.lob.trades.intervals import cut_intervals
from quantjax.lob.trades.series import TradeSeries
from quantjax.lob.trades.validation import require_valid
from quantjax.lob.trades.volume_buckets import split_volume, to_lots
from quantjax.lob.trades.windows import rolling_sum

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BulkVolume", "TrueSides", "Vpin", "bulk_buy_share", "vpin", "vpin_of_buckets"]


class TrueSides(eqx.Module):
    """Trades are bought or sold as their sides say; those of side 0 fill buckets and are counted as neither."""


class BulkVolume(eqx.Module):
    """Bulk volume classification: of the volume of a bar, the share Phi(dP / sigma) is bought, see `bulk_buy_share`.

    `bar_s`: length of the bars in seconds, 60 in the paper. Sides are not looked at.
    """

    bar_s: float = eqx.field(static=True, default=60.0)


class Vpin(eqx.Module):
    """VPIN by bucket: numpy arrays `[bucket]`, complete buckets only.

    `vpin`, in [0, 1], of the `window` buckets up to this one, NaN for the first window - 1; `buy`, `sell`, `unknown`,
    int64 lots of `lot_size`, whose sum is `bucket_lots` exactly; `end_ns`, time of the trade (or of the end of the bar)
    that filled the bucket; `counts`: trades, buckets, lots in all, in the last, incomplete bucket (left out) and of
    unknown side.
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


def bulk_buy_share(price_change: Float[jax.Array, "*batch bar"]) -> Float[jax.Array, "*batch bar"]:
    """Share of each bar's volume taken as bought: Phi(dP / sigma_dP), `[..., bar]`.

    `price_change` dP from bar to bar; sigma is their standard deviation over all bars given (divided by their number);
    1/2 for all where the price never changes. So the share of a bar knows bars that come after it. Broadcasting.
    Source: Easley, Lopez de Prado & O'Hara (2012), eq. 6.

    >>> [round(share, 4) for share in bulk_buy_share(jnp.array([1.0, -1.0, 0.0])).tolist()]
    [0.8897, 0.1103, 0.5]
    """
    change = jnp.asarray(price_change)
    variance = change.var(axis=-1, keepdims=True)
    varies = variance > 0
    return jnp.where(jnp.isnan(variance) | varies, ndtr(change / jnp.sqrt(jnp.where(varies, variance, 1.0))), 0.5)


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
    `BulkVolume(bar_s=60.0)`, the paper's, in which bars of time take the place of trades: a bar's price change runs
    from the last price of the bar with trades before it, the first bar's from its first price.

    Driver. The last, incomplete bucket is left out and counted. Raises ValueError for bad prices, sizes or sides and
    for times that go back (`lob.clean_trades` mends both), for sizes or a bucket volume that are not multiples of the
    lot size, and for a window below 1.

    >>> sides = np.array([1, -1, 1])
    >>> trades = TradeSeries(np.array([1, 2, 3]), np.full(3, 9.0), np.array([3.0, 4.0, 5.0]), sides, "XYZ")
    >>> found = vpin(trades, 5.0, window=1, lot_size=1.0)
    >>> found.vpin, found.counts["lots_left_over"]
    (array([0.2, 0.2]), 2)
    """
    if not isinstance(window, int) or window < 1:
        raise ValueError(f"expected window as an integer >= 1, got {window!r}")
    classification = TrueSides() if classification is None else classification
    if not isinstance(classification, TrueSides | BulkVolume):
        raise TypeError(f"expected classification as TrueSides() or BulkVolume(...), got {classification!r}")
    if not (np.isfinite(bucket_volume) and bucket_volume > 0):
        raise ValueError(f"expected bucket_volume > 0 in base currency, got {bucket_volume!r}")
    require_valid(trades, in_order=True)
    bucket_lots = int(to_lots(np.array([bucket_volume], np.float64), lot_size, "bucket_volume")[0])
    lots, end_ns, side = to_lots(np.asarray(trades.size), lot_size), np.asarray(trades.time_ns), np.asarray(trades.side)
    total = int(lots.sum())
    unknown = 0
    if isinstance(classification, BulkVolume):
        lots, end_ns, share = _bars(trades, lots, classification.bar_s)
        known = np.ones(len(lots), bool)
    else:
        share, known = side > 0, side != 0
        unknown = 0 if known.all() else int(lots[~known].sum())
    num_buckets = total // bucket_lots
    buckets = split_volume(lots, share, known, bucket_lots, num_buckets)
    dtype = trades.price.dtype
    buy, sell = (jnp.asarray(volume.astype(dtype)) for volume in (buckets.buy, buckets.sell))
    value = vpin_of_buckets(buy, sell, float(bucket_lots), window)
    counts = {
        "trades": len(trades),
        "buckets": num_buckets,
        "lots": total,
        "lots_left_over": total - num_buckets * bucket_lots,
        "lots_unknown_side": unknown,
    }
    return Vpin(
        np.asarray(value),
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


def _bars(trades: TradeSeries, lots: np.ndarray, bar_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lots, end time and bought share of each bar that has trades."""
    cut = cut_intervals(np.asarray(trades.time_ns), bar_s)
    if len(lots) == 0:
        return lots, cut.start_ns, np.empty(0)
    first = np.flatnonzero(np.diff(cut.row, prepend=-1))
    price = np.asarray(trades.price)
    close = price[np.append(first[1:], len(price)) - 1]
    share = np.asarray(bulk_buy_share(jnp.asarray(np.diff(close, prepend=price[:1]))), np.float64)
    end_ns = cut.start_ns[cut.row[first]] + round(bar_s * 1e9)
    return np.add.reduceat(lots, first), end_ns, share
