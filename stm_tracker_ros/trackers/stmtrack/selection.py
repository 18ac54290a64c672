"""Which past frames are read: the first, the previous, and one from each segment of the past (section 3.4).

Frames are numbered from 1; `past` is the number of the frame before the current one. Numbers stand for times: the
tracker derives them from the stamps at a nominal 30 Hz, so that dropped frames do not stretch the rule.
"""

from __future__ import annotations


def segment_numbers(past: int, segments: int) -> list[int]:
    """Representatives of the segments, as the authors' code picks them: the middle of each, rounded up.

    Up to `segments` past frames these are all of them.
    """
    if past <= segments:
        return list(range(1, past + 1))
    length = past // segments
    return [i * length + length // 2 + 1 for i in range(segments)]


def equation_5_numbers(past: int, segments: int) -> list[int]:
    """Representatives by Eq. 5 of the paper with its index from 1 on; what points past the history is set to `past`."""
    if past <= segments:
        return list(range(1, past + 1))
    length = past // segments
    return [min(i * length + length // 2, past) for i in range(1, segments + 1)]


RULES = {"code": segment_numbers, "equation_5": equation_5_numbers}
