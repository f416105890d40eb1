"""Threefry's words are JAX's own, and Box and Muller's pairs are independent normals."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32 as jax_threefry
from scipy import stats

from quantjax.numerics.box_muller import box_muller
from quantjax.numerics.threefry import key_words, threefry_2x32


def test_known_answers():
    # Random123, kat_vectors: threefry2x32, 20 rounds.
    ones = jnp.full((), 0xFFFFFFFF, jnp.uint32)
    pi = [jnp.full((), word, jnp.uint32) for word in (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)]
    assert [int(word) for word in threefry_2x32((ones, ones), ones, ones)] == [0x1CB996FC, 0xBB002BE7]
    assert [int(word) for word in threefry_2x32((pi[2], pi[3]), pi[0], pi[1])] == [0xC4923A9C, 0x483DF7A0]


def test_words_are_those_of_jax(key):
    words = key_words(key)
    first, second = jnp.arange(1000, dtype=jnp.uint32), jnp.arange(7000, 8000, dtype=jnp.uint32)
    ours = jnp.concatenate(jax.jit(threefry_2x32)(words, first, second))
    np.testing.assert_array_equal(ours, jax_threefry(jnp.stack(words), jnp.concatenate([first, second])))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pairs_are_independent_normals(key, dtype):
    @jax.jit
    def draw(words):
        counter = jnp.arange(100_000, dtype=jnp.uint32)
        return box_muller(*threefry_2x32(words, counter, counter), dtype)

    x, y = (np.asarray(z) for z in draw(key_words(key)))
    assert x.dtype == y.dtype == dtype
    for sample in (x, y, (x + y) / np.sqrt(2), (x - y) / np.sqrt(2)):
        assert stats.kstest(sample, "norm").pvalue > 1e-3
    # Squares and signs too: a Box-Muller pair shares its radius, which independence must not show.
    assert abs(np.corrcoef(x**2, y**2)[0, 1]) < 4 / np.sqrt(len(x))
    assert abs(np.corrcoef(x, y)[0, 1]) < 4 / np.sqrt(len(x))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 3e-15), (np.float32, 2e-6)])
def test_pairs_are_the_formula(dtype, tolerance):
    word = np.concatenate([np.linspace(0, 2**32 - 1, 2001), [0, 1, 2**32 - 1]]).astype(np.uint32)
    first, second = (array.ravel() for array in np.meshgrid(word[::40], word))
    x, y = jax.jit(box_muller, static_argnums=2)(jnp.asarray(first), jnp.asarray(second), dtype)
    u = np.minimum((first.astype(dtype).astype(float) + 0.5) * 2.0**-32, 1.0)
    radius = np.sqrt(-2 * np.log(u))
    low = (second << np.uint32(2)).view(np.int32)
    angle = (np.pi / 2) * ((second >> 30) + low * 2.0**-32)
    ok = first < 2**31  # in float32 1 - u has few digits above
    np.testing.assert_allclose(np.asarray(x)[ok], (radius * np.cos(angle))[ok], atol=tolerance * 7)
    np.testing.assert_allclose(np.asarray(y)[ok], (radius * np.sin(angle))[ok], atol=tolerance * 7)


def test_any_kind_of_key():
    words = [key_words(jax.random.key(1, impl=kind)) for kind in ("threefry2x32", "rbg")]
    assert {word.dtype for pair in words for word in pair} == {jnp.dtype("uint32")}
