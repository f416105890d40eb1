"""Trades cut into buckets of exactly equal volume: a trade that crosses an edge is split there, in whole lots."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from quantjax.numerics.arguments import whole_number

__all__ = ["VolumeBuckets", "split_volume"]

Array = jax.Array | np.ndarray


class VolumeBuckets(eqx.Module):
    """Buckets of equal volume, integer lots `[bucket]`.

    `buy` + `sell` + `unknown` is the bucket's volume, exactly, and 0 for a bucket that the trades do not fill (not
    `complete`); `last_row`: the trade that fills it.
    """

    buy: Int[Array, " bucket"]
    sell: Int[Array, " bucket"]
    unknown: Int[Array, " bucket"]
    last_row: Int[Array, " bucket"]
    complete: Bool[Array, " bucket"]


def split_volume(
    lots: Int[Array, " trade"],
    buy_share: Float[Array, " trade"] | Bool[Array, " trade"],
    known: Bool[Array, " trade"],
    bucket_lots: int,
    num_buckets: int,
) -> VolumeBuckets:
    """Volume bought and sold in each of `num_buckets` buckets of `bucket_lots` lots, in the order of the trades.

    The k-th edge is at cumulative volume k V; the trade that it falls into is the first whose cumulative volume reaches
    it (a binary search of the prefix sums), and the lots of it before the edge belong to bucket k. Of t lots of a trade
    round(t buy_share) are bought, the rest sold; those of a trade not `known` are neither.

    `lots`, integer, >= 0; `buy_share` in [0, 1], or bool where trades are one or the other. Integers throughout, so
    nothing is lost to rounding. Numpy lots are worked on by numpy, on the host, as int64; JAX ones in their own dtype,
    which must hold their total: keep int32 ones below 2^31 in all. Per item; traceable for JAX arrays. Raises TypeError
    for lots that are not integers, ValueError for `bucket_lots` below 1 and `num_buckets` below 0.

    >>> lots, share = np.array([3, 4, 5]), np.array([1.0, 0.0, 1.0])
    >>> buckets = split_volume(lots, share, np.ones(3, bool), 5, 2)
    >>> buckets.buy, buckets.sell, buckets.last_row
    (array([3, 3]), array([2, 2]), array([1, 2]))
    """
    if not np.issubdtype(lots.dtype, np.integer):
        raise TypeError(f"expected lots as integers, got {lots.dtype}; to_lots turns sizes into lots")
    bucket_lots, num_buckets = whole_number(bucket_lots, "bucket_lots"), whole_number(num_buckets, "num_buckets", 0)
    xp = np if isinstance(lots, np.ndarray) else jnp
    if xp is np:
        lots, buy_share, known = lots.astype(np.int64, copy=False), np.asarray(buy_share), np.asarray(known)
    edges = xp.arange(num_buckets + 1, dtype=lots.dtype) * bucket_lots
    if lots.shape[0] == 0:
        none = xp.zeros(num_buckets, lots.dtype)
        return VolumeBuckets(none, none, none, none, none > 0)
    total = xp.cumsum(lots)
    row = xp.minimum(xp.searchsorted(total, edges), lots.shape[0] - 1)
    taken = edges - (total[row] - lots[row])

    def bought(part, share):
        # A product with bool has no branches to mispredict, which sides in random order make `where` of numpy do.
        return part * share.astype(lots.dtype) if share.dtype == bool else xp.rint(part * share).astype(lots.dtype)

    def at_edges(each, part):
        """Cumulative sums of `each` up to the edges, of whose trade `part` is taken."""
        return xp.cumsum(each)[row] - each[row] + part

    if xp is np and known.all():
        known_lots, known_at = lots, edges
    else:
        known_lots = xp.where(known, lots, 0)
        known_at = at_edges(known_lots, xp.where(known[row], taken, 0))
    buy_at = at_edges(bought(known_lots, buy_share), xp.where(known[row], bought(taken, buy_share[row]), 0))
    complete = edges[1:] <= total[-1]
    buy, sell, unknown = (
        xp.where(complete, xp.diff(cumulative), 0) for cumulative in (buy_at, known_at - buy_at, edges - known_at)
    )
    return VolumeBuckets(buy, sell, unknown, row[1:], complete)
