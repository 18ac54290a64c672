from __future__ import annotations

import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.types import Box, Result, RotatedBox
from stm_tracker_ros.drawing import AMBER, BLUE, GREEN, GREY, RED, draw_overlay, waited_for

pytestmark = pytest.mark.pure


@pytest.fixture
def image():
    return np.full((120, 160, 3), 90, np.uint8)


def test_the_image_itself_is_left_alone(image):
    picture = draw_overlay(image, box=Box(10, 20, 30, 40), state="TRACKING", score=0.5)
    assert (image == 90).all()
    assert picture.shape == image.shape
    assert (picture != image).any()


def test_the_box_runs_along_the_pixels_that_it_covers(image):
    changed = (draw_overlay(image, box=Box(50, 60, 30, 40)) != 90).any(2)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert (columns[0], columns[-1], rows[0], rows[-1]) == (50, 79, 60, 99)


@pytest.mark.parametrize(("state", "color"), [("TRACKING", GREEN), ("UNCERTAIN", AMBER), ("LOST", RED)])
def test_the_state_gives_the_color(image, state, color):
    picture = draw_overlay(image, box=Box(50, 60, 30, 40), state=state)
    assert tuple(picture[60, 65]) == color


def test_a_mask_is_tinted_and_nothing_else_is(image):
    mask = np.zeros((120, 160), np.uint8)
    mask[40:50, 40:50] = 255
    changed = (draw_overlay(image, mask=mask) != 90).any(2)
    assert np.array_equal(changed, mask > 0)


def test_a_box_far_outside_and_an_image_that_is_a_view_are_drawn(image):
    drawn = draw_overlay(image[:, ::-1], box=Box(-1e12, 1e12, 1e15, 5.0), state="LOST", score=0.0, note="far away")
    assert drawn.shape == image.shape
    assert (drawn != 90).any()
    assert (image == 90).all()


def test_a_rotated_box_is_drawn_in_place_of_the_upright_one(image):
    rotated = RotatedBox(80, 60, 60, 20, np.radians(30))
    changed = (draw_overlay(image, box=Box(40, 30, 80, 60), rotated=rotated) != 90).any(2)
    rows, columns = np.nonzero(changed)
    along = (columns + 0.5 - 80) * np.cos(rotated.theta) + (rows + 0.5 - 60) * np.sin(rotated.theta)
    across = (rows + 0.5 - 60) * np.cos(rotated.theta) - (columns + 0.5 - 80) * np.sin(rotated.theta)
    assert abs(along).max() == pytest.approx(29.5, abs=1)
    assert abs(across).max() == pytest.approx(9.5, abs=1)
    assert not changed[30, 45:115].any()
    # The lower right end lies below the middle: theta turns from x towards y.
    assert rows[columns.argmax()] > 65


def test_a_rotated_box_of_theta_0_runs_along_the_same_pixels(image):
    upright = draw_overlay(image, box=Box(50, 60, 30, 40))
    assert (draw_overlay(image, box=Box(50, 60, 30, 40), rotated=RotatedBox(65, 80, 30, 40, 0)) == upright).all()


def test_without_a_box_no_rotated_one_is_drawn(image):
    assert (draw_overlay(image, rotated=RotatedBox(80, 60, 60, 20, 1)) == image).all()


def test_what_is_waited_for_is_dashed_on_its_edges(image):
    picture = draw_overlay(image, expected=Box(40, 30, 80, 60))
    left_edge = (picture[30:90, 40] == GREY).all(1)
    assert left_edge[0]
    assert left_edge[-1]
    assert 0.3 < left_edge.mean() < 0.8
    assert (picture[35:85, 45:115] == 90).all()


def test_a_box_that_is_waited_for_where_it_is_published_has_no_full_line(image):
    dashed = draw_overlay(image, box=Box(40, 30, 80, 60), expected=Box(40, 30, 80, 61))
    assert (dashed == draw_overlay(image, expected=Box(40, 30, 80, 61))).all()


def test_the_search_region_is_a_thin_line_that_may_leave_the_image(image):
    changed = (draw_overlay(image, region=Box(-50, 20, 150, 60)) != 90).any(2)
    rows, columns = np.nonzero(changed)
    assert set(rows[columns == 50]) == {20, 79}
    assert columns.max() == 99


def test_the_cross_is_small_and_in_the_middle(image):
    rows, columns = np.nonzero((draw_overlay(image, center_cross=True) != 90).any(2))
    assert (rows.min() + rows.max()) / 2 == pytest.approx(60, abs=1)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(80, abs=1)
    assert rows.max() - rows.min() < 20


def result(found=True):
    return Result(box=Box(1, 2, 3, 4), score=0.5, found=found, expected=Box(5, 6, 7, 8))


@pytest.mark.parametrize(("found", "valid", "drawn"), [(True, True, False), (False, True, True), (True, False, True)])
def test_it_is_waited_for_where_it_is_not_found_or_lost(found, valid, drawn):
    assert waited_for(result(found), valid) == (Box(5, 6, 7, 8) if drawn else None)


def written(monkeypatch, image, **known):
    """The texts of an overlay, and the picture."""
    texts = []
    put = cv2.putText
    monkeypatch.setattr(cv2, "putText", lambda canvas, text, *rest: (texts.append(text), put(canvas, text, *rest))[1])
    return texts, draw_overlay(image, **known)


def test_what_is_known_is_written_and_what_is_not_is_not(monkeypatch):
    image = np.full((480, 640, 3), 90, np.uint8)
    known = {"state": "LOST", "score": 0.123, "target_id": "car", "latency_ms": 12.7, "unseen_s": 2.34, "note": "n"}
    assert written(monkeypatch, image, **known)[0] == ["LOST 0.12  unseen 2.3 s", "car  13 ms  n"]
    assert written(monkeypatch, image, state="TRACKING", score=1.0)[0] == ["TRACKING 1.00"]
    assert written(monkeypatch, image)[0] == []


def test_candidates_are_dashed_in_blue_with_their_words_beneath_or_above(image):
    for place, words in ((Box(40, 30, 40, 30), slice(62, 78)), (Box(40, 88, 40, 30), slice(68, 86))):
        picture = draw_overlay(image, candidates=[(place, "candidate-1 0.83")])
        top = (picture[int(place.y), 40:80] == BLUE).all(1)
        assert top[0]
        assert 0.3 < top.mean() < 0.8
        assert (picture[words, 40:80] != 90).any()
        silent = draw_overlay(image, candidates=[(place, "candidate-1 0.83")], words=False)
        assert (silent[words, 40:80] == 90).all()
    corner = draw_overlay(image, candidates=[(Box(150, -5, 40, 200), "candidate-1 0.83")])
    assert corner.shape == image.shape
