"""What the surroundings refuse is a sentence and an exit status, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.pure

HEAD = """\
import sys
from pathlib import Path
from stm_tracker_ros.core.surroundings import guarded
sys.exit(guarded('p', """


def start(body: str, **options):
    """A program whose streams are buffered, as a user's are."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    environment |= options.pop("environment", {})
    return subprocess.run(
        [sys.executable, "-c", f"{HEAD}lambda: {body}))"], env=environment, timeout=60, check=False, **options
    )


def test_a_result_is_the_exit_status_and_all_is_printed():
    done = start("print('told') or 7", capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"told\n", b"")


def test_an_error_of_the_system_is_one_sentence():
    done = start("Path('nowhere/at/all').read_bytes()", capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "p: error: nowhere/at/all: No such file or directory\n"


@pytest.mark.parametrize("length", [1, 10**6])
def test_a_reader_that_has_gone_ends_it_without_a_word(length):
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = start(f"print('x' * {length}) or 0", stdout=write_end, stderr=subprocess.PIPE)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


def test_output_into_a_full_disk_is_one_sentence():
    with open("/dev/full", "w") as full:
        done = start("print('x') or 0", stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "p: error: an operation of the system: the disk is full\n"


def test_a_terminal_of_ascii_gets_all_characters_in_some_form():
    done = start(
        "print('Fl\\u00fcge/\\udcc3.mp4') or 0",
        capture_output=True,
        environment={"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Fl\\xfcge/\\udcc3.mp4\n", b"")


@pytest.mark.parametrize("stream", [1, 2])
def test_a_stream_that_was_closed_is_not_missed(stream):
    """As with >&- of a shell: Python has None in its place."""
    body = "print('told') or print('aside', file=sys.stderr) or sys.stderr.write('') or sys.stdout.write('') or 3"
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {stream}>&-', sys.executable, f"{HEAD}lambda: {body}))"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert (done.stdout, done.stderr) == ((b"", b"aside\n") if stream == 1 else (b"told\n", b""))
