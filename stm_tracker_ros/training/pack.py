"""The training data in one folder that a loader maps: encoded pictures end to end, and what is where in them.

`build` reads the layout described in the training notes (stills in `train_images.tar`, videos in `train_video/`,
clips in `clips/`) and leaves out the validation sequences. Pictures are stored as JPEG, masks as PNG.
"""

from __future__ import annotations

import io
import itertools
import json
import logging
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from stm_tracker_ros.core.errors import DataError, OutputError
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.data.readers import open_source
from stm_tracker_ros.data.sequence import VALIDATION, read_boxes
from stm_tracker_ros.training.run_files import PACK_BLOBS, PACK_INDEX, has_pack

JPEG_QUALITY = 92
SMALLEST_MASK_PX = 200
LARGEST_SHARE = 0.7
HULL_POINTS = 48
SMALLEST_SIDE_PX = 3
FEWEST_FRAMES = 4
STILL_BOXES = "vedai/boxes_xyxy.json"
LONGEST_DOUBT = 60  # frames between two that are trusted; what lies between is somewhere near
logger = logging.getLogger(__name__)


@dataclass
class Still:
    """One object in one picture: blob numbers of picture and mask (-1: none) and its hull, P x 2 pixels."""

    image: int
    mask: int
    hull: NDArray[np.float32]


@dataclass
class Frames:
    """Some frames of one video: blob number, frame number and x, y, width, height of the object in each."""

    images: NDArray[np.int64]
    numbers: NDArray[np.int64]
    boxes: NDArray[np.float32]


NO_FRAMES = Frames(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 4), np.float32))


@dataclass
class Track(Frames):
    """One object in one video, in the frames that show it.

    doubtful: frames between those whose boxes are not trusted, with boxes half way from the trusted ones.
    """

    name: str
    doubtful: Frames = field(default_factory=lambda: NO_FRAMES)


class Pack:
    """A built pack, mapped: `image(n)` and `mask(n)` decode a blob, `stills` and `tracks` say what there is."""

    def __init__(self, folder: Path) -> None:
        if not has_pack(folder):
            raise DataError(f"{folder} holds no pack; build it with training.pack.build")
        index = np.load(folder / PACK_INDEX, allow_pickle=False)
        self._blobs = np.memmap(folder / PACK_BLOBS, np.uint8, "r")
        self._ends = index["ends"]
        hulls = index["hulls"].reshape(-1, HULL_POINTS, 2)
        pairs = index["stills"].reshape(-1, 2)
        self.stills = [Still(int(i), int(m), h) for (i, m), h in zip(pairs, hulls, strict=True)]
        shown, doubtful = _split(index, "track"), _split(index, "doubtful")
        names = [str(name) for name in index["track_names"]]
        self.tracks = [Track(**vars(s), name=n, doubtful=d) for n, s, d in zip(names, shown, doubtful, strict=True)]

    def _blob(self, number: int) -> NDArray[np.uint8]:
        start = self._ends[number - 1] if number else 0
        return np.asarray(self._blobs[start : self._ends[number]])

    def image(self, number: int) -> NDArray[np.uint8]:
        """Height x width x 3 uint8 BGR."""
        return np.asarray(cv2.imdecode(self._blob(number), cv2.IMREAD_COLOR), np.uint8)

    def mask(self, number: int) -> NDArray[np.uint8]:
        """Height x width uint8, 0 or 255."""
        return np.asarray(cv2.imdecode(self._blob(number), cv2.IMREAD_GRAYSCALE), np.uint8)


class _Writer:
    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.ends: list[int] = []
        self.stills: list[Still] = []
        self.tracks: list[Track] = []
        self.unread: list[Path] = []
        """Videos of which nothing can be read."""

    def add(self, picture: NDArray[np.uint8], kind: str) -> int:
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if kind == ".jpg" else []
        _, data = cv2.imencode(kind, picture, options)
        self.file.write(data.tobytes())
        self.ends.append(self.file.tell())
        return len(self.ends) - 1

    def add_masked(self, image: int, mask: NDArray[np.uint8]) -> None:
        hull = _hull(mask)
        if hull is not None:
            self.stills.append(Still(image, self.add(mask, ".png"), hull))

    def write_index(self, file: BinaryIO) -> None:
        np.savez(
            file,
            ends=np.asarray(self.ends, np.int64),
            stills=np.asarray([(s.image, s.mask) for s in self.stills], np.int64),
            hulls=np.asarray([s.hull for s in self.stills], np.float32),
            track_names=np.asarray([t.name for t in self.tracks]),
            **_joined("track", self.tracks),
            **_joined("doubtful", [t.doubtful for t in self.tracks]),
        )


def _joined(name: str, frames: Sequence[Frames]) -> dict[str, Any]:
    """Frames of all tracks end to end, as the index holds them."""
    joined = [NO_FRAMES, *frames]
    return {
        f"{name}_ends": np.cumsum([len(f.images) for f in frames], dtype=np.int64),
        f"{name}_images": np.concatenate([f.images for f in joined]),
        f"{name}_numbers": np.concatenate([f.numbers for f in joined]),
        f"{name}_boxes": np.concatenate([f.boxes for f in joined]),
    }


def _split(index: Mapping[str, NDArray[Any]], name: str) -> list[Frames]:
    """The other way round; none where a pack is older than these."""
    if f"{name}_ends" not in index:
        return [NO_FRAMES] * len(index["track_names"])
    if not len(index["track_names"]):
        return []
    cuts = index[f"{name}_ends"][:-1]
    parts = (np.split(index[f"{name}_{key}"], cuts) for key in ("images", "numbers", "boxes"))
    return [Frames(*part) for part in zip(*parts, strict=True)]


def build(data: Path, out: Path) -> Pack:
    """Write the pack of `data` into `out` unless it is there; a video that cannot be read is left out, with a warning.

    Raises DataError where a source is missing, where no video is left of those that are there, or where something of
    the user's would be overwritten.
    """
    if not has_pack(out):
        files = OutputFolder(out)
        with files.new(PACK_BLOBS) as file:
            writer = _Writer(file)
            _add_all(writer, data)
        # Last, for an index says that the pack is whole.
        with files.new(PACK_INDEX) as file:
            writer.write_index(file)
        logger.info("%d stills, %d tracks", len(writer.stills), len(writer.tracks))
    return Pack(out)


def _add_all(writer: _Writer, data: Path) -> None:
    _add_stills(writer, data / "train_images.tar")
    for folder in tqdm(sorted((data / "clips").glob("*/")), desc="clips"):
        _add_video(writer, folder, {p.stem: p for p in sorted(folder.glob("object_*.txt"))})
    for folder in tqdm(sorted((data / "train_video").glob("*/*/")), desc="videos"):
        if f"{folder.parent.name}/{folder.name}" not in VALIDATION:
            _add_video(writer, folder, {"target": folder / "groundtruth.txt"}, nan_is_absent=True)
    if writer.unread and not writer.tracks:
        raise DataError(
            f"no video is left: {len(writer.unread)} cannot be read, the first of them {writer.unread[0]}; needed are "
            "some that can, or none in clips/ and train_video/"
        )


def _hull(mask: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    area = int(np.count_nonzero(mask))
    if area < SMALLEST_MASK_PX or area > LARGEST_SHARE * mask.size:
        return None
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = cv2.convexHull(np.concatenate(contours))[:, 0].astype(np.float32) + 0.5
    chosen = np.linspace(0, len(points) - 1, HULL_POINTS).round().astype(int)
    extremes = [points[:, 0].argmin(), points[:, 0].argmax(), points[:, 1].argmin(), points[:, 1].argmax()]
    chosen[:4] = extremes
    return np.asarray(points[chosen])


def _corners(x0: float, y0: float, x1: float, y1: float) -> NDArray[np.float32]:
    corners = np.asarray([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)
    return np.resize(corners, (HULL_POINTS, 2))


def _add_stills(writer: _Writer, archive: Path) -> None:
    if not archive.exists():
        raise DataError(f"{archive} is missing; allowed is the folder that holds train_images.tar, clips, train_video")
    with _opened(archive) as tar:
        files = {m.name.removeprefix("./"): m for m in tar.getmembers() if m.isfile()}

        def read(name: str) -> io.BytesIO:
            member = tar.extractfile(files[name])
            return io.BytesIO(member.read() if member else b"")

        boxes = _boxes_of(read(STILL_BOXES), archive) if STILL_BOXES in files else {}
        pictures = [n for n in files if n.endswith((".avif", ".webp"))]
        for name in tqdm(sorted(pictures), desc="stills"):
            picture = _decoded(read(name), f"{archive}: {name}", "RGB")[..., ::-1]
            folder, stem = name.split("/")[0], name.rsplit(".", 1)[0]
            number = writer.add(np.ascontiguousarray(picture), ".jpg")
            if folder == "vedai":
                for box in boxes.get(stem.split("/")[1], boxes.get(name.split("/")[1], [])):
                    writer.stills.append(Still(number, -1, _corners(*box[:4])))
            elif f"{stem}.png" in files:
                for mask in _instances(_decoded(read(f"{stem}.png"), f"{archive}: {stem}.png"), folder):
                    writer.add_masked(number, mask)


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """The archive to read. Raises DataError if it is none or is damaged, in the block as well."""
    try:
        with tarfile.open(archive) as tar:
            yield tar
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = str(error).splitlines()[0].rstrip(":") if str(error) else type(error).__name__
        raise DataError(f"{archive} cannot be read ({reason}); needed is a whole tar archive") from None


def _decoded(data: io.BytesIO, name: str, mode: str | None = None) -> NDArray[np.uint8]:
    """The picture of a file of that name, as numbers. Raises DataError if it is none or is damaged."""
    try:
        image = Image.open(data)
        return np.asarray(image.convert(mode) if mode else image)
    except (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError) as error:
        raise DataError(f"{name} cannot be read as a picture: {error}") from None


def _boxes_of(data: io.BytesIO, archive: Path) -> dict[str, Any]:
    try:
        return dict(json.load(data))
    except (ValueError, TypeError) as error:
        raise DataError(f"{archive}: {STILL_BOXES} cannot be read as boxes by picture: {error}") from None


def _instances(mask: NDArray[np.uint8], folder: str) -> Iterator[NDArray[np.uint8]]:
    if folder != "coco128":
        yield np.where(mask > 0, 255, 0).astype(np.uint8)
        return
    for value in np.unique(mask):
        if value:
            yield np.where(mask == value, 255, 0).astype(np.uint8)


def _add_video(writer: _Writer, folder: Path, annotations: dict[str, Path], *, nan_is_absent: bool = False) -> None:
    """nan_is_absent: a frame without a box does not show the object; otherwise its box is only not known."""
    boxes = {key: read_boxes(path) for key, path in annotations.items()}
    shown = {key: _shown(rows) for key, rows in boxes.items()}
    unsure = {key: np.empty(0, np.int64) if nan_is_absent else _doubtful(frames) for key, frames in shown.items()}
    wanted: set[int] = set().union(*(frames.tolist() for frames in (*shown.values(), *unsure.values())))
    numbers = _add_frames(writer, folder / "video.mp4", wanted)
    for key, rows in boxes.items():
        trusted = _frames(shown[key], rows, numbers)
        if len(trusted.images) >= FEWEST_FRAMES:
            between = _between(unsure[key], shown[key], rows)
            doubtful = _frames(unsure[key], between, numbers)
            writer.tracks.append(Track(**vars(trusted), name=f"{folder.name}/{key}", doubtful=doubtful))


def _frames(chosen: NDArray[np.int64], rows: NDArray[np.float64], numbers: Mapping[int, int]) -> Frames:
    """Those of the chosen frames that the video has; rows: a box for each of its frames."""
    there = np.asarray([frame for frame in chosen.tolist() if frame in numbers], np.int64)
    images = np.asarray([numbers[frame] for frame in there.tolist()], np.int64)
    return Frames(images, there, rows[there].astype(np.float32))


def _shown(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers of the frames that show the object."""
    usable = np.isfinite(rows).all(1) & (rows[:, 2:] >= SMALLEST_SIDE_PX).all(1)
    return np.flatnonzero(usable)


def _doubtful(shown: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the frames in short gaps between those."""
    gaps = [np.arange(a + 1, b) for a, b in itertools.pairwise(shown.tolist()) if b - a - 1 <= LONGEST_DOUBT]
    return np.concatenate([np.empty(0, np.int64), *gaps])


def _between(unsure: NDArray[np.int64], shown: NDArray[np.int64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows, with boxes between the trusted ones in the frames that are not."""
    filled = rows.copy()
    for column in range(4) if len(unsure) else ():
        filled[unsure, column] = np.interp(unsure, shown, rows[shown, column])
    return filled


def _add_frames(writer: _Writer, video: Path, wanted: set[int]) -> dict[int, int]:
    """Store the wanted frames; returns the blob number of each. A warning names a video that has not all of them."""
    numbers: dict[int, int] = {}
    if not wanted:
        return numbers
    try:
        with closing(iter(open_source(video))) as stream:
            for number, frame in enumerate(itertools.islice(stream, max(wanted) + 1)):
                if number in wanted:
                    numbers[number] = writer.add(frame.bgr(), ".jpg")
    except OutputError:  # not the video's: the pack cannot be written
        raise
    except DataError as error:
        logger.warning("%s; it is left out", error)
        writer.unread.append(video)
        return numbers
    if len(numbers) < len(wanted):
        logger.warning("%s ends early: %d of its %d frames with boxes are there", video, len(numbers), len(wanted))
    return numbers
