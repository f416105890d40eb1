"""Where the normals of a simulation come from: pseudo-random numbers, antithetic or not, or Sobol's points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from quantjax.numerics.arguments import whole_number
from quantjax.numerics.box_muller import box_muller
from quantjax.numerics.brownian_bridge import brownian_bridge
from quantjax.numerics.sobol import scrambled, scrambling_seeds, sobol_directions, sobol_words, to_uniform
from quantjax.numerics.threefry import key_words, threefry_2x32

__all__ = ["Draws", "PseudoRandom", "Sobol"]

Normals = tuple[Float[jax.Array, " path"], ...]
Prepared = tuple[Any, Callable[[Any], Normals]]


class Draws(Protocol):
    """A source of normals for simulations: `PseudoRandom` or `Sobol`."""

    @property
    def replicates(self) -> int:
        """How many independent estimates the standard error is made from; 1 takes it from the paths themselves."""
        ...

    @property
    def group(self) -> int:
        """How many paths make one independent sample."""
        ...

    def check(self, num_paths: int, num_chunks: int) -> None:
        """Raise ValueError where chunks of `num_paths` paths, so many a replicate, do not suit these draws."""
        ...

    def averaged(self, values: Float[jax.Array, "*batch path"]) -> Float[jax.Array, "*batch sample"]:
        """Independent samples out of values by path."""
        ...

    def chunk(self, key: jax.Array, replicate: jax.Array, chunk: jax.Array, num_paths: int) -> tuple[jax.Array, Draws]:
        """The key and the draws of a chunk of `num_paths` paths."""
        ...

    def prepare(
        self, key: jax.Array, step_sizes: Float[jax.Array, " step"], num_factors: int, num_paths: int, dtype
    ) -> Prepared:
        """Rows, a pytree whose leading axis is the step, and a function from a row to the normals of that step.

        The function gives one array `[path]` a factor. So a scan over the rows makes the numbers where they are used.
        """
        ...


class PseudoRandom(eqx.Module):
    """Independent normals: Threefry's words through Box and Muller's transform.

    `antithetic=True`: the second half of the paths takes the normals of the first half with the other sign; the
    standard error is then that of the pairs' means.
    """

    antithetic: bool = eqx.field(static=True, default=False)

    @property
    def replicates(self) -> int:
        return 1

    @property
    def group(self) -> int:
        return 2 if self.antithetic else 1

    def check(self, num_paths: int, num_chunks: int) -> None:
        pass

    def averaged(self, values: jax.Array) -> jax.Array:
        half = values.shape[-1] // 2
        return 0.5 * (values[..., :half] + values[..., half:]) if self.antithetic else values

    def chunk(self, key: jax.Array, replicate: jax.Array, chunk: jax.Array, num_paths: int) -> tuple[jax.Array, Draws]:
        return jax.random.fold_in(key, chunk), self

    def prepare(
        self, key: jax.Array, step_sizes: Float[jax.Array, " step"], num_factors: int, num_paths: int, dtype
    ) -> Prepared:
        if self.antithetic and num_paths % 2:
            raise ValueError(f"expected an even num_paths for antithetic pairs, got {num_paths}")
        words = key_words(key)
        path = jnp.arange(num_paths, dtype=jnp.uint32)
        half = np.uint32(num_paths // 2)
        pairs = (num_factors + 1) // 2

        def normals(step: jax.Array) -> Normals:
            number = jnp.where(path < half, path, path - half) if self.antithetic else path
            drawn: list[jax.Array] = []
            for pair in range(pairs):
                counter = jnp.full_like(path, step * np.uint32(pairs) + np.uint32(pair))
                drawn += box_muller(*threefry_2x32(words, number, counter), dtype)
            if self.antithetic:
                drawn = [jnp.where(path < half, z, -z) for z in drawn]
            return tuple(drawn[:num_factors])

        return jnp.arange(len(step_sizes), dtype=jnp.uint32), normals


class Sobol(eqx.Module):
    """Sobol's points with Owen's scrambling, on a Brownian bridge.

    `scramblings` independent ones share the paths, and the standard error is that of their means: at least 2, 16 is
    usual. `bridge=True`: the first dimensions give the ends of the Brownian paths, the next their middles; False takes
    them step by step. `start` is the number of the first point, a multiple of the number of points. The number of paths
    of each scrambling must be a power of two, and steps x factors at most 21,201.
    """

    scramblings: int = eqx.field(static=True, default=16)
    bridge: bool = eqx.field(static=True, default=True)
    start: jax.Array | int = 0

    def __check_init__(self):
        whole_number(self.scramblings, "scramblings", 2)
        if isinstance(self.start, int):
            whole_number(self.start, "start", 0)

    @property
    def replicates(self) -> int:
        return self.scramblings

    @property
    def group(self) -> int:
        return 1

    def averaged(self, values: jax.Array) -> jax.Array:
        return values

    def check(self, num_paths: int, num_chunks: int) -> None:
        points = num_paths * num_chunks
        if points & (points - 1) or points > 1 << 32:
            raise ValueError(
                f"expected a power of two, 2^32 at most, of Sobol points for each of {self.scramblings} scramblings, "
                f"got {points} in {num_chunks} chunks; take powers of two for num_paths, chunk_paths and scramblings"
            )
        if isinstance(self.start, int) and (self.start % points or self.start + points > 1 << 32):
            raise ValueError(f"expected start as a multiple of the {points} points, below 2^32, got {self.start}")

    def chunk(self, key: jax.Array, replicate: jax.Array, chunk: jax.Array, num_paths: int) -> tuple[jax.Array, Draws]:
        start = jnp.asarray(self.start, jnp.uint32) + chunk.astype(jnp.uint32) * np.uint32(num_paths)
        return jax.random.fold_in(key, replicate), Sobol(self.scramblings, self.bridge, start)

    def prepare(
        self, key: jax.Array, step_sizes: Float[jax.Array, " step"], num_factors: int, num_paths: int, dtype
    ) -> Prepared:
        if num_paths & (num_paths - 1):
            raise ValueError(f"expected a power of two of Sobol points, got {num_paths}")
        num_steps = len(step_sizes)
        dimensions = num_steps * num_factors
        directions = jnp.asarray(sobol_directions(dimensions)).reshape(num_steps, num_factors, -1)
        seeds = scrambling_seeds(key, dimensions).reshape(num_steps, num_factors)
        index = jnp.asarray(self.start, jnp.uint32) + jnp.arange(num_paths, dtype=jnp.uint32)

        def normals(row) -> Normals:
            numbers, seed = row  # [factor, bit], [factor]
            words = sobol_words(index, tuple(numbers.T[:, :, None]))
            return tuple(_quantile(scrambled(words, seed[:, None]), dtype))

        if not self.bridge:
            return (directions, seeds), normals
        drawn = jax.lax.map(normals, (directions, seeds))
        # Steps of no length, of times that coincide, take some length here: their normals have the right law with any.
        sizes = jnp.where(step_sizes > 0, step_sizes, 1.0)
        root = jnp.sqrt(sizes)[:, None]
        increments = [jnp.diff(brownian_bridge(z, jnp.cumsum(sizes)), axis=0, prepend=0.0) / root for z in drawn]
        return tuple(increments), lambda row: row


def _quantile(reverse: jax.Array, dtype) -> jax.Array:
    """The normal quantile of scrambled words; by symmetry from the half below the median, where 1 - u has no digits."""
    lowest = np.uint32(1)  # in reverse the highest bit is the lowest
    upper = (reverse & lowest) != 0
    below = to_uniform(jnp.where(upper, ~reverse, reverse), dtype)
    z = jax.scipy.special.ndtri(below)
    return jnp.where(upper, -z, z)
