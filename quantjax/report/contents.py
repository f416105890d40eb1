"""What a report is made of: plain containers of results, filled by whoever has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quantjax.lob import BookAnalysis, BookSeries

__all__ = ["SymbolReport", "Throughput", "TruthCheck"]


@dataclass(frozen=True)
class TruthCheck:
    """Books compared with the source's own record of them: how many were, and how many of those were equal.

    `what` says what was compared, in a few words. Raises ValueError unless 0 <= equal <= compared.
    """

    compared: int
    equal: int
    what: str = "books compared with the exchange's own record"

    def __post_init__(self) -> None:
        if not 0 <= self.equal <= self.compared:
            raise ValueError(f"expected 0 <= equal <= compared, got {self.equal} of {self.compared}")


@dataclass(frozen=True)
class Throughput:
    """Measured speed of all metrics in books per second, and of the same in plain numpy where that was measured too.

    `device`: the machine, in words. `note`: what was timed (books, levels, dtype, repeats). Raises ValueError for
    speeds that are not positive.
    """

    books_per_second: float
    numpy_books_per_second: float | None = None
    device: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("books_per_second", "numpy_books_per_second"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"expected {name} > 0, got {value}")

    @property
    def ratio(self) -> float | None:
        """How many times the speed of plain numpy; None where that was not measured."""
        return None if self.numpy_books_per_second is None else self.books_per_second / self.numpy_books_per_second


@dataclass(frozen=True)
class SymbolReport:
    """One symbol of a report: its books and what `lob.analyze` made of them.

    `analysis` is None only where there is no book to analyse. `counts`: what was dropped, repeated or skipped for this
    symbol, by name. `truth`: the comparison with the source's own record. `note`: a sentence under the symbol's name.
    Raises ValueError where books come without their analysis, or with that of other books.
    """

    series: BookSeries
    analysis: BookAnalysis | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    truth: TruthCheck | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.analysis is None:
            if len(self.series):
                raise ValueError(
                    f"expected the analysis of the {len(self.series)} books of {self.symbol}, got none; "
                    "lob.analyze(series) makes it"
                )
        elif self.analysis.symbol != self.series.symbol or len(self.analysis) != len(self.series):
            raise ValueError(
                f"expected the analysis of {len(self.series)} books of {self.series.symbol}, "
                f"got that of {len(self.analysis)} books of {self.analysis.symbol}"
            )

    @property
    def symbol(self) -> str:
        """The symbol's name."""
        return self.series.symbol
