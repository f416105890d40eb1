"""Models as JSON files: there and back, and what is none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from quantjax import io
from quantjax.pricing import Heston, OptionQuotes

MODEL = Heston(v0=0.1 + 0.2, kappa=1 / 3, theta=1e-17, xi=0.6, rho=-0.7)


def test_there_and_back_to_the_last_digit(tmp_path):
    path = io.write_model(tmp_path / "model.json", MODEL)
    back = io.read_model(path)
    assert type(back) is Heston
    for name in ("v0", "kappa", "theta", "xi", "rho"):
        assert float(getattr(back, name)) == float(getattr(MODEL, name))
    assert json.loads(path.read_text())["model"] == "Heston"


def test_a_batch(tmp_path):
    batch = Heston(*np.random.default_rng(0).uniform(0.1, 0.9, (5, 3)))
    back = io.read_model(io.write_model(tmp_path / "models.json", batch))
    np.testing.assert_array_equal(back.rho, batch.rho)


def test_what_is_no_model_is_not_written(tmp_path):
    quotes = OptionQuotes.from_vols([100.0], [1.0], [[0.2]], forward=100.0)
    with pytest.raises(TypeError, match="expected a model"):
        io.write_model(tmp_path / "model.json", quotes)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("not json", "as JSON"),
        ("[1, 2]", "name of a model"),
        ('{"model": "OptionQuotes", "parameters": {}}', "name of a model"),
        ('{"model": "Heston", "parameters": {"v0": 0.04}}', "expected the parameters"),
        ('{"model": "Heston", "parameters": null}', "expected the parameters"),
    ],
)
def test_garbage_is_refused(tmp_path, content, match):
    path = tmp_path / "model.json"
    path.write_text(content)
    with pytest.raises(io.DataError, match=match):
        io.read_model(path)


def test_parameters_outside_their_domain_are_refused(tmp_path):
    path = io.write_model(tmp_path / "model.json", MODEL)
    path.write_text(path.read_text().replace("-0.7", "-1.7"))
    with pytest.raises(ValueError, match="rho"):
        io.read_model(path)
    with pytest.raises(FileNotFoundError):
        io.read_model(tmp_path / "absent.json")
