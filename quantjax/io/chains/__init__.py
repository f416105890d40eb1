"""Option chains: CBOE's, Deribit's and LEAN's files as one documented table of clean quotes."""

from quantjax.io.chains.building import COLUMNS as CHAIN_COLUMNS
from quantjax.io.chains.chain import OptionChain
from quantjax.io.chains.load_chain import CHAIN_FORMATS, find_chain_format, load_chain
from quantjax.io.chains.rules import REASONS as CHAIN_REASONS
from quantjax.io.chains.rules import ChainRules

__all__ = [
    "CHAIN_COLUMNS",
    "CHAIN_FORMATS",
    "CHAIN_REASONS",
    "ChainRules",
    "OptionChain",
    "find_chain_format",
    "load_chain",
]
