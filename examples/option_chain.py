"""From a file of option quotes to a clean surface: what is dropped and why, forwards by parity, smiles by SVI.

Run it as `python examples/option_chain.py [CHAIN]` with a CBOE table, a Deribit export or LEAN's bars.
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)  # implied volatilities need double precision

import numpy as np
from chain import OUT, chosen_chain

from quantjax import io, pricing
from quantjax.report import smiles

chain = io.load_chain(chosen_chain())
print(f"{chain.symbol} as of {chain.as_of} ({chain.metadata['as_of_source']})")
print("quotes by what became of them:", chain.report)
columns = ["expiry", "settlement", "forward", "forward_std_error", "discount", "rate", "discount_source", "atm_vol"]
print(chain.expiries[columns].to_string())

# Could anything be locked in at the quotes?
arbitrage = chain.arbitrage()
print(f"quotes with a static arbitrage: {len(arbitrage)}")

# A smooth curve for each expiry, and whether its density is positive everywhere.
quotes = chain.quotes(min_maturity=7 / 365, max_deviations=3.0, max_relative_spread=0.5)
fit = pricing.fit_svi_slices(quotes)
vols = jax.vmap(pricing.Svi.implied_vol)(fit.svi, quotes.log_moneyness, quotes.maturities)
inside = (vols >= quotes.bid_vols) & (vols <= quotes.ask_vols)
print(f"SVI: {int(fit.converged.sum())} of {len(quotes.maturities)} expiries converged,")
print(f"  {float(inside.sum() / quotes.num_quotes):.1%} of the quotes have it between bid and ask,")
print(f"  least density condition {float(np.min(fit.min_density)):.3f} (a negative one is a butterfly arbitrage)")

OUT.mkdir(parents=True, exist_ok=True)
names = [f"{row.expiry:%Y-%m-%d} {row.settlement}" for row in chain.expiries.itertuples()]
shown = [name for name, t in zip(names, chain.expiries["maturity"], strict=True) if t in np.asarray(quotes.maturities)]
smiles(quotes, svi=fit, names=shown).savefig(OUT / "option_chain.png", dpi=160)
print("figure in", OUT)
