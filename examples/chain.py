"""The option chain that an example reads: the file it is given, or a small one in CBOE's format of model prices."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from quantjax import pricing

OUT = Path("out/examples")
TRUTH = pricing.Heston(v0=0.02, kappa=3.0, theta=0.045, xi=0.9, rho=-0.7)
HEADER = (
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Vol,IV,Delta,Gamma,Open Int,Strike,"
    "Puts,Last Sale,Net,Bid,Ask,Vol,IV,Delta,Gamma,Open Int"
)
SPOT, RATE, DIVIDEND = 2880.0, 0.025, 0.018
TAKEN = datetime(2019, 4, 9, 15, 9, tzinfo=UTC)  # 11:09 in New York
EXPIRIES = {  # root and day of the options, and when they settle
    "SPXW190510": datetime(2019, 5, 10, 20, 0, tzinfo=UTC),
    "SPX190621": datetime(2019, 6, 21, 13, 30, tzinfo=UTC),
    "SPXW190930": datetime(2019, 9, 30, 20, 0, tzinfo=UTC),
    "SPX200320": datetime(2020, 3, 20, 13, 30, tzinfo=UTC),
}


def chosen_chain() -> Path:
    """The file on the command line, or a chain that is made of Heston's prices."""
    return Path(sys.argv[1]) if len(sys.argv) > 1 else write_chain(OUT / "chain.csv")


def write_chain(path: Path) -> Path:
    """Heston's prices at 13 strikes of four expiries, with a bid and an ask in steps of 0.05 around each."""
    maturities = np.array([(expiry - TAKEN).total_seconds() / (365 * 86_400) for expiry in EXPIRIES.values()])
    forward = np.asarray(pricing.forward_curve(SPOT, RATE, DIVIDEND, maturities))
    deviations = np.linspace(-2.0, 1.5, 13)
    strikes = 5 * np.round(forward[:, None] * np.exp(0.17 * np.sqrt(maturities)[:, None] * deviations) / 5)
    discount = np.exp(-RATE * maturities)
    calls = np.asarray(pricing.price(TRUTH, strikes, maturities, forward=forward, discount=discount))
    puts = calls - discount[:, None] * (forward[:, None] - strikes)
    rows = ["^SPX (Standard & Poors 500 Index),2880.00,0.00", "Apr 09 2019 @ 11:09 ET,Bid,,Ask,,Size,,Vol,", HEADER]
    for i, name in enumerate(EXPIRIES):
        root, day = name[:-6], datetime.strptime(name[-6:], "%y%m%d")
        for j, strike in enumerate(strikes[i]):
            sides = []
            for right, price in (("C", calls[i, j]), ("P", puts[i, j])):
                spread = 0.1 + 0.01 * price
                bid, ask = (0.05 * round(20 * (price + side * spread / 2)) for side in (-1, 1))
                symbol = f"{root}{day:%y%m%d}{right}{round(1000 * strike):08d}"
                sides.append(f"{symbol},0,0,{max(bid, 0):.2f},{ask:.2f},0,0,0,0,0")
            rows.append(f"{day:%m/%d/%Y},{sides[0]},{strike:.3f},{sides[1]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")
    return path
