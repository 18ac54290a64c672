"""With `compat=official` crops, label maps, memory and limits are the authors'; test_official_command has the boxes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_selection import TABLE
from torch import Tensor

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.parts.bank import MemoryBank
from stm_tracker_ros.trackers.stmtrack import official
from stm_tracker_ros.trackers.stmtrack.config import PAPER
from stm_tracker_ros.trackers.stmtrack.official import OfficialTracker

pytestmark = pytest.mark.torch

CONFIGS = {"conf0.6": PAPER, "confNone": with_changes(PAPER, {"memory.previous_score": -1.0})}
Golden = dict[str, np.ndarray]


class EmptyStepper:
    """No network: nothing is learned, every cell answers with the middle of the crop."""

    crop_size, cells, device = 289, 25, torch.device("cpu")

    def bank(self, capacity: int) -> MemoryBank:
        return MemoryBank(capacity, [(1,)], self.device, torch.float32)

    def upload(self, patch: np.ndarray) -> Tensor:
        return torch.zeros(1)

    encode = upload

    def remember_marked(self, image: Tensor, label_map: Tensor) -> tuple[Tensor]:
        return (torch.zeros(1),)

    def ask(self, features: Tensor, bank: MemoryBank, slots: list[int]) -> np.ndarray:
        return np.tile((108.0, 108.0, 181.0, 181.0, 0.5), (625, 1))


def frames(golden: Golden) -> list[Frame]:
    return [Frame(image=image, stamp_ns=index * 33_333_333) for index, image in enumerate(golden["frames_bgr"])]


def started(stepper: object, golden: Golden, run: str) -> OfficialTracker:
    tracker = OfficialTracker(stepper, CONFIGS[run])  # type: ignore[arg-type]
    tracker.init(frames(golden)[0], Target(box=Box(*map(float, golden["first_box"]))))
    return tracker


@pytest.mark.parametrize("run", CONFIGS)
def test_memory_frames_are_the_authors_in_their_order(run: str, golden: Golden) -> None:
    tracker = started(EmptyStepper(), golden, run)
    ranks = [1.0, *golden[f"{run}_pscore"]]
    for index, frame in enumerate(frames(golden)[1:]):
        assert tracker.state is not None
        tracker.state.rank = ranks[index]
        numbers = [int(tracker.state.bank.numbers[slot]) for slot in tracker.slots()]
        assert numbers == [number for number in golden[f"{run}_memory"][index] if number]
        tracker.track(frame)
        tracker.memorize()


def numbers_read(run: str, golden: Golden, past: int, rank: float) -> list[int]:
    """Frames that the tracker reads after `past` frames, the last of which had that rank."""
    tracker = started(EmptyStepper(), golden, run)
    state = tracker.state
    assert state is not None
    for state.frames in range(2, past + 1):
        state.bank.add(state.frames, [torch.zeros(1)])
    state.rank = rank
    return [int(state.bank.numbers[slot]) for slot in tracker.slots()]


@pytest.mark.parametrize("past", TABLE)
def test_every_row_of_the_table_observed_in_the_authors_code(past: int, golden: Golden) -> None:
    """The previous frame stands first, above the gate only; with 8 past frames it comes twice."""
    low = list(TABLE[past][0])
    assert numbers_read("conf0.6", golden, past, 0.59) == low
    assert numbers_read("conf0.6", golden, past, 0.61) == [past, *low]
    assert numbers_read("confNone", golden, past, 0.0) == [past, *low]


@pytest.mark.parametrize("run", CONFIGS)
def test_crops_have_the_authors_scale(run: str, golden: Golden) -> None:
    rects = [golden["first_box"], *golden[f"{run}_rect"]]
    for index, frame in enumerate(frames(golden)[1:]):
        x, y, width, height = (float(value) for value in rects[index])
        center, side = (x + (width - 1) / 2, y + (height - 1) / 2), 4 * np.sqrt(width * height)
        _, scale = official.crop(frame.bgr(), center, side, 289, (0, 0, 0))
        assert scale == pytest.approx(golden[f"{run}_scale"][index], abs=1e-9)


def test_large_targets_are_cut_from_every_second_pixel() -> None:
    image = np.zeros((900, 1200, 3), np.uint8)
    image[1::2, 1::2] = 200  # the phase of the centre (601, 451)
    patch, scale = official.crop(image, (601.4, 451.9), 650.0, 289, (0, 0, 0))
    assert (patch == 200).all()
    assert scale == pytest.approx(289 / ((325 + 1) * 2))


@pytest.mark.parametrize(("width", "columns"), [(72.25, (108, 179)), (310.0, (279, 288)), (1.0, (144, 144))])
def test_label_maps_are_cut_to_whole_pixels_and_wrap(width: float, columns: tuple[int, int]) -> None:
    label_map = official.marked(width, 16.0, 289)
    marked = np.flatnonzero(label_map.any(0))
    assert (marked[0], marked[-1], len(marked)) == (*columns, columns[1] - columns[0] + 1)


def test_no_side_gets_under_ten_pixels(golden: Golden) -> None:
    class Tiny(EmptyStepper):
        def ask(self, features: Tensor, bank: MemoryBank, slots: list[int]) -> np.ndarray:
            return np.tile((144.0, 144.0, 145.0, 145.0, 1.0), (625, 1))

    tracker = started(Tiny(), golden, "conf0.6")
    tracker.reconfigure(with_changes(PAPER, {"prior.penalty": 0.0}))
    box = min((tracker.track(frame).box for frame in frames(golden)[1:]), key=lambda box: box.width)
    assert (box.width, box.height) == (10, 10)


def test_live_settings_that_are_the_authors_act_in_flight(golden: Golden) -> None:
    """Scores and boxes of the frames after the change; the previous frame is read above its score only."""

    class Growing(EmptyStepper):
        def ask(self, features: Tensor, bank: MemoryBank, slots: list[int]) -> np.ndarray:
            return np.tile((104.0, 100.0, 181.0, 181.0, 0.5 + 0.01 * len(slots)), (625, 1))

    def flown(changes: dict[str, float]) -> list[tuple[Box, float]]:
        tracker, pictures = started(Growing(), golden, "confNone"), frames(golden)[1:10]
        for picture in pictures[:6]:
            tracker.track(picture)
            tracker.memorize()
        state = tracker.state
        tracker.reconfigure(with_changes(tracker.config, changes))
        assert tracker.state is state
        answers = []
        for picture in pictures[6:]:
            result = tracker.track(picture)
            tracker.memorize()
            answers.append((result.box, result.score))
        return answers

    undisturbed = flown({})
    changes = {"prior.window": 0.5, "prior.penalty": 1.0, "size.rate": 0.1, "memory.previous_score": 1.0}
    assert [name for name, value in changes.items() if flown({name: value}) == undisturbed] == []
    assert flown({"compat": "official", "search.scale": 6.0, "memory.policy": "first"}) == undisturbed


def test_answers_say_where_was_looked_and_what_was_seen(golden: Golden) -> None:
    tracker, (x, y, width, height) = started(EmptyStepper(), golden, "conf0.6"), golden["first_box"]
    result = tracker.track(frames(golden)[1])
    side = 4 * np.sqrt(width * height)
    assert result.found
    assert result.expected == pytest.approx((x, y, width, height))
    assert result.region == pytest.approx((x + width / 2 - side / 2, y + height / 2 - side / 2, side, side))
    (seen,) = result.candidates
    assert seen.score == 0.5
    assert seen.box.center == pytest.approx(result.box.center)
    assert seen.box.width == pytest.approx(73 * side / 289, rel=0.05)


def test_beyond_its_bound_the_memory_is_thinned_with_one_warning(
    golden: Golden, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(official, "KEPT_FRAMES", 12)
    tracker = started(EmptyStepper(), golden, "conf0.6")
    for frame in frames(golden)[1:]:
        tracker.track(frame)
        tracker.memorize()
    assert tracker.state is not None
    assert tracker.state.bank.spacing == 4
    assert [record.message for record in caplog.records] == [
        "more than 12 frames: the memory is thinned from now on, unlike the authors'"
    ]


def test_a_confirmed_box_is_where_it_looks_next_and_is_not_remembered(golden: Golden) -> None:
    tracker = started(EmptyStepper(), golden, "conf0.6")
    state, pictures = tracker.state, frames(golden)
    assert state is not None
    tracker.track(pictures[1])
    past = state.frames
    tracker.confirm(Box(40, 30, 24, 20))
    tracker.memorize()
    assert state.frames == past
    assert tracker.track(pictures[2]).expected == Box(40, 30, 24, 20)
