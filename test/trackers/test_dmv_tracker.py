"""DMV's memory in flight: what is written when, of what, and that it is read."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from contract_scene import PERIOD_NS, TARGET, scene  # noqa: E402
from made_weights import small_network  # noqa: E402

from stm_tracker_ros.core.config import with_changes  # noqa: E402
from stm_tracker_ros.core.matching import Evidence, Look  # noqa: E402
from stm_tracker_ros.core.types import Box, Frame, Target  # noqa: E402
from stm_tracker_ros.data.readers import frames  # noqa: E402
from stm_tracker_ros.demo.sample import packaged  # noqa: E402
from stm_tracker_ros.parts.crop import cut  # noqa: E402
from stm_tracker_ros.parts.inference import InferenceRuntime  # noqa: E402
from stm_tracker_ros.parts.overlap import overlaps  # noqa: E402
from stm_tracker_ros.parts.own_error import SHOWN, corrected  # noqa: E402
from stm_tracker_ros.trackers import registry  # noqa: E402
from stm_tracker_ros.trackers.dmv.config import LITE  # noqa: E402
from stm_tracker_ros.trackers.dmv.stepper import Stepper  # noqa: E402
from stm_tracker_ros.trackers.dmv.tracker import DmvMatcher  # noqa: E402

GOOD = Evidence(score=0.8, share_of_usual=1.0)
PICTURE = scene(1)[0]
START = TARGET.box or Box(0, 0, 1, 1)


@pytest.fixture(scope="module")
def stepper() -> Stepper:
    return Stepper(small_network("dmv_lite"), InferenceRuntime())


def matcher(stepper: Stepper, **changes: Any) -> DmvMatcher:
    """Started on the first picture."""
    made = DmvMatcher(stepper, with_changes(LITE, {f"memory.{name}": value for name, value in changes.items()}))
    made.start(look(made, 1), TARGET)
    return made


def look(made: DmvMatcher, number: int) -> Look:
    return look_at(made, Frame(image=PICTURE.image, stamp_ns=number * PERIOD_NS), number, START)


def look_at(made: DmvMatcher, frame: Frame, number: int, box: Box) -> Look:
    patch, crop = cut(frame, box.center, 3.0 * float(np.sqrt(box.width * box.height)), made.crop_size, (9, 9, 9))
    return Look(frame=frame, number=number, crop=crop, patch=patch, fill=(9, 9, 9), expected=box)


def shown(made: DmvMatcher, number: int, evidence: Evidence = GOOD) -> None:
    """Match a frame and remember it if it is time."""
    one = look(made, number)
    (found,) = made.match([one])
    made.settle(one, found, 0, 1.0)
    made.remember(one, found, 0, START, evidence)


def numbers(made: DmvMatcher) -> list[int]:
    bank = made.memory.bank
    return sorted(int(bank.numbers[slot]) for slot in bank.kept)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_first_frame_is_looked_at_again_only_where_that_is_of_use(
    stepper: Stepper, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    asked: list[Any] = []
    whole = DmvMatcher._match
    monkeypatch.setattr(DmvMatcher, "_match", lambda self, one: asked.append(one) or whole(self, one))
    made = DmvMatcher(stepper, with_changes(LITE, {"own_error.sides": share, "own_error.center": 0}))
    made.start(look(made, 1), TARGET)
    assert len(asked) == (len(SHOWN) if share else 0)


def test_what_it_was_off_by_in_the_first_frame_is_taken_from_its_answers(stepper: Stepper) -> None:
    made = matcher(stepper)
    made.memory.error = np.array([0.3, -0.2, 0.1, 0.05])
    (taken,) = made.match([look(made, 2)])
    made.reconfigure(with_changes(LITE, {"own_error.sides": 0, "own_error.center": 0}))
    (plain,) = made.match([look(made, 2)])
    assert taken.boxes == pytest.approx(corrected(plain.boxes, made.memory.error, LITE.own_error))
    assert not np.allclose(taken.boxes, plain.boxes)
    assert (taken.scores == plain.scores).all()


def test_a_frame_a_second_is_remembered_whatever_the_rate(stepper: Stepper) -> None:
    made = matcher(stepper)
    for number in (2, 16, 30, 31, 45, 60, 61, 95, 124, 125):
        shown(made, number)
    assert numbers(made) == [1, 31, 61, 95, 125]


@pytest.mark.parametrize(
    ("evidence", "changes", "remembers"),
    [
        (Evidence(0.3, 0.71), {}, True),
        (Evidence(0.9, 0.69), {}, False),
        (Evidence(0.69, 1.2), {"store_score": 0.7, "store_share": 0.0}, False),
        (Evidence(0.71, 0.1), {"store_score": 0.7, "store_share": 0.0}, True),
    ],
)
def test_only_good_answers_are_remembered(
    stepper: Stepper, evidence: Evidence, changes: dict[str, float], remembers: bool
) -> None:
    made = matcher(stepper, **changes)
    shown(made, 40, evidence)
    assert numbers(made) == ([1, 40] if remembers else [1])


def test_when_full_the_oldest_but_the_first_makes_room(stepper: Stepper) -> None:
    made = matcher(stepper, slots=4, interval=1)
    for number in range(2, 12):
        shown(made, number)
    assert numbers(made) == [1, 9, 10, 11]


def test_a_new_target_finds_an_empty_memory(stepper: Stepper) -> None:
    made = matcher(stepper, interval=1)
    shown(made, 2)
    made.start(look(made, 1), TARGET)
    assert numbers(made) == [1]


def written(made: DmvMatcher) -> tuple[Any, Any]:
    """Key and value of the slot that was written last."""
    bank = made.memory.bank
    slot = max(bank.kept, key=lambda one: int(bank.numbers[one]))
    return tuple(part[slot].clone() for part in bank.parts)


def test_of_what_is_not_followed_no_score_is_remembered(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    labels, nothing = [], torch.zeros(1, 64, stepper.network.config.read.channels)
    monkeypatch.setattr(stepper, "_values", lambda features, score, away: labels.append(score) or nothing)
    for label in ("printed", "followed"):
        made = matcher(stepper, label=label)
        one = look(made, 40)
        (found,) = made.match([one])
        seen = found.payload
        sure = replace(seen, answer=seen.answer._replace(score=torch.full_like(seen.answer.score, 0.9)))
        made.remember(one, replace(found, payload=sure), 0, START, GOOD)
    first, printed, again, followed = labels
    assert torch.equal(first, again)
    assert (printed == 0.9).all()
    inside = one.crop.to_crop(START)
    corners = torch.tensor([[inside.x, inside.y, inside.x + inside.width, inside.y + inside.height]])
    same = overlaps(seen.answer.boxes, corners[:, None])[0] >= 0.5
    assert torch.equal(followed > 0, same)
    assert not same.all()


def test_without_background_the_cells_beside_the_target_are_zero(stepper: Stepper) -> None:
    made, bare = (matcher(stepper, background=background) for background in (True, False))
    cells = (
        np.add.outer(*[(np.abs(np.arange(8) * 16 + 8 - 64) > 40) * 1] * 2) > 0
    )  # the target covers 43 px in the crop
    far = torch.tensor(cells.ravel())
    for part, cut_out in zip(written(made), written(bare), strict=True):
        assert part[far].abs().amax() > 0
        assert cut_out[far].abs().amax() == 0
        assert torch.equal(part[27], cut_out[27])  # in the middle


@pytest.mark.parametrize("policy", ["full", "first"])
def test_a_wrong_label_in_memory_answers_otherwise(policy: str) -> None:
    """The shipped weights on the packaged video: a later frame is remembered with the target beside where it is.

    What is read of the first frame alone does not see that.
    """
    sample = packaged()
    first, *_, later, last = islice(frames(sample.video), 12)
    tracker = registry.load("dmv_lite").from_checkpoint(config=with_changes(LITE, {"memory.policy": policy}))
    answers = []
    for away in (0.0, 0.5):
        tracker.init(first, Target(box=sample.first_box))
        made = tracker.matcher
        one = look_at(made, later, 11, sample.first_box)
        wrong = one.crop.to_crop(sample.first_box._replace(x=sample.first_box.x + away * sample.first_box.width))
        made.memory.bank.add(11, made.stepper.first(made.stepper.encode(one.patch), wrong))
        answers.append(made.match([look_at(made, last, 12, sample.first_box)])[0].scores)
    assert (np.abs(answers[0] - answers[1]).max() > 0.01) == (policy == "full")


def test_scores_by_the_first_frame_are_those_of_a_memory_of_it_alone(stepper: Stepper) -> None:
    made = matcher(stepper, interval=1)
    alone = made.match([look(made, 2)])[0].scores
    shown(made, 2)
    one = look(made, 3)
    (found,) = made.match([one])
    assert np.array_equal(made.anchor_scores(one, found), alone)
    assert not np.array_equal(found.scores, alone)


def test_an_anchor_stands_where_its_grid_says(stepper: Stepper) -> None:
    """Candidates are row by row, cell by cell, five to a cell: boxes follow their cells."""
    made = matcher(stepper)
    (found,) = made.match([look(made, 2)])
    assert found.grid == (8, 8, 5)
    centers = (found.boxes[:, :2] + found.boxes[:, 2:] / 2).reshape(8, 8, 5, 2).mean(2)
    rows, columns = np.arange(8), np.arange(8)
    assert np.corrcoef(centers[..., 0].mean(0), columns)[0, 1] > 0.9
    assert np.corrcoef(centers[..., 1].mean(1), rows)[0, 1] > 0.9
