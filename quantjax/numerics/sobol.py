"""Sobol's points, plain or with Owen's scrambling, made where they are used: any stretch of them, any dimension.

A point is a few exclusive-ors of direction numbers, so that nothing is stored but those.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt32

from quantjax.numerics.arguments import whole_number
from quantjax.numerics.threefry import key_words, threefry_2x32

__all__ = ["MAX_SOBOL_DIMENSIONS", "scrambled", "sobol_directions", "sobol_points", "sobol_words", "to_uniform"]

BITS = 32
MAX_SOBOL_DIMENSIONS = 21_201


def sobol_points(num_points: int, num_dimensions: int, *, key: jax.Array | None = None, start: int = 0) -> jax.Array:
    """Sobol's low-discrepancy points, `[dimension, point]`, in (0, 1), of JAX's default floating dtype.

    Points `start` to `start + num_points` of the sequence, in the order of binary counting (scipy's are in Gray's
    order: its point i is number i ^ (i >> 1) here), 32 bits each, in the middle of their cells. `key`: scrambles every
    dimension as Owen does, which makes each point uniform and keeps the net, so that several keys give independent
    unbiased estimates; None gives the plain points, whose first is (almost) 0. Take a power of two of points: only
    those are balanced. Raises ValueError for more than 21,201 dimensions or beyond 2^32 points. Per item. Source:
    Joe & Kuo (2008), Constructing Sobol sequences with better two-dimensional projections, SIAM J. Sci. Comput. 30:2635
    (new-joe-kuo-6.21201); Owen (1995), Randomly permuted (t,m,s)-nets.

    >>> sobol_points(4, 2).round(2).tolist()
    [[0.0, 0.5, 0.25, 0.75], [0.0, 0.5, 0.75, 0.25]]
    """
    num_points = whole_number(num_points, "num_points")
    start = whole_number(start, "start", 0)
    if start + num_points > 1 << BITS:
        raise ValueError(f"expected points up to number 2^32, got start {start} and num_points {num_points}")
    words = jnp.asarray(sobol_directions(num_dimensions))
    index = np.uint32(start) + jnp.arange(num_points, dtype=jnp.uint32)
    seeds = None if key is None else scrambling_seeds(key, num_dimensions)[:, None]
    reverse = sobol_words(index, tuple(words.T[:, :, None]))
    return to_uniform(reverse if seeds is None else scrambled(reverse, seeds), jnp.result_type(float))


@lru_cache(maxsize=8)
def sobol_directions(num_dimensions: int) -> np.ndarray:
    """Direction numbers of the first dimensions, uint32 `[dimension, bit]`, with their 32 bits in reverse.

    In reverse, because Owen's scrambling by multiplication works from the lowest bit up. Joe and Kuo's primitive
    polynomials and initial numbers are those that scipy carries. Driver.
    """
    num_dimensions = whole_number(num_dimensions, "num_dimensions")
    if num_dimensions > MAX_SOBOL_DIMENSIONS:
        raise ValueError(
            f"expected at most {MAX_SOBOL_DIMENSIONS} dimensions, got {num_dimensions}; take fewer steps, or "
            "pseudo-random draws"
        )
    table = np.load(_table())
    polynomials = table["poly"][:num_dimensions].astype(np.uint64)
    numbers = np.zeros((num_dimensions, BITS), np.uint64)
    initial = table["vinit"][:num_dimensions].astype(np.uint64)
    numbers[:, : initial.shape[1]] = initial
    numbers[0] = 1
    degrees = np.floor(np.log2(polynomials)).astype(int)
    for degree in range(1, degrees.max() + 1):
        rows = np.flatnonzero(degrees == degree)
        rows = rows[rows > 0]
        m, polynomial = numbers[rows], polynomials[rows]
        for bit in range(degree, BITS):
            # m_j = 2 a_1 m_{j-1} ^ 4 a_2 m_{j-2} ^ ... ^ 2^s m_{j-s} ^ m_{j-s}  (Joe & Kuo, eq. 2)
            m[:, bit] = m[:, bit - degree]
            for k in range(1, degree + 1):
                coefficient = (polynomial >> np.uint64(degree - k)) & np.uint64(1)
                m[:, bit] ^= coefficient * (m[:, bit - k] << np.uint64(k))
        numbers[rows] = m
    numbers <<= np.arange(BITS - 1, -1, -1, dtype=np.uint64)
    return _reversed(numbers.astype(np.uint32), np)


def sobol_words(index: UInt32[jax.Array, "*batch"], directions: tuple[jax.Array, ...]) -> UInt32[jax.Array, "*batch"]:
    """Points number `index` of the sequence as 32-bit words in reverse order of their bits.

    `directions`: the direction numbers of a dimension, bit by bit (`sobol_directions`), each of a shape that
    broadcasts against `index`. Broadcasting.
    """
    word = jnp.zeros((), jnp.uint32)
    for bit, direction in enumerate(directions):
        chosen = jnp.zeros((), jnp.uint32) - ((index >> np.uint32(bit)) & np.uint32(1))
        word = word ^ (chosen & direction)
    return word


def scrambling_seeds(key: jax.Array, num_dimensions: int) -> UInt32[jax.Array, " dimension"]:
    """One seed a dimension for `scrambled`. Per item."""
    counter = jnp.arange(num_dimensions, dtype=jnp.uint32)
    return threefry_2x32(key_words(key), counter, jnp.zeros_like(counter))[0]


def scrambled(reverse: UInt32[jax.Array, "*batch"], seed: UInt32[jax.Array, "*batch"]) -> UInt32[jax.Array, "*batch"]:
    """Owen's nested uniform scrambling of words whose bits are in reverse, by a hash that carries upwards only.

    Each bit is flipped, or not, as the bits before it (of higher weight in the point) and the seed decide, which is
    what Owen's permutations of the nested intervals do. Broadcasting. Source: Laine & Karras (2011), Stratified
    sampling for stochastic transparency, section 3; Burley (2020), Practical hash-based Owen scrambling, J. Computer
    Graphics Techniques 9(4); the multipliers are Vegdahl's (2021).
    """
    word = reverse ^ (reverse * np.uint32(0x3D20ADEA))
    word = word + seed
    word = word * ((seed >> np.uint32(16)) | np.uint32(1))
    word = word ^ (word * np.uint32(0x05526C56))
    return word ^ (word * np.uint32(0x53A22864))


def to_uniform(reverse: UInt32[jax.Array, "*batch"], dtype) -> Float[jax.Array, "*batch"]:
    """Words with their bits in reverse as numbers in (0, 1): (word + 1/2) / 2^32, and less than 1 in float32 too.

    Broadcasting.
    """
    uniform = (_reversed(reverse, jnp).astype(dtype) + 0.5) * 2.0**-32
    return jnp.minimum(uniform, 1 - jnp.finfo(dtype).epsneg)


def _reversed(word, xp):
    """The 32 bits of each word in reverse order."""
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        shift, mask = np.uint32(shift), np.uint32(mask)
        word = ((word >> shift) & mask) | ((word & mask) << shift)
    return xp.bitwise_or(word >> np.uint32(16), word << np.uint32(16))


def _table() -> Path:
    """Where scipy keeps Joe and Kuo's numbers."""
    spec = find_spec("scipy")
    path = Path(next(iter(spec.submodule_search_locations or ["."])) if spec else ".")
    path = path / "stats" / "_sobol_direction_numbers.npz"
    if not path.is_file():
        raise ImportError(f"expected scipy with Sobol's direction numbers at {path}; install scipy >= 1.7")
    return path
