from __future__ import annotations

import errno
import os

import pytest

from stm_tracker_ros.core.surroundings import sentence
from stm_tracker_ros.core.system_errors import in_words

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EISDIR, os.strerror(errno.EISDIR)),
    ],
)
def test_errors_of_the_system_are_words_without_their_number(number, words):
    assert in_words(OSError(number, os.strerror(number), "out/summary.json")) == words


def test_an_error_without_a_number_says_what_it_has():
    assert in_words(OSError("1000 requested and 10 written")) == "1000 requested and 10 written"
    assert in_words(OSError()) == "OSError"


def test_the_sentence_names_the_files():
    assert sentence(OSError(errno.ENOSPC, "x", "a", None, b"b")) == "a and b: the disk is full"
    assert sentence(OSError(errno.EMFILE, "x")) == "an operation of the system: too many files are open (ulimit -n)"
