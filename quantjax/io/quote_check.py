"""Reconstructed books beside the best quotes that the venue announced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quantjax.io.quotes import QuoteSeries
from quantjax.io.update_streams import UpdateStream

__all__ = ["QuoteCheck", "compare_quotes"]

_FIELDS = ("bid_price", "bid_size", "ask_price", "ask_size")


@dataclass(frozen=True, eq=False)
class QuoteCheck:
    """What became of each message of a stream: its book `compared` with the quote in force, or why it was not.

    `different`: the numbers of the messages whose best prices or sizes differ from the announced, from 1 on;
    `before_first`, `after_last`: messages before the first quote and after the last, which have none to compare with.
    """

    compared: int
    different: np.ndarray
    before_first: int
    after_last: int

    @property
    def equal(self) -> int:
        """Number of books that are as announced."""
        return self.compared - len(self.different)


def compare_quotes(stream: UpdateStream, quotes: QuoteSeries) -> QuoteCheck:
    """The book after each message beside the quote that was in force at its update id: prices and sizes. Driver.

    A quote is in force from its own update id until the next one's. Sizes that were contracts are converted at the
    price and may differ by the rounding of that; everything else is compared exactly.
    """
    message_id = stream.update_id[stream.message_rows]
    if not len(quotes) or not len(message_id):
        return QuoteCheck(0, np.zeros(0, np.int64), len(message_id), 0)
    order = np.argsort(quotes.update_id, kind="stable")
    quote_id = quotes.update_id[order]
    row = np.searchsorted(quote_id, message_id, side="right") - 1
    after = message_id > quote_id[-1]
    number = np.flatnonzero((row >= 0) & ~after)
    book = stream.after_messages(number + 1, levels=1).book
    announced = quotes.series.book[order[row[number]]]
    equal = np.ones(len(number), bool)
    for name in _FIELDS:
        ours, theirs = (np.asarray(getattr(one, name))[:, 0] for one in (book, announced))
        equal &= np.isclose(ours, theirs, rtol=0 if name.endswith("price") else 1e-12, atol=0, equal_nan=True)
    counts = int(np.count_nonzero(row < 0)), int(np.count_nonzero(after))
    return QuoteCheck(len(number), number[~equal] + 1, *counts)
