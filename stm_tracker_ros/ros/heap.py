"""The heap and large messages."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MIB = 1 << 20


def keep_large_blocks() -> bool:
    """Have glibc keep the memory of images instead of fetching fresh pages for each: 3 ms a VGA image become 1.2.

    Call it before rclpy is imported. Returns whether the C library took it (others than glibc do not).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 256 * _MIB) and mallopt(_M_TRIM_THRESHOLD, 512 * _MIB))


def give_back() -> bool:
    """Return to the system what is free: loading a tracker leaves holes that the next one would not fit into.

    Returns whether anything was; False as well where the C library has no such call.
    """
    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except AttributeError:
        return False
    return bool(malloc_trim(0))
