"""Threefry, the counter-based generator, written so that XLA fuses it into the loop that uses the numbers.

`jax.random.bits` is a computation of its own with its results in memory, 67 million pairs of words a second on two
cores; the same function as plain arithmetic inside a loop gives a thousand million.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt32

__all__ = ["key_words", "threefry_2x32"]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_ROUNDS = 20

Words = UInt32[jax.Array, "*batch"]


def key_words(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two 32-bit words out of a JAX key of any kind, what `threefry_2x32` takes as its key. Per item.

    >>> [word.dtype.name for word in key_words(jax.random.key(0))]
    ['uint32', 'uint32']
    """
    words = jax.random.bits(key, (2,), jnp.uint32)
    return words[0], words[1]


def threefry_2x32(key: tuple[jax.Array, jax.Array], first: Words, second: Words) -> tuple[Words, Words]:
    """Threefry-2x32 with 20 rounds: 64 random bits for each counter (`first`, `second`), a bijection for each key.

    `key`: two uint32 words (`key_words`); `first`, `second`: uint32 counters `[...]`. Returns two uint32 arrays
    `[...]`. Broadcasting. Source: Salmon, Moraes, Dror & Shaw (2011), Parallel random numbers: as easy as 1, 2, 3,
    section 3.3.

    >>> zero = jnp.zeros((), jnp.uint32)
    >>> [hex(int(word)) for word in threefry_2x32((zero, zero), zero, zero)]
    ['0x6b200159', '0x99ba4efe']
    """
    words = (key[0], key[1], key[0] ^ key[1] ^ np.uint32(_PARITY))
    first, second = first + words[0], second + words[1]
    for step in range(_ROUNDS):
        first = first + second
        second = _rotated(second, _ROTATIONS[step // 4 % 2][step % 4]) ^ first
        if step % 4 == 3:
            block = step // 4 + 1
            first = first + words[block % 3]
            second = second + (words[(block + 1) % 3] + np.uint32(block))
    return first, second


def _rotated(word: jax.Array, bits: int) -> jax.Array:
    return (word << np.uint32(bits)) | (word >> np.uint32(32 - bits))
