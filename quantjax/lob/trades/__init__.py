"""Trades: as arrays, joined to books, signed, and what is measured on them."""

from quantjax.lob.lots import to_lots
from quantjax.lob.trades.costs import CostSummary, TradeCosts, trade_costs
from quantjax.lob.trades.high_low import corwin_schultz_spread, parkinson_variance
from quantjax.lob.trades.illiquidity import Amihud, Illiquidity, amihud, illiquidity, kyle_lambda
from quantjax.lob.trades.imbalance import (
    IntervalImbalance,
    TradeImbalance,
    binned_trade_imbalance,
    rolling_trade_imbalance,
    trade_imbalance,
    trade_imbalance_by_interval,
)
from quantjax.lob.trades.join import FutureMids, JoinedTrades, future_mids, join_trades
from quantjax.lob.trades.sampling import SampledPrices, log_returns, sample_prices
from quantjax.lob.trades.series import TradeSeries
from quantjax.lob.trades.signing import TradeSigns, lee_ready, quote_test, sign_trades, tick_test
from quantjax.lob.trades.spreads import (
    SpreadSplit,
    effective_spread,
    effective_spread_bps,
    roll_spread,
    split_spread,
    split_spread_bps,
    volume_weighted_mean,
)
from quantjax.lob.trades.validation import CleanedTrades, TradeCheck, check_trades, clean_trades
from quantjax.lob.trades.volatility import (
    RealisedVariances,
    bipower_variation,
    realised_variance,
    realised_variances,
    two_scale_variance,
)
from quantjax.lob.trades.volume_buckets import VolumeBuckets, split_volume
from quantjax.lob.trades.vpin import BulkVolume, TrueSides, Vpin, bulk_buy_share, vpin, vpin_of_buckets

__all__ = [
    "Amihud",
    "BulkVolume",
    "CleanedTrades",
    "CostSummary",
    "FutureMids",
    "Illiquidity",
    "IntervalImbalance",
    "JoinedTrades",
    "RealisedVariances",
    "SampledPrices",
    "SpreadSplit",
    "TradeCheck",
    "TradeCosts",
    "TradeImbalance",
    "TradeSeries",
    "TradeSigns",
    "TrueSides",
    "VolumeBuckets",
    "Vpin",
    "amihud",
    "binned_trade_imbalance",
    "bipower_variation",
    "bulk_buy_share",
    "check_trades",
    "clean_trades",
    "corwin_schultz_spread",
    "effective_spread",
    "effective_spread_bps",
    "future_mids",
    "illiquidity",
    "join_trades",
    "kyle_lambda",
    "lee_ready",
    "log_returns",
    "parkinson_variance",
    "quote_test",
    "realised_variance",
    "realised_variances",
    "roll_spread",
    "rolling_trade_imbalance",
    "sample_prices",
    "sign_trades",
    "split_spread",
    "split_spread_bps",
    "split_volume",
    "tick_test",
    "to_lots",
    "trade_costs",
    "trade_imbalance",
    "trade_imbalance_by_interval",
    "two_scale_variance",
    "volume_weighted_mean",
    "vpin",
    "vpin_of_buckets",
]
