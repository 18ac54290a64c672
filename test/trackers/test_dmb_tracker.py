"""DMB around its networks: what is remembered, what is read, what happens when the mask vanishes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dmb_scene import COLOUR, PERIOD_NS, SIDE, ColourStepper, Dmb, doubting, made, picture, start
from made_weights import save_small, small_network

from stm_tracker_ros.core.config import settings, with_changes
from stm_tracker_ros.core.errors import CheckpointError, ConfigError
from stm_tracker_ros.core.matching import Crop
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.following.config import FOLLOW_BEST, STILL, FollowingConfig
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers import checkpoint, registry
from stm_tracker_ros.trackers.dmb.config import LITE, PAPER, LiteNetworkConfig, TrackConfig
from stm_tracker_ros.trackers.dmb.paper_stepper import PaperStepper
from stm_tracker_ros.trackers.dmb.sight import Sight, guide

pytestmark = pytest.mark.torch


def test_the_answer_is_the_box_of_the_mask(tracker: Dmb) -> None:
    start(tracker)
    for number in range(1, 6):
        result = tracker.track(picture(100 + 4 * number, 90 + 2 * number, number))
        tracker.memorize()
        assert result.box == pytest.approx((100 + 4 * number, 90 + 2 * number, SIDE, SIDE), abs=3)
        assert result.mask is not None
        assert np.count_nonzero(result.mask) == pytest.approx(SIDE * SIDE, rel=0.15)
        assert result.rotated is not None
        assert result.rotated.theta == pytest.approx(0, abs=0.05)
        assert result.score == 0.9


def test_boxes_of_small_targets_are_finer_than_pixels(tracker: Dmb) -> None:
    image = picture(0, 0, shown=False).image.copy()  # type: ignore[union-attr]
    image[100:108, 100:108] = COLOUR
    tracker.init(Frame(image=image, stamp_ns=0), Target(box=Box(100, 100, 8, 8)))
    blended = image.copy()
    blended[:, 100] = image[:, 99]
    blended[100:108, 108] = (np.array(COLOUR) * 0.7 + image[104, 120] * 0.3).astype(np.uint8)  # most of a pixel
    result = tracker.track(Frame(image=blended, stamp_ns=PERIOD_NS))
    assert result.box.width == pytest.approx(8, abs=0.8)
    assert result.box.width % 1 > 0.01 or result.box.x % 1 > 0.01


def test_a_vanished_mask_is_a_state(tracker: Dmb) -> None:
    """Empty mask, low score, the last size, nothing learned; and the target is found when it comes back."""
    start(tracker)
    tracker.track(picture(100, 90, 1))
    tracker.memorize()
    before = tracker.memory.bank.numbers.copy()
    for number in range(2, 6):
        result = tracker.track(picture(100, 90, number, shown=False))
        tracker.memorize()
        assert result.mask is not None
        assert not result.mask.any()
        assert result.rotated is None
        assert result.score < 0.3
        assert (result.box.width, result.box.height) == pytest.approx((SIDE, SIDE), abs=5)
    assert np.array_equal(before, tracker.memory.bank.numbers)
    x, y = (round(v - SIDE / 2) for v in result.box.center)
    x, y = min(max(x, 0), 280), min(max(y, 0), 200)
    assert tracker.track(picture(x, y, 6)).score == 0.9


def test_a_speck_is_no_target(tracker: Dmb) -> None:
    start(tracker)
    image = picture(100, 90, 1, shown=False).image.copy()  # type: ignore[union-attr]
    image[100:109, 110:119] = COLOUR
    result = tracker.track(Frame(image=image, stamp_ns=PERIOD_NS))
    assert result.rotated is None
    assert result.score < 0.3


def test_a_mask_starts_the_tracker_as_its_own_label(tracker: Dmb, stepper: ColourStepper) -> None:
    mask = np.zeros((240, 320), np.uint8)
    mask[90:130, 100:120] = 7
    result = tracker.init(picture(100, 90), Target(mask=mask))
    assert result.box == Box(100, 90, 20, 40)
    assert result.mask is not None
    assert np.array_equal(result.mask, (mask > 0) * np.uint8(255))
    cell_px = tracker.seen.seen.crop.scale * 4
    assert float(tracker.seen.label.sum()) * cell_px**2 == pytest.approx(800, rel=0.02)


def test_a_box_is_segmented_before_it_is_remembered(tracker: Dmb) -> None:
    """Box-to-segmentation: of a box with empty corners only the target is remembered."""
    result = tracker.init(picture(100, 90), Target(box=Box(90, 80, 60, 60)))
    cell_px = tracker.seen.seen.crop.scale * 4
    assert float(tracker.seen.label.sum()) * cell_px**2 == pytest.approx(SIDE * SIDE, rel=0.2)
    assert result.mask is not None
    assert np.count_nonzero(result.mask) == pytest.approx(SIDE * SIDE, rel=0.2)


def test_where_nothing_is_found_in_the_box_the_box_itself_is_remembered(tracker: Dmb) -> None:
    result = tracker.init(picture(0, 0, shown=False), Target(box=Box(100, 90, 40, 40)))
    assert result.mask is not None
    assert np.count_nonzero(result.mask) == pytest.approx(1600, rel=0.25)


@pytest.mark.parametrize(
    ("score", "doubt", "remembers", "learns"),
    [(0.9, 0.0, True, True), (0.2, 0.0, False, False), (0.9, 5.0, False, False), (0.9, 2.0, True, False)],
)
def test_only_certain_frames_are_learned_from(
    stepper: ColourStepper, score: float, doubt: float, remembers: bool, learns: bool
) -> None:
    """Those that were followed: with these settings all are."""
    changes = {"uncertainty.remember": 3.0, "uncertainty.learn": 1.0, "memory.store_score": 0.5}
    tracker = made(stepper, with_changes(LITE, changes | {"presence.least_score": 0.1}))
    start(tracker)
    doubting(tracker, doubt)
    stepper.score = score
    assert tracker.track(picture(101, 90, 1)).found
    memory = tracker.memory
    filled = memory.filter.memory.filled
    tracker.memorize()
    assert (memory.bank.numbers[memory.bank.previous] == 2) == remembers
    assert (memory.filter.memory.filled == filled + 1) == learns


@pytest.mark.parametrize("shown", [True, False])
def test_what_was_missed_is_never_remembered(stepper: ColourStepper, shown: bool) -> None:
    """Though every score is good enough and no frame is doubted; the network sees it, and it is not believed in."""
    eager = {"memory.store_score": 0.0, "memory.interval": 1, "uncertainty.rule": "none"}
    tracker = made(stepper, with_changes(LITE, eager))
    stepper.score = 0.9
    start(tracker)
    tracker.track(picture(101, 90, 1))
    tracker.memorize()
    memory = tracker.memory
    known, filled = memory.bank.numbers.tolist(), memory.filter.memory.filled
    assert max(known) == 2
    stepper.score = 0.4
    for number in range(2, 5):
        assert not tracker.track(picture(101, 90, number, shown)).found
        tracker.memorize()
    assert memory.bank.numbers.tolist() == known
    assert memory.filter.memory.filled == filled


def test_every_frame_answered_counts_for_the_filters_patience(tracker: Dmb) -> None:
    """Found or not; what is only looked at does not."""
    start(tracker)
    for number in range(1, 4):
        tracker.track(picture(100, 90, number, shown=number != 2))
        tracker.matcher.match(tracker.matcher.looks[-1:])
    assert tracker.memory.filter.uncertainty.seen == 3


def test_the_filter_learns_when_it_is_due(tracker: Dmb) -> None:
    start(tracker)
    spatial = tracker.memory.filter.memory
    before = spatial.parameters.filter.clone()
    changed = []
    for number in range(1, 14):
        tracker.track(picture(100 + number, 90, number))
        tracker.memorize()
        changed.append(not torch.equal(before, spatial.parameters.filter))
        before = spatial.parameters.filter.clone()
    if not any(changed[:9]):  # a second peak makes it learn at once
        assert changed[9]


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [
        ({"memory.history": 4}, [1, 6, 11, 12]),
        ({"memory.history": 4, "memory.previous_score": 0.95}, [1, 6, 11]),
        ({"memory.policy": "first"}, [1]),
        ({"memory.policy": "first_previous"}, [1, 12]),
        ({"memory.history": 4, "memory.keeps_first": False}, [6, 11, 12]),
    ],
)
def test_what_is_read(stepper: ColourStepper, changes: dict[str, Any], numbers: list[int]) -> None:
    stepper.score = 0.9
    settings = {"uncertainty.rule": "none", "memory.interval": 5, **changes}
    tracker = made(stepper, with_changes(LITE, settings))
    start(tracker)
    for number in range(1, 13):
        tracker.track(picture(100 + number, 90, number))
        if number < 12:
            tracker.memorize()
    assert sorted(tracker.memory.bank.numbers[slot] for slot in stepper.slots) == numbers


def test_a_long_gap_in_time_counts_as_such(tracker: Dmb) -> None:
    start(tracker)
    tracker.track(picture(100, 90, 30))
    tracker.memorize()
    bank = tracker.memory.bank
    assert bank.numbers[bank.previous] == 31


def sight_of_a_peak() -> Sight:
    response = torch.zeros(8, 8)
    response[3, 5] = 2.0
    crop = Crop(left=10.0, top=20.0, scale=2.0)
    return Sight(crop, torch.zeros(1, 1, 8, 8), response)


def test_the_map_that_enters_the_decoder() -> None:
    sight = sight_of_a_peak()
    assert guide("response", sight, sight.crop, 8)[3, 5] == pytest.approx(1.2)
    assert not guide("flat", sight, sight.crop, 8).any()
    distance = guide("distance", sight, sight.crop, 8)
    assert distance[0, 0].item() == pytest.approx(np.hypot(0.4375, 0.4375))
    assert distance.min() == distance[3, 3]


def test_the_map_follows_from_one_crop_to_the_other() -> None:
    sight = sight_of_a_peak()
    # the peak's centre in the image: 10 + 5.5 * 32 = 186, 20 + 3.5 * 32 = 132
    other = Crop(left=186.0 - 4.5 * 16, top=132.0 - 2.5 * 16, scale=1.0)
    moved = guide("response", sight, other, 8)
    assert moved.argmax() == 2 * 8 + 4


@pytest.mark.parametrize(
    ("compat", "expected"),
    [("paper", (True, "response", "average")), ("official", (False, "distance", "ratio"))],
)
def test_compat_brings_the_rules_of_paper_or_code(compat: str, expected: tuple[bool, str, str]) -> None:
    rules = replace(PAPER, compat=compat).rules
    assert (rules.memory.keeps_first, rules.spatial.guide, rules.uncertainty.rule) == expected
    assert rules.uncertainty.remember == 10
    lite = replace(LITE, compat=compat).rules
    assert lite.search == replace(STILL, scale=LITE.search.scale)
    assert (lite.prior, lite.size) == (PAPER.prior, PAPER.size)
    assert lite.presence == replace(FOLLOW_BEST, least_score=LITE.presence.least_score)
    assert PAPER.search == replace(STILL, scale=4.0)
    assert (PAPER.prior.penalty, PAPER.size.filtered) == (0.0, False)
    assert PAPER.rules is PAPER


def test_the_lite_one_follows_by_the_shared_rules_but_for_what_its_one_mask_asks() -> None:
    shared = {one.name: one.value for one in settings(FollowingConfig())}
    own = {one.name: one.value for one in settings(LITE) if one.name in shared}
    other = {"search.scale", "prior.window", "size.rate", "presence.least_score"}
    assert {name for name, value in own.items() if value != shared[name]} == other | {"presence.distractor_share"}


@pytest.mark.parametrize("compat", ["none", "paper", "official"])
@pytest.mark.parametrize("given", ["none", "paper"])
def test_a_live_change_leaves_compat_as_it_was_made(stepper: ColourStepper, compat: str, given: str) -> None:
    tracker = made(stepper, replace(LITE, compat=compat))
    start(tracker)
    for score in (0.7, 0.8):
        memory = replace(LITE.memory, store_score=score)
        tracker.reconfigure(replace(LITE, compat=given, memory=memory))
        assert tracker.config == replace(LITE, compat=compat, memory=memory).rules
        assert tracker.matcher.config == tracker.config


def test_the_masks_threshold_can_be_changed_while_tracking(tracker: Dmb) -> None:
    sizes = []
    start(tracker)
    for number, share in enumerate((0.5, 0.01, 0.99, 0.5), start=1):
        tracker.reconfigure(with_changes(LITE, {"mask.threshold": share}))
        mask = tracker.track(picture(100, 90, number)).mask
        sizes.append(np.count_nonzero(mask))
    assert sizes[2] < sizes[0] == sizes[3] < sizes[1]


@pytest.mark.parametrize("compat", ["none", "paper", "official"])
def test_the_papers_tracker_looks_twice(compat: str) -> None:
    stepper = PaperStepper(small_network("dmb"), InferenceRuntime())  # type: ignore[arg-type]
    tracker = made(stepper, replace(PAPER, compat=compat))
    start(tracker)
    result = tracker.track(picture(103, 90, 1))
    tracker.memorize()
    assert np.isfinite(result.box).all()
    seen = tracker.seen.seen
    assert seen.sight.response.shape == (4, 4)
    assert seen.crop != seen.sight.crop
    # the filter's crop spans 4.5 target sizes, the one that is segmented 4
    assert seen.sight.crop.scale * 64 == pytest.approx(4.5 * SIDE, rel=0.01)
    assert seen.crop.scale * 64 == pytest.approx(4 * SIDE, rel=0.01)
    assert result.region == pytest.approx(seen.crop.region(64))


@pytest.mark.parametrize(
    "changes",
    [
        {"mask.threshold": 1.0},
        {"memory.policy": "last"},
        {"spatial.kernel": 0},
        {"compat": "both"},
        {"uncertainty.queue": 0},
        {"search.looks": 0},
    ],
)
def test_settings_judge_themselves(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes)).split(".")[-1]):
        with_changes(TrackConfig(), changes)


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    good = save_small("dmb_lite", tmp_path / "good.safetensors")
    tensors = checkpoint.read(good, "dmb_lite").tensors
    wider = LiteNetworkConfig(crop_size=128, width=48)
    checkpoint.save(tmp_path / "wider.safetensors", "dmb_lite", wider, tensors, "")
    with pytest.raises(CheckpointError, match="has shape"):
        registry.load("dmb_lite").from_checkpoint(tmp_path / "wider.safetensors")
    strange = replace(LiteNetworkConfig(), backbone="mobilenet_v2")
    object.__setattr__(strange, "backbone", "vgg")
    checkpoint.save(tmp_path / "strange.safetensors", "dmb_lite", strange, tensors, "")
    with pytest.raises(CheckpointError, match="vgg"):
        registry.load("dmb_lite").from_checkpoint(tmp_path / "strange.safetensors")
