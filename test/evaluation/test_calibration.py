"""Fitting a calibration: against plain arithmetic, with each run as heavy as another, on recordings kept apart."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.evaluation.calibration import RIDGE, Frames, figures, fit, reliability, said_unseen
from stm_tracker_ros.evaluation.sights import Judged
from stm_tracker_ros.following.calibration import Sight, weighed

pytestmark = pytest.mark.pure

TRUE_BIAS, TRUE = 0.5, np.array([1.2, -0.5, -0.4])


def run(seed: int, count: int = 200, recording: str = "", flipped: bool = False) -> Judged:
    """Sights of a target that is sometimes away, right with the probability that TRUE gives."""
    draw = np.random.default_rng(seed)
    found = draw.random(count) < 0.7
    unseen = np.where(found, 0.0, draw.integers(1, 30, count))
    sights = np.column_stack([draw.random(count), unseen, np.where(found, draw.random(count), 0.0)])
    right = draw.random(count) < 1 / (1 + np.exp(-TRUE_BIAS - weighed(sights) @ TRUE))
    right = ~right if flipped else right
    return Judged(
        recording=recording or f"r{seed}", sights=sights, right=right, present=right | (draw.random(count) < 0.5)
    )


def frames_of(*runs: Judged) -> Frames:
    return Frames.of(
        {f"{'absence' if number % 3 == 2 else 'OTB2015'}/{number}": one for number, one in enumerate(runs)}
    )


class TestFit:
    """Weighted logistic regression."""

    def test_it_finds_what_the_answers_were_drawn_from(self) -> None:
        found = fit(frames_of(*(run(seed, 2000) for seed in range(10))))
        assert found.bias == pytest.approx(TRUE_BIAS, abs=0.35)
        assert [found.weights[name] for name in Sight._fields] == pytest.approx(TRUE.tolist(), abs=0.35)

    def test_no_other_weights_are_better(self) -> None:
        """By the penalised likelihood, summed up frame by frame, about the fitted weights."""
        frames = frames_of(run(1, 60), run(2, 90), run(3, 30))
        found = fit(frames)
        fitted = np.array([found.bias, *(found.weights[name] for name in Sight._fields)])
        weights = frames.weights / frames.weights.sum()
        known = weighed(frames.sights)
        spread = np.sqrt(np.average((known - weights @ known) ** 2, axis=0, weights=weights))

        def loss(values: np.ndarray) -> float:
            total = 0.0
            for sight, right, weight in zip(known, frames.right, weights, strict=True):
                said = 1 / (1 + math.exp(-(values[0] + sum(a * b for a, b in zip(values[1:], sight, strict=True)))))
                total -= weight * math.log(said if right else 1 - said)
            return total + RIDGE / 2 * sum((a * b) ** 2 for a, b in zip(values[1:], spread, strict=True))

        least = loss(fitted)
        for number in range(len(fitted)):
            for change in (-0.02, 0.02):
                assert loss(fitted + change * np.eye(len(fitted))[number]) > least

    def test_a_long_run_weighs_as_much_as_a_short_one(self) -> None:
        short, long = run(1, 50), run(2, 60)
        tenfold = Judged(
            recording=long.recording,
            sights=np.tile(long.sights, (10, 1)),
            right=np.tile(long.right, 10),
            present=np.tile(long.present, 10),
        )
        once, often = fit(frames_of(short, long)), fit(frames_of(short, tenfold))
        assert once.bias == pytest.approx(often.bias)
        assert dict(once.weights) == pytest.approx(dict(often.weights))

    def test_what_never_changes_tells_nothing(self) -> None:
        always = run(4)
        sights = always.sights * (1, 0, 1) + (0, 7, 0)
        found = fit(frames_of(Judged(recording="r", sights=sights, right=always.right, present=always.present)))
        assert found.weights["unseen"] == 0.0
        assert found.weights["score"] > 0.5

    def test_answers_that_are_all_right_are_refused(self) -> None:
        one = run(1)
        with pytest.raises(DataError, match="all answers are right, or none is"):
            frames_of(Judged(recording="r", sights=one.sights, right=one.right | True, present=one.present))


class TestUnseen:
    """What is said of a recording comes from the others."""

    def test_a_recording_does_not_teach_what_is_said_of_it(self) -> None:
        others = [run(seed) for seed in range(4)]
        odd = run(9, recording="odd", flipped=True)
        frames = frames_of(*others, odd, run(10, recording="odd"))
        own = frames.recordings == "odd"
        assert said_unseen(frames)[own] == pytest.approx(fit(frames_of(*others)).of_many(frames.sights[own]), abs=0.02)

    def test_a_single_recording_is_refused(self) -> None:
        with pytest.raises(DataError, match="all runs are of one recording, r1"):
            said_unseen(frames_of(run(1), run(2, recording="r1")))


class TestReliability:
    """Bins of equal weight, and the mean distance in them."""

    def test_the_error_is_the_weighted_mean_over_bins(self) -> None:
        draw = np.random.default_rng(5)
        said, right = draw.random(300), draw.random(300) < 0.5
        weights = np.full(300, 1 / 300)
        order = sorted(range(300), key=lambda index: said[index])
        error = 0.0
        for number in range(10):
            among = order[30 * number : 30 * (number + 1)]
            mean = sum(said[index] for index in among) / 30
            share = sum(bool(right[index]) for index in among) / 30
            error += abs(mean - share) / 10
        found = reliability(said, right, weights, bins=10)
        assert found.error == pytest.approx(error)
        assert found.share == pytest.approx(np.full(10, 0.1))
        assert (np.diff(found.said) > 0).all()

    def test_a_frame_of_twice_the_weight_counts_as_two(self) -> None:
        said, right = np.array([0.1, 0.2, 0.9]), np.array([False, True, True])
        once = reliability(said, right, np.array([2.0, 1.0, 1.0]), bins=2)
        twice = reliability(np.array([0.1, 0.1, 0.2, 0.9]), np.array([False, False, True, True]), np.ones(4), bins=2)
        assert once.error == pytest.approx(twice.error) == pytest.approx((0.1 + 0.45) / 2)

    def test_what_is_always_true_has_no_error(self) -> None:
        right = np.arange(40) < 20
        assert reliability(right.astype(float), right, np.ones(40)).error == 0.0

    def test_probabilities_that_the_answers_are_drawn_by_are_calibrated(self) -> None:
        frames = frames_of(*(run(seed, 3000) for seed in range(12)))
        found = figures(frames, said_unseen(frames))
        assert found["calibration_error"] < 0.02
        assert set(found["calibration_error_of"]) == {"annotated", "made"}
        assert found["calibration_error_of_scores"] > found["calibration_error"]
        assert (found["recordings"], found["frames"]) == (12, 36000)
        assert found["right_over_wrong"] > 0.7
