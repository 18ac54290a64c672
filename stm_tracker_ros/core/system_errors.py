"""What the operating system refuses, in words for the operator."""

from __future__ import annotations

import errno

_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EFBIG: "it would become larger than a file may be here (ulimit -f)",
    errno.EIO: "the disk does not answer (input/output error)",
    errno.EMFILE: "too many files are open (ulimit -n)",
    errno.ENAMETOOLONG: "the name is too long for this file system",
    errno.ENOTDIR: "a part of the path is a file and no folder",
    errno.ELOOP: "the path is a loop of links",
}


def in_words(error: OSError) -> str:
    """Why the system refused, without the path: its own words where we have none."""
    words = _WORDS.get(error.errno) if error.errno is not None else None
    return words or error.strerror or str(error) or type(error).__name__
