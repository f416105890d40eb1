"""Models as JSON files: there and back, and what is none."""

from __future__ import annotations

import json

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import quantjax
from quantjax import io
from quantjax.pricing import Black, FullTruncationEuler, Heston, OptionQuotes, QuadraticExponential

HESTON = (
    '{"model": "Heston", "parameters": {"v0": 0.1, "kappa": 1, "theta": 0.2, "xi": 0.5, "rho": -0.7}, '
    '"settings": {"scheme": %s}}'
)
MODEL = Heston(v0=0.1 + 0.2, kappa=1 / 3, theta=1e-17, xi=0.6, rho=-0.7)


def test_there_and_back_to_the_last_digit(tmp_path):
    path = io.write_model(tmp_path / "model.json", MODEL)
    back = io.read_model(path)
    assert type(back) is Heston
    for name in ("v0", "kappa", "theta", "xi", "rho"):
        assert float(getattr(back, name)) == float(getattr(MODEL, name))
    content = json.loads(path.read_text())
    assert (content["model"], content["format"], content["quantjax"]) == ("Heston", 1, quantjax.__version__)


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        Black(0.2),
        Heston(0.04, 1.5, 0.04, 0.5, -0.7, scheme=FullTruncationEuler(steps_per_year=500.0)),
        Heston(0.04, 1.5, 0.04, 0.5, -0.7, scheme=QuadraticExponential(substeps=4)),
        Heston(*(jnp.float32(x) for x in (0.1, 1.5, 0.04, 0.5, -0.7))),
    ],
    ids=["default", "black", "euler", "substeps", "float32"],
)
def test_what_is_read_equals_what_was_written(tmp_path, model):
    assert eqx.tree_equal(io.read_model(io.write_model(tmp_path / "model.json", model)), model)


def test_files_without_format_and_settings_are_read(tmp_path):
    path = tmp_path / "model.json"
    path.write_text('{"model": "Heston", "parameters": {"v0": 0.1, "kappa": 1, "theta": 0.2, "xi": 0.5, "rho": -0.7}}')
    assert eqx.tree_equal(io.read_model(path), Heston(0.1, 1.0, 0.2, 0.5, -0.7))


def test_a_format_of_later_is_refused(tmp_path):
    path = io.write_model(tmp_path / "model.json", MODEL)
    path.write_text(path.read_text().replace('"format": 1', '"format": 2').replace(quantjax.__version__, "9.0"))
    with pytest.raises(io.DataError, match=r"format 1, got 2, written by quantjax 9\.0; read it with that version"):
        io.read_model(path)


def test_a_scheme_of_ones_own_is_not_written(tmp_path):
    class Own(QuadraticExponential):
        pass

    with pytest.raises(TypeError, match="expected scheme as a class"):
        io.write_model(tmp_path / "model.json", Heston(0.04, 1.5, 0.04, 0.5, -0.7, scheme=Own()))
    assert not (tmp_path / "model.json").exists()


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
        ('{"model": "Black", "parameters": {"vol": "high"}}', "as numbers"),
        ('{"model": "Black", "parameters": {"vol": 0.2}, "dtypes": {"vol": "float33"}}', "as numbers"),
        ('{"model": "Black", "parameters": {"vol": 0.2}, "dtypes": []}', "as numbers"),
        ('{"model": "Black", "parameters": {"vol": 0.2}, "settings": {"scheme": 1}}', "settings of Black"),
        ('{"format": [1], "model": "Black", "parameters": {"vol": 0.2}}', "format 1"),
        (HESTON % '{"class": "calibrate", "fields": {}}', "class of quantjax.pricing"),
        (HESTON % '{"class": "QuadraticExponential", "fields": {"speed": 2}}', "with its fields"),
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
