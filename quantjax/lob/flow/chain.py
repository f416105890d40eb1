"""Expected moves of a price that a symmetric Markov chain drives: the algebra of Stoikov's micro-price."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import Float

__all__ = ["ExpectedMoves", "expected_moves"]

_DOUBLINGS = 60
_CONVERGED = 1e-13


class ExpectedMoves(eqx.Module):
    """`adjustment` G*, `first_adjustment` G1, both `[spread, bin]` in the unit of the moves and NaN for cells without
    transitions from them; `last_term`: largest number in the term of the series that was added last."""

    adjustment: Float[np.ndarray, "spread bin"]
    first_adjustment: Float[np.ndarray, "spread bin"]
    last_term: float


def expected_moves(unmoved, moved, jump_sum, *, num_terms: int | None = None, shrinkage: float = 0.0) -> ExpectedMoves:
    """Expected moves from each cell: G1 = (1 - Q)^-1 R1 K up to the first, G* = sum_{k < num_terms} B^k G1 in all.

    `unmoved`, `moved` `[spread, bin, spread, bin]`: weights of the transitions (counts or probabilities) from a cell to
    the next while the price does not move and while it moves; `jump_sum` `[spread, bin]`: sum of the moves with those
    weights. `num_terms` None sums to convergence, by doubling: G_{2k} = G_k + B^k G_k.

    Each weight also counts for the mirrored transition (bin -> last - bin, move -> -move). Of the functions of the
    mirrored chain only the antisymmetric ones matter, which half of the bins determine; on them B has no eigenvalue 1
    unless the price runs away for ever. From cells whose price never moves the expected move is 0.

    Driver: numpy, float64. Raises ValueError where the sum to convergence does not converge. Source: Stoikov (2018),
    The micro-price, eqs. 8-12 and the symmetrisation of section 3.

    >>> stay, move = np.zeros((2, 1, 3, 1, 3))
    >>> stay[0, 2, 0, 2], move[0, 2, 0, 1] = 0.5, 0.5  # every other time the price moves by 1 and the queues balance
    >>> expected_moves(stay, move, np.array([[0.0, 0.0, 0.5]])).adjustment.tolist()
    [[-1.0, nan, 1.0]]
    """
    spreads, bins = np.shape(jump_sum)
    cells = spreads * bins
    mirror = np.arange(cells).reshape(spreads, bins)[:, ::-1].ravel()
    stay, move = (np.asarray(table, float).reshape(cells, cells) for table in (unmoved, moved))
    jumps = np.asarray(jump_sum, float).ravel()
    stay, move = stay + stay[np.ix_(mirror, mirror)], move + move[np.ix_(mirror, mirror)]
    jumps = jumps - jumps[mirror]
    weight = stay.sum(1) + move.sum(1)
    seen = weight > 0
    # Twice, as every transition counts with its mirror image.
    share = np.where(seen, weight + 2 * shrinkage, 1.0)
    stay, move, jumps = stay / share[:, None], move / share[:, None], jumps / share

    # Cells that a move can be reached from: on the others 1 - Q is singular, and nothing ever moves.
    reach = move.sum(1) > 0
    while (wider := reach | ((stay > 0) @ reach)).sum() > reach.sum():
        reach = wider
    upper = np.arange(cells).reshape(spreads, bins)[:, (bins + 1) // 2 :].ravel()
    upper = upper[reach[upper]]
    lower = mirror[upper]
    q = stay[np.ix_(upper, upper)] - stay[np.ix_(upper, lower)]
    r2 = move[np.ix_(upper, upper)] - move[np.ix_(upper, lower)]
    solved = np.linalg.solve(np.eye(len(upper)) - q, np.column_stack([jumps[upper], r2]))
    first, b = solved[:, 0], solved[:, 1:]
    total, last_term = _sum(first, b, num_terms)

    def whole(half: np.ndarray) -> np.ndarray:
        values = np.zeros(cells)
        values[upper], values[lower] = half, -half
        # The 0 makes -0.0 of cells that never move a 0.
        return np.where(seen, values + 0.0, np.nan).reshape(spreads, bins)

    return ExpectedMoves(whole(total), whole(first), last_term)


def _sum(first: np.ndarray, b: np.ndarray, num_terms: int | None) -> tuple[np.ndarray, float]:
    """(sum of B^k first, largest number of the last term)."""
    total, term = first, first
    if num_terms is not None:
        for _ in range(num_terms - 1):
            term = b @ term
            total = total + term
        return total, float(np.abs(term).max(initial=0.0))
    power = b
    for _ in range(_DOUBLINGS):
        term = power @ total
        total = total + term
        size = float(np.abs(term).max(initial=0.0))
        if size <= _CONVERGED * max(float(np.abs(total).max(initial=0.0)), np.finfo(float).tiny):
            return total, size
        if not size < 1e12 * max(float(np.abs(first).max(initial=0.0)), 1.0):
            break
        power = power @ power
    raise ValueError(
        "expected moves that end, got a sum that does not converge: some cells are left only by moves of one sign; "
        "give shrinkage, num_terms, more data, or fewer cells"
    )
