"""Heston fitted to an option chain: parameters with standard errors, the error by maturity, smiles and residuals.

Run it as `python examples/calibrate_heston.py [CHAIN]`; without a file it makes a chain of Heston's prices, and finds
the parameters that made them.
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)  # prices want double precision

import numpy as np
from chain import OUT, TRUTH, chosen_chain

from quantjax import io, pricing
from quantjax.report import error_by_maturity, residuals, smiles

path = chosen_chain()
chain = io.load_chain(path)
quotes = chain.quotes(min_maturity=7 / 365, max_maturity=3.0, max_deviations=2.5, max_strikes=24)
found = pricing.calibrate(pricing.initial_heston(quotes), quotes)
print(f"{chain.symbol} as of {chain.as_of}")
print(found.summary)
print(found.by_maturity().round(3).to_string(index=False))
if path.parent == OUT:
    print("made with", {name: float(getattr(TRUTH, name)) for name in found.parameters})

# Gradients come with the model: how the fitted prices move with each parameter.
by_xi = np.nanmean(np.asarray(found.jacobian)[..., found.parameters.index("xi")], axis=1)
print("mean vol points by 1 % more xi, by expiry:", (by_xi * float(found.model.xi)).round(3))

OUT.mkdir(parents=True, exist_ok=True)
svi = pricing.fit_svi_slices(quotes)
fitted = quotes.vols + found.errors / 100
for name, figure in {
    "heston_smiles": smiles(quotes, {"Heston": fitted}, svi=svi),
    "heston_errors": error_by_maturity(quotes, {"Heston": found.errors, "SVI": svi.errors(quotes)}),
    "heston_residuals": residuals(quotes, found.errors, name="Heston model"),
}.items():
    figure.savefig(OUT / f"{name}.png", dpi=160)
io.write_model(OUT / "heston.json", found.model)
print("figures and heston.json in", OUT)
