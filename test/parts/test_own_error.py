"""The error of a network on the frame where the truth is known: measured, and taken from its answers."""

from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.core.matching import Candidates, Floats, Look
from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.parts.crop import cut
from stm_tracker_ros.parts.own_error import SHOWN, OwnErrorConfig, corrected, measured

pytestmark = pytest.mark.pure

TRUE, SIZE = Box(300.0, 200.0, 40.0, 30.0), 128
FRAME = Frame(image=np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8), stamp_ns=0)
OFF = np.array([np.log(1.3), np.log(0.8), 0.1, -0.2])  # what the network makes of this target
FILL = (0.0, 0.0, 0.0)


def look() -> Look:
    patch, crop = cut(FRAME, TRUE.center, 120.0, SIZE, FILL)
    return Look(frame=FRAME, number=1, crop=crop, patch=patch, fill=FILL, expected=TRUE)


class Network:
    """Answers with the target as it takes it, and with something else that scores less; notes what it was shown."""

    def __init__(self, off: Floats = OFF, strays: int = 0) -> None:
        self.off, self.strays, self.looks = off, strays, list[Look]()

    def __call__(self, look: Look) -> Candidates:
        self.looks.append(look)
        center = np.array(TRUE.center) + self.off[2:] * TRUE[2:]
        sides = np.array(TRUE[2:]) * np.exp(self.off[:2])
        if len(self.looks) <= self.strays:
            center = center + 200
        answer = look.crop.to_crop(Box(*(center - sides / 2).tolist(), *sides.tolist()))
        scores = np.array([0.2, 0.7])
        boxes = np.array([[1.0, 1.0, 5.0, 5.0], answer])
        return Candidates(crop=look.crop, boxes=boxes, scores=scores, grid=(1, 2, 1))


def test_what_it_is_off_by_is_measured_whatever_the_crop() -> None:
    network = Network()
    assert measured(look(), network) == pytest.approx(OFF)
    assert len(network.looks) == len(SHOWN)
    scales = {round(one.crop.scale, 3) for one in network.looks}
    places = {(round(one.crop.left), round(one.crop.top)) for one in network.looks}
    assert (len(scales), len(places)) == (3, len(SHOWN))
    assert all(one.patch.shape == (SIZE, SIZE, 3) for one in network.looks)


@pytest.mark.parametrize(("strays", "known"), [(2, True), (len(SHOWN), False)])
def test_answers_elsewhere_count_for_nothing(strays: int, known: bool) -> None:
    assert measured(look(), Network(strays=strays)) == pytest.approx(OFF if known else np.zeros(4))


def test_all_of_it_taken_away_leaves_the_true_box_at_any_place_and_size() -> None:
    whole, none = OwnErrorConfig(sides=1.0, center=1.0), OwnErrorConfig()
    for true in (TRUE, Box(10.0, 20.0, 80.0, 15.0)):
        sides = np.array(true[2:]) * np.exp(OFF[:2])
        center = np.array(true.center) + OFF[2:] * true[2:]
        answered = np.array([[*(center - sides / 2), *sides]])
        assert corrected(answered, OFF, whole)[0] == pytest.approx(true)
        assert corrected(answered, OFF, none) == pytest.approx(answered)
    half = corrected(np.array([[0.0, 0.0, 10.0, 10.0]]), OFF, OwnErrorConfig(sides=0.5))[0]
    assert half == pytest.approx([5 - 5 / 1.3**0.5, 5 - 5 / 0.8**0.5, 10 / 1.3**0.5, 10 / 0.8**0.5])


def test_shares_are_shares() -> None:
    with pytest.raises(ConfigError, match="sides is 1.5; allowed is at least 0 and at most 1"):
        OwnErrorConfig(sides=1.5)
