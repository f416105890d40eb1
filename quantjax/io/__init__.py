"""Reading and writing: recorded order books and option chains of any format, updates, quotes, results into files."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from quantjax.io import datasets
from quantjax.io.counts import COUNT_NAMES
from quantjax.io.data import BookData
from quantjax.io.errors import DataError
from quantjax.io.formats import FORMATS, find_format
from quantjax.io.lobster_messages import LOBSTER_EVENTS, LobsterEvent, LobsterMessages
from quantjax.io.models import read_model, write_model
from quantjax.io.quote_check import QuoteCheck, compare_quotes
from quantjax.io.quotes import QuoteData, QuoteSeries, read_quotes
from quantjax.io.reading import BookStream, read_books, stream_books
from quantjax.io.update_streams import UpdateStream
from quantjax.io.updates import UpdateData, read_updates
from quantjax.io.writing import write_analysis, write_books, write_table

if TYPE_CHECKING:
    from quantjax.io.chains import (
        CHAIN_COLUMNS,
        CHAIN_FORMATS,
        CHAIN_REASONS,
        ChainRules,
        OptionChain,
        find_chain_format,
        load_chain,
    )

__all__ = [
    "CHAIN_COLUMNS",
    "CHAIN_FORMATS",
    "CHAIN_REASONS",
    "COUNT_NAMES",
    "FORMATS",
    "LOBSTER_EVENTS",
    "BookData",
    "BookStream",
    "ChainRules",
    "DataError",
    "LobsterEvent",
    "LobsterMessages",
    "OptionChain",
    "QuoteCheck",
    "QuoteData",
    "QuoteSeries",
    "UpdateData",
    "UpdateStream",
    "compare_quotes",
    "datasets",
    "find_chain_format",
    "find_format",
    "load_chain",
    "read_books",
    "read_model",
    "read_quotes",
    "read_updates",
    "stream_books",
    "write_analysis",
    "write_books",
    "write_model",
    "write_table",
]

# Option chains are tables, which load pandas: on first use, so that readers of books start without it.
_CHAINS = {name for name in __all__ if "chain" in name.lower()}


def __getattr__(name: str) -> Any:
    if name in _CHAINS:
        return getattr(_import_module("quantjax.io.chains"), name)
    raise AttributeError(f"module 'quantjax.io' has no attribute {name!r}")
