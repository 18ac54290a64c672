"""How far around the expected place the target is looked for."""

from __future__ import annotations

TURN_FRAMES = 20  # in which the region grows to the largest


def search_factor(largest: float, unseen: int) -> float:
    """Side of the search region over the usual one, for a target that was not seen in so many nominal frames.

    largest: what it is at most. It grows evenly and begins anew: what comes back near by is found most surely in the
    usual region, what comes back farther off in a larger one.
    """
    return 1 + (largest - 1) * (unseen % (TURN_FRAMES + 1)) / TURN_FRAMES
