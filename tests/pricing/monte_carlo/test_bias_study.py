"""Study: bias of Heston's schemes by steps, against Fourier. Writes docs/heston_bias.md and docs/heston_bias.json."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest

from quantjax.pricing import (
    European,
    FullTruncationEuler,
    Heston,
    MonteCarlo,
    QuadraticExponential,
    Sobol,
    SpotControl,
    price,
    simulate_price,
)
from tests.conftest import ROOT

# A. Lewis's set (r = 0.01, q = 0.02); Andersen (2008), table 2, with r = 0.
CASES = {
    "Lewis, T = 1": ({"v0": 0.04, "kappa": 4.0, "theta": 0.25, "xi": 1.0, "rho": -0.5}, 1.0, 0.01, 0.02),
    "Andersen I, T = 10": ({"v0": 0.04, "kappa": 0.5, "theta": 0.04, "xi": 1.0, "rho": -0.9}, 10.0, 0.0, 0.0),
    "Andersen II, T = 15": ({"v0": 0.04, "kappa": 0.3, "theta": 0.04, "xi": 0.9, "rho": -0.5}, 15.0, 0.0, 0.0),
    "Andersen III, T = 5": ({"v0": 0.09, "kappa": 1.0, "theta": 0.09, "xi": 1.0, "rho": -0.3}, 5.0, 0.0, 0.0),
}
STEPS_PER_YEAR = (1, 2, 4, 8, 16, 32)
SCHEMES = {"QE-M": QuadraticExponential, "Euler": FullTruncationEuler}
STRIKES = np.array([70.0, 100.0, 140.0])
NUM_PATHS = 1 << 18

HEADER = f"""# Bias of Heston's schemes by steps

Price of a call by Monte Carlo minus its price by Lewis's integral, S = 100, in parentheses the standard error:
{NUM_PATHS:,} conditional paths, Sobol's points in 16 scramblings, the spot as control variate. A call at the money
costs 13 to 22 here; 0.01 is a basis point of the spot. `QE-M` is `QuadraticExponential`, `Euler` is
`FullTruncationEuler`. Made by `make validate`.
"""


@pytest.mark.study
def test_bias_by_steps():
    table = []
    for case, (parameters, maturity, rate, dividend) in CASES.items():
        forward, discount = 100 * np.exp((rate - dividend) * maturity), np.exp(-rate * maturity)
        exact = np.asarray(price(Heston(**parameters), STRIKES, maturity, forward=forward, discount=discount))
        for name, scheme in SCHEMES.items():
            for steps in STEPS_PER_YEAR:
                model = Heston(**parameters, scheme=scheme(steps_per_year=steps))
                engine = MonteCarlo(NUM_PATHS, draws=Sobol(), conditional=True, control_variates=(SpotControl(),))
                found = simulate_price(
                    model,
                    European(STRIKES),
                    [maturity],
                    spot=100.0,
                    forward=forward,
                    discount=discount,
                    engine=engine,
                    key=jax.random.key(steps),
                )
                table.append(
                    {
                        "case": case,
                        "scheme": name,
                        "steps_per_year": steps,
                        "bias": (np.asarray(found.price) - exact).tolist(),
                        "std_error": np.asarray(found.std_error).tolist(),
                    }
                )
    (ROOT / "docs/heston_bias.json").write_text(
        json.dumps({"strikes": STRIKES.tolist(), "rows": table}, indent=1) + "\n"
    )
    (ROOT / "docs/heston_bias.md").write_text(HEADER + "".join(section(case, table) for case in CASES))
    at_the_money = {(row["case"], row["scheme"], row["steps_per_year"]): abs(row["bias"][1]) for row in table}
    for case in CASES:
        assert at_the_money[case, "QE-M", 32] < 0.01, case
        # At 16 steps and more Euler's error changes its sign in Lewis's case.
        assert at_the_money[case, "QE-M", 4] < 0.5 * at_the_money[case, "Euler", 4], case


def section(case: str, table: list[dict]) -> str:
    """One set's rows."""
    columns = [f"{name} K = {strike:g}" for name in SCHEMES for strike in STRIKES]
    lines = [f"\n## {case}\n", f"| steps a year | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for steps in STEPS_PER_YEAR:
        own = [row for row in table if (row["case"], row["steps_per_year"]) == (case, steps)]
        cells = [
            f"{bias:+.4f} ({error:.4f})"
            for row in own
            for bias, error in zip(row["bias"], row["std_error"], strict=True)
        ]
        lines.append(f"| {steps} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
