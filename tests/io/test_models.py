"""Models as files: what is written comes back to the last bit, and what is no model is refused."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from quantjax import io, pricing

HESTON = pricing.Heston(v0=0.1 + 0.2, kappa=1 / 3, theta=0.05, xi=0.6, rho=-0.7)


def test_there_and_back(tmp_path: Path):
    path = io.write_model(tmp_path / "model.json", HESTON)
    back = io.read_model(path)
    assert type(back) is pricing.Heston
    for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(HESTON), strict=True):
        np.testing.assert_array_equal(one, other)
    many = pricing.Heston(*(np.full(3, value) for value in (0.04, 1.0, 0.05, 0.6, -0.7)))
    assert io.read_model(io.write_model(tmp_path / "many.json", many)).rho.shape == (3,)


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "[]",
        '{"model": "Bates", "parameters": {}}',
        '{"model": "price", "parameters": {}}',
        '{"model": "Heston"}',
        '{"model": "Heston", "parameters": {"v0": 0.04}}',
        json.dumps({"model": "Heston", "parameters": dict.fromkeys(("v0", "kappa", "theta", "xi", "rho"), "x")}),
        json.dumps({"model": "Heston", "parameters": dict.fromkeys(("v0", "kappa", "theta", "xi", "rho"), 1.5)}),
    ],
)
def test_what_is_no_model(tmp_path: Path, content: str):
    path = tmp_path / "model.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="expected"):
        io.read_model(path)
    with pytest.raises(TypeError, match="expected a model"):
        io.write_model(path, {"v0": 0.04})
