"""Whether a video file is whole, from the structure of its container: MP4 and MOV, Matroska and WebM, AVI.

End of file and failed decoding look the same to a reader of frames, and the counts that containers give are estimates
in some and count invisible frames in others. What the parts of a file say of their own lengths is exact.
Sources: ISO/IEC 14496-12 (boxes), RFC 8794 and RFC 9559 (EBML, Matroska), Microsoft's RIFF and OpenDML.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
# An edit list that hides fewer frames than this is the rounding of its units, not a cut.
_FRAMES_OF_ROUNDING = 3
# A movie's index is read whole, for its edit list; one of many hours has some megabytes.
_MOST_INDEX_BYTES = 1 << 28

Box = tuple[bytes, int, int]


def missing_bytes(path: Path | str) -> int:
    """How many bytes a video file lacks by what its container says; 0 for a whole one, and for other containers.

    Raises OSError if the file cannot be read.
    """
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        start = file.read(12)
        return max(0, _end(file, start, size) - size)


def counts_frames(path: Path | str) -> bool:
    """Whether the container lists its frames one by one, so that their count is no estimate. Raises OSError."""
    with open(path, "rb") as file:
        start = file.read(12)
    return start[4:8] in _FIRST_BOXES or _is_avi(start)


def counts_time(path: Path | str) -> bool:
    """Whether the container says how long it lasts, and not how many frames it has: Matroska. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(4) == _EBML


def shown_share(path: Path | str) -> float:
    """The share of a movie's frames that its edit list shows (cutting without encoding again leaves some hidden).

    1 without an edit list, and for other containers. Raises OSError.
    """
    with open(path, "rb") as file:
        try:
            return _shown_share(file, _index(file))
        except (struct.error, StopIteration, ZeroDivisionError):
            return 1.0


def shown_frames(path: Path | str, listed: float) -> int:
    """How many of the frames that a movie lists its edit list shows, at the least. Raises OSError."""
    hidden = listed * (1 - shown_share(path))
    return int(listed if hidden < _FRAMES_OF_ROUNDING else listed - hidden - _FRAMES_OF_ROUNDING)


def frame_count(path: Path | str) -> int:
    """How many frames a movie shows by its index, at the least; nothing is decoded.

    0 where none tells: of fragmented movies, of other containers, and of files that cannot be read.
    """
    try:
        with open(path, "rb") as file:
            media = _child(file, _video_track(file, _index(file)), b"mdia")
            table = _child(file, _child(file, media, b"minf"), b"stbl")
            (listed,) = struct.unpack_from(">I", _content(file, _child(file, table, b"stsz")), 8)
        return shown_frames(path, listed)
    except (OSError, struct.error, StopIteration):
        return 0


def _end(file: BinaryIO, start: bytes, size: int) -> int:
    if start[4:8] in _FIRST_BOXES:
        return max((end for _, _, end in _boxes(file, 0, size)), default=size)
    if start.startswith(_EBML):
        return _segments_end(file, size)
    if _is_avi(start):
        return _riff_end(file, size)
    return size


def _is_avi(start: bytes) -> bool:
    return start[:4] == b"RIFF" and start[8:12] == b"AVI "


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """Kind, first byte of the content and end of the boxes from `start` on; the last one may end beyond `end`."""
    while start + 8 <= end:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        content = start + 8
        if length == 1:
            wide = file.read(8)
            length = struct.unpack(">Q", wide)[0] if len(wide) == 8 else 0
            content += 8
        elif length == 0:  # to the end of the file
            length = end - start
        if length < content - start or not kind.isascii():
            return
        yield kind, content, start + length
        start += length


def _riff_end(file: BinaryIO, size: int) -> int:
    """OpenDML: long files are several RIFF chunks in a row."""
    start = 0
    while start + 12 <= size:
        file.seek(start)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF":
            break
        start += 8 + length + length % 2
    return start


def _segments_end(file: BinaryIO, size: int) -> int:
    start = 0
    while start + 12 <= size:
        file.seek(start)
        head = file.read(16)
        id_length = _length_of(head[0])
        length, digits = _vint(head[id_length:])
        if length is None:  # unknown: a live recording, or one that was never finished
            return size
        start += id_length + digits + length
        if head.startswith(_SEGMENT):
            break
    return start


def _length_of(first: int) -> int:
    return 9 - first.bit_length()


def _vint(data: bytes) -> tuple[int | None, int]:
    """A size of EBML and its own length in bytes; None for the unknown one (all bits set)."""
    digits = _length_of(data[0])
    if digits > 8 or digits > len(data):
        return None, digits
    value = int.from_bytes(data[:digits], "big") & ((1 << 7 * digits) - 1)
    return (None if value == (1 << 7 * digits) - 1 else value), digits


def _index(file: BinaryIO) -> Box:
    """Of a movie. Raises StopIteration where there is none, or one that is too large to be read."""
    size = file.seek(0, 2)
    return next(box for box in _boxes(file, 0, size) if box[0] == b"moov" and box[2] - box[1] <= _MOST_INDEX_BYTES)


def _video_track(file: BinaryIO, moov: Box) -> Box:
    """The first one. Raises StopIteration where there is none."""
    for track in (box for box in _boxes(file, *moov[1:]) if box[0] == b"trak"):
        handler = _child(file, _child(file, track, b"mdia"), b"hdlr")
        if _content(file, handler)[8:12] == b"vide":
            return track
    raise StopIteration


def _shown_share(file: BinaryIO, moov: Box) -> float:
    timescale, _ = _times(_content(file, _child(file, moov, b"mvhd")))
    track = _video_track(file, moov)
    edits = next((box for box in _boxes(file, *track[1:]) if box[0] == b"edts"), None)
    media_timescale, duration = _times(_content(file, _child(file, _child(file, track, b"mdia"), b"mdhd")))
    if edits is None or not duration:
        return 1.0
    shown = _edited(_content(file, _child(file, edits, b"elst"))) / timescale
    return min(1.0, shown * media_timescale / duration)


def _child(file: BinaryIO, box: Box, kind: bytes) -> Box:
    return next(child for child in _boxes(file, *box[1:]) if child[0] == kind)


def _content(file: BinaryIO, box: Box) -> bytes:
    file.seek(box[1])
    return file.read(box[2] - box[1])


def _times(header: bytes) -> tuple[int, int]:
    """Timescale and duration of an mvhd or mdhd."""
    timescale, duration = struct.unpack_from(">IQ", header, 20) if header[0] else struct.unpack_from(">II", header, 12)
    return timescale, duration


def _edited(edit_list: bytes) -> int:
    """How long the edits show something, in units of the movie's timescale."""
    form = ">Qqi" if edit_list[0] else ">Iii"
    (count,) = struct.unpack_from(">I", edit_list, 4)
    edits = [struct.unpack_from(form, edit_list, 8 + index * struct.calcsize(form)) for index in range(count)]
    # -1: nothing is shown for a while. 0: as long as there is something, in files that were written in pieces.
    shown = [duration for duration, media_time, _ in edits if media_time >= 0]
    return sum(shown) if all(shown) else 1 << 62
