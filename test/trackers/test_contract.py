"""What every tracker of the table must keep to, whatever paper it is from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contract_scene import PERIOD_NS, TARGET, as_array, build, follow, kept, remembered, scene
from live_scenes import Flight, Hangar, hangars
from made_weights import save_small
from torch import Tensor

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.config import Setting, settings, with_changes
from stm_tracker_ros.core.errors import ConfigError, NotInitialisedError, TargetError
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import MOST_CANDIDATES, Box, Frame, Result, Target
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.demo.sample import packaged
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.trackers import registry

pytestmark = pytest.mark.torch

ELSEWHERE = Box(220, 150, 30, 24)
# Frames after which the memory is full, and after which it must be as large: of trackers that come with weights, which
# are quick, and of the others, as many as there is time for.
FEW_AND_MANY_IF_QUICK, FEW_AND_MANY = (50, 500), (20, 60)
SHIPPED = [name for name in registry.names() if registry.load(name).shipped_weights]


@pytest.fixture(scope="module", params=registry.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def weights(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small(name, tmp_path_factory.mktemp("weights") / f"{name}.safetensors")


@pytest.fixture(scope="module")
def tracker(name: str, weights: Path) -> Tracker:
    """One for all tests of a name: whoever starts with `init` must not see what was before."""
    return build(name, weights)


@pytest.fixture(scope="module")
def other(name: str, weights: Path) -> Tracker:
    return build(name, weights)


@pytest.fixture
def stages(name: str, weights: Path, monkeypatch: pytest.MonkeyPatch) -> list[Hangar]:
    """In fp32: in bf16 what a setting changes may be rounded away."""
    return hangars(build(name, weights, "fp32"), registry.load(name).default_config, monkeypatch)


def another(setting: Setting) -> Any:
    """A value that is allowed for a setting and is not the one that it has."""
    rule, value = setting.rule, setting.value
    if setting.kind is bool:
        return not value
    if rule.choices:
        return next(choice for choice in rule.choices if choice != value)
    if setting.kind is int:
        return value + 1 if rule.high is None or value < rule.high else value - 1
    if rule.high is None:
        return value + 1.0
    return (value + (rule.high if value < rule.high else rule.low)) / 2


def kept_bytes(tracker: Any) -> int:
    return sum(int(thing.nbytes) for thing in kept(remembered(tracker)))


def arrays(thing: Any) -> list[Any]:
    return [as_array(one) for one in kept(thing)]


def same(first: list[Result], second: list[Result]) -> bool:
    return all(a.box == b.box and a.score == b.score for a, b in zip(first, second, strict=True))


def test_nothing_works_before_init(tracker: Any) -> None:
    tracker = Follower(type(tracker.matcher)(tracker.matcher.stepper, tracker.config), tracker.config)
    with pytest.raises(NotInitialisedError, match="init"):
        tracker.track(scene(1)[0])
    with pytest.raises(NotInitialisedError, match="init"):
        tracker.memorize()
    with pytest.raises(NotInitialisedError, match="init"):
        tracker.confirm(ELSEWHERE)


def test_init_answers_with_the_target_itself(tracker: Tracker) -> None:
    result = tracker.init(scene(1)[0], TARGET)
    assert result.box == pytest.approx(TARGET.box)
    assert result.score == 1


def test_a_mask_names_the_same_target_as_its_box(tracker: Tracker) -> None:
    mask = np.zeros((240, 320), np.uint8)
    mask[80:116, 100:148] = 255
    assert tracker.init(scene(1)[0], Target(mask=mask)).box == pytest.approx(TARGET.box)


def test_a_mask_of_another_size_is_refused(tracker: Tracker) -> None:
    with pytest.raises(TargetError, match="320 x 240"):
        tracker.init(scene(1)[0], Target(mask=np.ones((320, 240), np.uint8)))


def test_masks_are_of_the_images_size_where_there_are_masks(tracker: Tracker, name: str) -> None:
    """An empty mask is an answer, one without rotated box; a tracker without masks never has one."""
    pictures = scene(4)
    for result in (tracker.init(pictures[0], TARGET), *follow(tracker, pictures)):
        assert (result.mask is not None) == registry.load(name).has_mask
        if result.mask is None:
            assert result.rotated is None
            continue
        assert (result.mask.shape, result.mask.dtype) == ((240, 320), np.uint8)
        assert set(np.unique(result.mask)) <= {0, 255}
        assert result.rotated is None or (result.mask.any() and np.isfinite(result.rotated).all())


def test_the_mask_that_names_the_target_is_the_first_answer(tracker: Tracker, name: str) -> None:
    mask = np.zeros((240, 320), bool)
    mask[80:116, 100:148] = True
    found = tracker.init(scene(1)[0], Target(mask=mask)).mask
    assert found is None or (found == mask * np.uint8(255)).all()


@pytest.mark.parametrize("box", [Box(400, 20, 30, 30), Box(-50, 10, 50, 40), Box(10, 10, 0, 20)])
def test_a_target_outside_the_image_or_without_area_is_refused(tracker: Tracker, box: Box) -> None:
    with pytest.raises(TargetError, match=r"320 x 240"):
        tracker.init(scene(1)[0], Target(box=box))


def test_answers_are_finite_and_scores_are_shares(tracker: Tracker) -> None:
    for result in follow(tracker, scene(6)):
        assert np.isfinite(result.box).all()
        assert result.box.width > 0
        assert result.box.height > 0
        assert 0 <= result.score <= 1


def test_the_same_frames_give_the_same_answers(tracker: Tracker, other: Tracker) -> None:
    assert same(follow(tracker, scene(5)), follow(other, scene(5)))


def test_init_forgets_everything_before(tracker: Tracker, other: Tracker) -> None:
    """Each has another past."""
    follow(tracker, scene(4, seed=1))
    follow(other, scene(3, seed=2))
    assert same(follow(tracker, scene(4)), follow(other, scene(4)))


def test_memory_stays_as_it_is_when_full(tracker: Any, name: str) -> None:
    few, many = FEW_AND_MANY_IF_QUICK if registry.load(name).shipped_weights else FEW_AND_MANY
    pictures = scene(many + 1)
    tracker.init(pictures[0], TARGET)
    sizes = []
    for picture in pictures[1:]:
        tracker.track(picture)
        tracker.memorize()
        sizes.append(kept_bytes(tracker))
    assert sizes[many - 1] == sizes[few - 1] > 0


def test_gaps_and_repeated_stamps_are_accepted(tracker: Tracker) -> None:
    pictures = scene(4)
    tracker.init(pictures[0], TARGET)
    for stamp_ns, gap in ((PERIOD_NS, 0), (300 * PERIOD_NS, 298), (300 * PERIOD_NS, 0), (299 * PERIOD_NS, 0)):
        result = tracker.track(Frame(image=pictures[1].image, stamp_ns=stamp_ns, gap=gap))
        tracker.memorize()
        assert np.isfinite(result.box).all()


def test_an_answer_does_not_wait_for_memorize(tracker: Tracker) -> None:
    pictures = scene(4)
    tracker.init(pictures[0], TARGET)
    for picture in pictures[1:]:
        assert np.isfinite(tracker.track(picture).box).all()
    tracker.memorize()
    tracker.memorize()


def test_a_confirmed_box_is_where_it_goes_on_and_the_memory_stays(tracker: Any) -> None:
    pictures = scene(6)
    follow(tracker, pictures[:5])
    before = arrays(tracker.matcher.memory)
    tracker.confirm(ELSEWHERE)
    tracker.memorize()
    after = arrays(tracker.matcher.memory)
    assert len(after) == len(before) > 0
    assert all(np.array_equal(one, other, equal_nan=True) for one, other in zip(before, after, strict=True))
    result = tracker.track(pictures[5])
    assert result.expected is not None
    assert result.expected[2:] == pytest.approx(ELSEWHERE[2:])
    assert result.expected.center == pytest.approx(ELSEWHERE.center, abs=3)  # the target moved by a pixel a frame
    tracker.memorize()


def test_what_is_kept_between_frames_is_read(tracker: Any, other: Any) -> None:
    follow(tracker, scene(4))
    follow(other, scene(4))
    with torch.inference_mode():
        for tensor in kept(remembered(other)):
            if isinstance(tensor, Tensor):
                tensor.zero_()
    last = scene(5)[4]
    first, second = tracker.track(last), other.track(last)
    assert np.abs(np.subtract((*first.box, first.score), (*second.box, second.score))).max() > 1e-6


@pytest.mark.parametrize("name", [name for name in SHIPPED if hasattr(registry.load(name).default_config, "memory")])
def test_one_frame_more_in_memory_changes_the_next_answer(name: str) -> None:
    """With the shipped weights on the packaged video: what was written in frame k counts in frame k + 1."""
    change = 1e-4 if registry.load(name).has_mask else 1e-3  # a mask's score lies next to 1, where little changes it
    sample = packaged()
    pictures = islice(frames(sample.video), 40)
    learned, unlearned = (build(name, None) for _ in range(2))
    first = next(pictures)
    for tracker in (learned, unlearned):
        tracker.init(first, Target(box=sample.first_box))
    interval = getattr(learned.config.memory, "interval", 1)
    for passed, picture in enumerate(pictures, start=1):
        scores = [tracker.track(picture).score for tracker in (learned, unlearned)]
        if passed >= interval and scores[0] >= learned.config.memory.store_score:
            break
    before = learned.matcher.memory.bank.numbers.tolist()
    learned.memorize()
    assert learned.matcher.memory.bank.numbers.tolist() != before
    last = next(pictures)
    said = [tracker.track(last).candidates[0].score for tracker in (learned, unlearned)]  # as the network has it
    assert abs(said[0] - said[1]) > change


def test_answers_say_what_was_found_and_where_was_looked(tracker: Tracker) -> None:
    pictures = scene(6)
    first = tracker.init(pictures[0], TARGET)
    assert (first.found, first.expected, first.region, first.candidates) == (True, None, None, ())
    for result in follow(tracker, pictures):
        assert result.region is not None
        assert result.expected is not None
        assert np.isfinite((*result.region, *result.expected)).all()
        x, y = np.clip(result.expected.center, 0, (320, 240))
        assert 0 <= x - result.region.x <= result.region.width
        assert 0 <= y - result.region.y <= result.region.height
        assert result.candidates or not result.found


def test_candidates_are_few_apart_and_in_order(tracker: Tracker) -> None:
    for result in follow(tracker, scene(6)):
        boxes, scores = [found.box for found in result.candidates], [found.score for found in result.candidates]
        assert len(boxes) <= MOST_CANDIDATES
        assert np.isfinite(boxes).all()
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        assert max((iou(a, b) for index, a in enumerate(boxes) for b in boxes[:index]), default=0.0) < 0.35


def test_every_live_setting_has_a_flight(stages: list[Hangar]) -> None:
    shown = {name for stage in stages for name in stage.flights}
    assert {one.name for one in settings(stages[0].config) if one.rule.live} == shown, "see live_scenes.py"


def test_every_live_setting_acts_in_the_middle_of_a_flight(stages: list[Hangar]) -> None:
    idle, left_behind = [], []
    for stage, setting, flight in flights(stages):
        mine = with_changes(stage.config, flight.base)
        changed = with_changes(mine, {setting: flight.value})
        undisturbed = stage.flown(stage.made(flight.base), flight)
        if stage.flown(stage.made(flight.base), flight, changed) == undisturbed:
            idle.append(setting)
        if stage.flown(stage.made(flight.base), flight, changed, mine) != undisturbed:  # there and back
            left_behind.append(setting)
    assert idle == left_behind == []


def test_what_is_set_before_init_is_as_if_made_so(stages: list[Hangar]) -> None:
    for stage, setting, flight in flights(stages):
        wanted = flight.base | {setting: flight.value}
        early = stage.made({})
        early.reconfigure(with_changes(stage.config, wanted))
        assert stage.flown(early, flight) == stage.flown(stage.made(wanted), flight)


def test_what_is_not_live_stays_as_it_was_made(stages: list[Hangar]) -> None:
    for stage, _, flight in flights(stages):
        fixed = {one.name: another(one) for one in settings(stage.config) if not one.rule.live}
        mine = with_changes(stage.config, flight.base)
        undisturbed = stage.flown(stage.made(flight.base), flight)
        assert stage.flown(stage.made(flight.base), flight, with_changes(mine, fixed)) == undisturbed


def test_of_a_configuration_only_what_is_live_is_taken_over(stages: list[Hangar]) -> None:
    for stage in stages:
        tracker = stage.made({})
        tracker.reconfigure(with_changes(stage.config, {one.name: another(one) for one in settings(stage.config)}))
        assert tracker.matcher.config == tracker.config
        for before, after in zip(settings(stage.config), settings(tracker.config), strict=True):
            assert (after.value != before.value) == before.rule.live, before.name


def flights(stages: list[Hangar]) -> Iterator[tuple[Hangar, str, Flight]]:
    yield from ((stage, setting, flight) for stage in stages for setting, flight in stage.flights.items())


def test_the_configuration_of_something_else_is_refused(tracker: Tracker) -> None:
    with pytest.raises(ConfigError, match="is a Box; allowed is a TrackConfig"):
        tracker.reconfigure(TARGET.box)
