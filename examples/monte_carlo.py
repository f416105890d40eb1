"""Asian and barrier options under Heston by Monte Carlo: prices with standard errors, and the European as a control.

Run it as `python examples/monte_carlo.py [NUM_PATHS]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)  # prices want double precision

import matplotlib.pyplot as plt
import numpy as np

from quantjax import pricing

OUT = Path("out/examples")
NUM_PATHS = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 16
SPOT, RATE, DIVIDEND = 100.0, 0.03, 0.01
STRIKES = np.array([80.0, 90.0, 100.0, 110.0, 120.0])

# A year of weeks, a step of the scheme each.
model = pricing.Heston(0.04, 1.5, 0.04, 0.5, -0.7, scheme=pricing.QuadraticExponential(substeps=1))
times = np.arange(1, 53) / 52
forward, discount = np.asarray(pricing.forward_curve(SPOT, RATE, DIVIDEND, times)), np.exp(-RATE * times)
european = np.asarray(pricing.price(model, STRIKES, 1.0, forward=forward[-1], discount=discount[-1]))

# One pass over the same paths prices them all.
payoffs = {
    "European": pricing.European(STRIKES),
    "Asian, weekly": pricing.Asian(STRIKES),
    "up and out at 130": pricing.Barrier(STRIKES, 130.0, "up", "out"),
}
spot = pricing.SpotControl(at=(12, 25, 38, 51))  # the spot at the end of each quarter
known = pricing.ControlVariate(pricing.European(STRIKES), european / discount[-1])
found = {
    name: pricing.simulate_price(
        model,
        payoffs,
        times,
        spot=SPOT,
        forward=forward,
        discount=discount,
        engine=pricing.MonteCarlo(NUM_PATHS, control_variates=controls),
        key=jax.random.key(0),
    )
    for name, controls in (("no control", ()), ("controls", (spot, known)))
}
plain, controlled = found["no control"], found["controls"]

print(f"Heston, {plain.num_paths} paths of {len(times)} weeks, strikes {STRIKES.tolist()}")
price, std_error = (np.asarray(part["European"]) for part in (plain.price, plain.std_error))
print(f"European: {price.round(4)} +- {std_error.round(4)}, by Fourier {european.round(4)}")
# As a control of itself the European has no noise left; what is like it has less.
exotics = [name for name in payoffs if name != "European"]
for name in exotics:
    price, std_error = (np.asarray(part[name]) for part in (controlled.price, controlled.std_error))
    gain = (np.asarray(plain.std_error[name]) / std_error) ** 2
    print(f"{name}: {price.round(4)} +- {std_error.round(4)}, as good as {gain.round(1)} times the paths uncontrolled")

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
axes[0].plot(STRIKES, european, "k-", lw=1, label="European by Fourier")
for colour, name in zip(("C0", "C1", "C2"), payoffs, strict=True):
    result = controlled if name in exotics else plain
    error = 2 * np.asarray(result.std_error[name])
    axes[0].errorbar(STRIKES, result.price[name], error, fmt="o", color=colour, capsize=3, label=name)
    axes[1].semilogy(STRIKES, plain.std_error[name], "o--", color=colour, label=f"{name}, no control")
for colour, name in zip(("C1", "C2"), exotics, strict=True):
    axes[1].semilogy(STRIKES, controlled.std_error[name], "o-", color=colour, label=f"{name}, controls")
axes[0].set(xlabel="strike", ylabel="price", title="Prices, two standard errors")
axes[1].set(xlabel="strike", ylabel="standard error", title=f"{plain.num_paths:,} paths")
for axis in axes:
    axis.legend(frameon=False, fontsize=8)
OUT.mkdir(parents=True, exist_ok=True)
figure.savefig(OUT / "monte_carlo.png", dpi=160)
print("figure in", OUT)
