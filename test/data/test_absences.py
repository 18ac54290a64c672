"""Made absences: on a tiny made video with exact truth, and, where the real data is at hand, every promise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import made_data_sets
import numpy as np
import pytest
from moving_camera import scenery

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.absences import makers
from stm_tracker_ros.data.absences.camera import clipped, shares, to_picture, windows_of
from stm_tracker_ros.data.absences.footage import played, read_stretch
from stm_tracker_ros.data.absences.makers import absence_sequences, development_set, make
from stm_tracker_ros.data.absences.painted import without_target
from stm_tracker_ros.data.absences.plan import (
    ABSENCE_SEEDS,
    AFTER_FRAMES,
    BEFORE_FRAMES,
    BLOCK,
    Kind,
    Place,
    World,
    conditions_of,
    kinds_of,
    name_of,
)
from stm_tracker_ros.data.absences.registration import Registration
from stm_tracker_ros.data.absences.stage import distance_in_sizes, is_as_promised
from stm_tracker_ros.data.sequence import VALIDATION, Sequence, read_sequences
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation import absence_items

pytestmark = pytest.mark.pure
DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "eval").is_dir(), reason=f"no made absences without {DATA}")

WIDTH, HEIGHT, COUNT, SIDE = 320, 240, 100, 22
RED = (0, 0, 255)
"""Of the target alone: the scenery has no red channel."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    """A red square that walks over a standing scenery without red, to and fro; its boxes are exact."""
    folder = tmp_path_factory.mktemp("tiny") / "made" / "walk"
    folder.mkdir(parents=True)
    background = scenery(HEIGHT, WIDTH)[200:-200, 200:-200].copy()
    background[..., 2] = 0
    boxes = []
    for index in range(COUNT):
        x, y = 12 + (2 * index if index < 60 else 2 * (120 - index)), 30 + index // 2
        image = background.copy()
        image[y : y + SIDE, x : x + SIDE] = RED
        cv2.imwrite(str(folder / f"{index:04d}.png"), image)
        boxes.append(f"{x},{y},{SIDE},{SIDE}")
    (folder / "groundtruth.txt").write_text("\n".join(boxes) + "\n")
    (sequence,) = read_sequences(folder.parents[1])
    return sequence


def red_of(image: np.ndarray) -> np.ndarray:
    """Where the target is to be seen, also as a part of a pixel."""
    return image[..., 2] > 100


# The twin is red as well; of the painted ones, two of a world that stands, which are quickly painted.
TINY_SEEDS = {kind: (0, 1) for kind in Kind} | {Kind.TWIN_STAYS: (), Kind.PAINTED_OUT: (3, 6)}
MADE = [(kind, seed) for kind, seeds in TINY_SEEDS.items() for seed in seeds]


@pytest.mark.parametrize(("kind", "seed"), MADE, ids=str)
def test_the_target_is_drawn_where_the_truth_says_and_nowhere_when_it_is_absent(tiny, kind, seed):
    made = make([tiny], kind, seed)
    boxes, absent, seen = made.boxes, made.absent, made.seen
    assert absent.any()
    for index, frame in enumerate(made.frames()):
        red = red_of(frame.bgr())
        assert (frame.width, frame.height) == made.picture_size
        if absent[index]:
            assert not frame.bgr()[..., 2].any()
        elif seen[index]:
            x, y, width, height = cv2.boundingRect(red.astype(np.uint8))
            assert (
                np.abs(
                    np.array([x, y, x + width, y + height])
                    - np.append(boxes[index, :2], boxes[index, :2] + boxes[index, 2:])
                ).max()
                <= 1
            )
            assert frame.stamp_ns == round(index * 1e9 / 30)
    assert index + 1 == len(boxes)
    if kind is not Kind.NEVER_RETURNS:
        assert seen[made.returned]
        assert made.returned > made.left


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.TWIN_STAYS], ids=str)
def test_every_promise_is_kept_by_what_is_made_and_noticed_where_it_is_not(tiny, kind):
    made = make([tiny], kind, TINY_SEEDS[kind][0])
    assert is_as_promised(made)
    count = len(made.here)
    still = replace(made, here=np.ones(count, bool), windows=made.windows[:1].repeat(count, 0))
    assert not still.absent.all()
    assert not is_as_promised(still)


def test_a_twin_is_in_sight_while_the_target_is_not(tiny):
    for seed in (seed for seed in range(20) if conditions_of(Kind.TWIN_STAYS, seed).copied):
        made = make([tiny], Kind.TWIN_STAYS, seed)
        first, last = made.left, made.left + made.absent.sum() - 1
        for index, frame in enumerate(made.frames()):
            count, _, stats, _ = cv2.connectedComponentsWithStats(red_of(frame.bgr()).astype(np.uint8))
            found = stats[1:][stats[1:, 4] > 40, :4].astype(float)
            if first <= index <= last:
                assert len(found) == 1
            elif made.shares[index] == 1:
                assert len(found) == 2
                assert max(iou(box, made.boxes[index]) for box in found) > 0.8
                assert min(iou(box, made.boxes[index]) for box in found) == 0
        break


def test_a_twin_may_be_cut_from_a_frame_that_is_not_shown_itself(tiny):
    made = make([tiny], Kind.TWIN_STAYS, 2)
    shown, sources = made.footage.order, made.footage.edit.sources
    assert sources.max() > shown.max() or sources.min() < shown.min()
    assert sum(1 for _ in made.images()) == len(made.boxes)


def test_the_same_seed_makes_the_same_absence_and_another_one_does_not(tiny):
    first, second, other = (make([tiny], Kind.PAN_BACK, seed) for seed in (4, 4, 9))
    assert np.array_equal(first.windows, second.windows)
    assert all(np.array_equal(a, b) for a, b in zip(first.images(), second.images(), strict=True))
    assert len(first.windows) != len(other.windows) or not np.array_equal(first.windows, other.windows)


def test_painting_shows_the_background_itself(tiny):
    kept = dict(enumerate(frame.bgr() for frame in tiny.frames()))
    painted = without_target(tiny, 30, kept, Registration(kept, tiny.boxes))
    assert painted is not None
    assert np.abs(painted[..., :2].astype(int) - kept[0][..., :2])[30:90, 40:130].max() <= 6
    assert not painted[..., 2].any()
    near = {index: kept[index] for index in range(28, 33)}
    assert without_target(tiny, 30, near, Registration(near, tiny.boxes)) is None


def test_where_the_camera_jumps_nothing_is_painted(tiny):
    random = np.random.default_rng(0)
    kept = {index: random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for index in range(COUNT)}
    assert without_target(tiny, 30, kept, Registration(kept, tiny.boxes)) is None


def test_boxes_and_windows_by_hand():
    windows = windows_of(np.array([[0.0, 50.0], [100.0, 100.0]]), np.array([40.0, 20.0]), np.array([110.0, 110.0]))
    assert windows.tolist() == [[0, 40, 40, 20], [70, 90, 40, 20]]
    size = np.array([80.0, 40.0])
    box = to_picture(np.array([[30.0, 45.0, 20.0, 10.0]]), windows[:1], size)
    assert box.tolist() == [[60, 10, 40, 20]]
    assert clipped(box, size).tolist() == [[60, 10, 20, 20]]
    assert shares(box, size).tolist() == [0.5]
    assert shares(box + [[100, 0, 0, 0]], size).tolist() == [0]


def test_played_to_and_fro_and_standing():
    steps = np.array([0, 1, 1, 1, 0, 0, 1, 1])
    assert played(3, 5, 4, steps).tolist() == [4, 5, 4, 3, 3, 3, 4, 5]


def test_every_five_seeds_hold_the_same_conditions():
    for kind in Kind:
        blocks = [
            [conditions_of(kind, seed) for seed in range(first, first + BLOCK)] for first in ABSENCE_SEEDS[::BLOCK]
        ]
        assert len({tuple(sorted(c.place.value for c in block)) for block in blocks}) == 1
        seconds = [sorted(c.away_frames // 30 for c in block) for block in blocks]
        assert seconds[0] == seconds[1] == seconds[3]
        assert (30 in seconds[2]) == (kind in (Kind.PAN_BACK, Kind.CUT_ELSEWHERE, Kind.NEVER_RETURNS))
        assert all({1, 3, 10} >= set(block) or 30 in block for block in seconds)
        for block in blocks:
            frozen = sum(c.world is World.FROZEN for c in block)
            assert frozen in (2, 3) or kind is Kind.PAINTED_OUT
            assert all(1 / 1.5 <= c.zoom <= 1.5 for c in block)
    frames = sum(
        BEFORE_FRAMES + c.away_frames + AFTER_FRAMES * (c.place is not Place.NOWHERE)
        for c in (conditions_of(k, s) for k in Kind for s in ABSENCE_SEEDS)
    )
    assert frames < 42_000


def test_names_and_what_is_refused(tmp_path):
    assert name_of(Kind.PAN_BACK, 7) == "absence/pan_back/007"
    assert kinds_of(["border", "cut_back"]) == (Kind.BORDER, Kind.CUT_BACK)
    with pytest.raises(DataError, match="kind 'bordr' is unknown; allowed are pan_back, "):
        kinds_of(["bordr"])
    with pytest.raises(DataError, match="seed -1 is not allowed"):
        conditions_of(Kind.BORDER, -1)
    with pytest.raises(DataError, match="none of 0 sequences allows absence border 0"):
        make([], Kind.BORDER, 0)
    with pytest.raises(DataError, match="holds no sequences"):
        next(absence_sequences(tmp_path))


def test_sequences_that_cannot_be_read_are_named_and_absences_made_of_the_others(tmp_path):
    made_data_sets.development(tmp_path, "VOT/whole", "VOT/torn", "VOT/dark")
    (tmp_path / "eval/VOT/torn/groundtruth.txt").write_text("one,two\n")
    (tmp_path / "eval/VOT/dark/0.png").write_bytes(b"no image")
    failed: dict[str, str] = {}
    assert {scene.name for scene in development_set(tmp_path, failed)} == {"VOT/whole", *VALIDATION}
    assert list(failed) == ["VOT/torn", "VOT/dark"]
    assert "cannot be read as lines of x,y,w,h" in failed["VOT/torn"]
    assert "0.png cannot be read as an image" in failed["VOT/dark"]
    assert failed["VOT/dark"].endswith("; absences are made of the other sequences")
    measured = absence_items.measurement(tmp_path, [Kind.BORDER], [0, 1], StateConfig())
    assert (measured.failed, len(measured.items)) == (failed, 2)


def test_pictures_stand_where_they_belong_and_one_that_cannot_be_read_is_named(tmp_path):
    folder = made_data_sets.folder(tmp_path, "mine/walk", count=6)
    (folder / "2.png").write_bytes(b"no image")
    (sequence,) = read_sequences(tmp_path)
    kept = read_stretch(sequence, 3, 5)
    assert [int(np.flatnonzero(kept[index][30, :, 0])[0]) for index in (3, 4, 5)] == [19, 22, 25]
    with pytest.raises(DataError, match="mine/walk: frame 2 is missing or cannot be read; needed are 1 to 5"):
        read_stretch(sequence, 1, 5)


@needs_data
def test_scenes_are_of_the_development_set():
    names = {scene.name for scene in development_set(DATA)}
    assert len(names) == 62
    assert set(VALIDATION) < names
    assert set(makers.UNFIT) < names


@needs_data
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.PAINTED_OUT], ids=str)
def test_real_ones_keep_their_promises(kind):
    scenes = development_set(DATA)
    recordings = set()
    seeds = [seed for seed in ABSENCE_SEEDS if not conditions_of(kind, seed).painted]
    for seed in seeds:
        made = make(scenes, kind, seed)
        recordings.add(made.recording)
        c, frozen = made.conditions, made.footage.order[made.leaves : made.settled]
        assert is_as_promised(made)
        assert made.footage.scene.name not in makers.UNFIT
        assert max(made.picture_size) <= 640
        assert c.world is World.GOES_ON or kind is Kind.BORDER or len(set(frozen.tolist())) <= 1
        if c.place is Place.FAR:
            assert distance_in_sizes(made) >= 2
        sizes = np.sqrt(made.whole_boxes[[0, -1], 2:].prod(1))
        assert np.sqrt(np.prod(made.picture_size)) >= 2.9 * sizes[0]
    assert len(recordings) >= min(12, len(seeds) - 2)
