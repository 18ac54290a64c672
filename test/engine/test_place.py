from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.types import Box, Frame, Result, RotatedBox
from stm_tracker_ros.engine.place import place_of

pytestmark = pytest.mark.pure

FRAME = Frame(image=np.zeros((60, 80, 3), np.uint8), stamp_ns=0)


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        (Box(10, 10, 20, 20), Box(10, 10, 20, 20)),
        (Box(-11, 50, 20, 20), Box(0, 50, 9, 10)),
        (Box(-10, -10, 200, 200), Box(0, 0, 80, 60)),
        (Box(80, 10, 20, 20), None),
        (Box(10, -20, 20, 20), None),
    ],
)
def test_boxes_are_cut(box, cut):
    place = place_of(Result(box=box, score=1.0), FRAME)
    assert (None if place is None else place.box) == cut


@pytest.mark.parametrize(("center_x", "stays"), [(40.0, True), (75.0, False)])
def test_a_turned_box_stays_only_inside(center_x, stays):
    rotated = RotatedBox(center_x, 30, 12, 6, 0.4)
    place = place_of(Result(box=Box(center_x - 6, 25, 12, 10), score=1.0, rotated=rotated), FRAME)
    assert place is not None
    assert place.rotated == (rotated if stays else None)
