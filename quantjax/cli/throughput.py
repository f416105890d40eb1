"""How fast the metrics are on this machine, on the books at hand, beside plain numpy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quantjax.lob import BookMetrics, BookSeries
    from quantjax.report import Throughput

__all__ = ["measure_throughput"]

MIN_BOOKS, MAX_BOOKS = 20_000, 100_000


def measure_throughput(series: BookSeries, metrics: BookMetrics) -> Throughput | None:
    """Median speed of `lob.analyze` and of plain numpy, in turn, on the same 20,000 to 100,000 of these books; None
    where no book is valid.

    Fewer books than that are repeated; invalid ones, which numpy would measure as they stand, are left out. Compilation
    is not timed. Where the two disagree on a metric the speeds are not compared, and the note says so.
    """
    import jax
    import numpy as np

    from quantjax import lob
    from quantjax.lob.baseline import measure_numpy
    from quantjax.lob.measures import columns
    from quantjax.report import Throughput

    valid = np.flatnonzero(np.asarray(lob.flags(series.book).valid))
    if len(valid) == 0:
        return None
    count = min(max(len(valid), MIN_BOOKS), MAX_BOOKS)
    rows = valid[np.arange(count) % len(valid)]
    sample = lob.BookSeries(np.arange(count, dtype=np.int64), series.book[rows], series.symbol, series.tick_size)
    runs: dict[str, Callable[[], object]] = {
        "quantjax": lambda: lob.analyze(sample, metrics),
        "numpy": lambda: measure_numpy(sample.book, sample.tick_size, metrics),
    }
    differ = _differences(
        dict(columns(lob.analyze(sample, metrics))), measure_numpy(sample.book, sample.tick_size, metrics)
    )
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(3):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    speed = {name: count / float(np.median(times)) for name, times in seconds.items()}
    device = jax.devices()[0]
    kind = np.dtype(series.book.bid_price.dtype)
    note = f"{count:,} books of {series.symbol}, {series.book.levels} levels a side, {kind}"
    if len(valid) < count:
        note += f", {len(valid):,} recorded books repeated"
    if differ:
        note += f"; not compared with numpy, which differs on {', '.join(differ)}"
    return Throughput(
        speed["quantjax"], None if differ else speed["numpy"], f"{device.device_kind} ({device.platform})", note
    )


def _differences(ours, theirs) -> list[str]:
    """Metrics on which the two do not agree: a speed counts only where both computed the same."""
    import numpy as np

    return [
        name
        for name, values in ours.items()
        if not np.allclose(np.asarray(values, float), np.asarray(theirs[name], float), 1e-6, 1e-6, equal_nan=True)
    ]
