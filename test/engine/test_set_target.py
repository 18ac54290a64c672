from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.engine.set_target import Code, RefusalError, TargetAnswer, TargetRequest, check_request, target_on

pytestmark = pytest.mark.pure

FRAME = Frame(image=np.zeros((60, 80, 3), np.uint8), stamp_ns=1)


def mask(rows=slice(0), columns=slice(0), shape=(60, 80)):
    drawn = np.zeros(shape, np.uint8)
    drawn[rows, columns] = 255
    return drawn


def judged(**request):
    asked = TargetRequest(**request)
    check_request(asked)
    return target_on(asked, FRAME)


@pytest.mark.parametrize(
    ("request_fields", "code", "said"),
    [
        ({}, Code.BOX_OR_MASK, "neither of box and mask"),
        ({"box": Box(1, 1, 9, 9), "mask": mask(slice(9), slice(9))}, Code.BOX_OR_MASK, "both"),
        ({"box": Box(1, float("nan"), 9, 9)}, Code.NOT_FINITE, "(1, nan, 9, 9)"),
        ({"box": Box(1, 1, float("inf"), 9)}, Code.NOT_FINITE, "not finite"),
        ({"box": Box(80, 10, 9, 9)}, Code.OUTSIDE_IMAGE, "outside the image of 80 x 60 px"),
        ({"box": Box(10, -9, 9, 9)}, Code.OUTSIDE_IMAGE, "(10, -9, 9, 9)"),
        ({"box": Box(10, 10, 2.9, 9)}, Code.TOO_SMALL, "box (10, 10, 2.9, 9) is 2.9 x 9 px; allowed is at least 3 px"),
        ({"box": Box(10, 10, -20, 9)}, Code.TOO_SMALL, "-20 x 9"),
        ({"box": Box(78, 10, 9, 9)}, Code.TOO_SMALL, "inside the image of 80 x 60 px is 2 x 9 px"),
        ({"mask": mask()}, Code.TOO_SMALL, "mask of 80 x 60 px is empty"),
        ({"mask": mask(slice(5, 7), slice(5, 30))}, Code.TOO_SMALL, "mask covers 25 x 2 px"),
        ({"mask": mask(slice(9), slice(9), (80, 60))}, Code.MASK_SIZE, "mask is 60 x 80 px; the image is 80 x 60"),
    ],
)
def test_refusals_have_a_code_and_a_reason(request_fields, code, said):
    with pytest.raises(RefusalError) as refusal:
        judged(**request_fields)
    assert refusal.value.code is code
    assert said in str(refusal.value)


def test_three_pixels_are_enough():
    assert judged(box=Box(10, 10, 3, 3)).box == Box(10, 10, 3, 3)
    assert judged(box=Box(10.1, 10.1, 3, 3)).box == pytest.approx((10.1, 10.1, 3, 3))


def test_a_box_is_cut_at_the_edge():
    assert judged(box=Box(-5, 50, 20, 30)).box == Box(0, 50, 15, 10)


def test_a_mask_is_handed_over_as_it_is():
    drawn = mask(slice(5, 9), slice(5, 30))
    assert judged(mask=drawn).mask is drawn


def test_numbers_are_those_of_the_service():
    assert [code.value for code in Code] == list(range(12))
    assert (Code.STAMP_TOO_OLD, Code.TIMEOUT, Code.INTERNAL, Code.BAD_REQUEST) == (5, 8, 10, 11)
    assert TargetAnswer(code=Code.OK, message="").success
    assert not TargetAnswer(code=Code.TIMEOUT, message="").success


@pytest.mark.parametrize("field", ["id", "class_id"])
def test_long_names_are_refused(field):
    check_request(TargetRequest(box=Box(1, 2, 30, 40), **{field: "é" * 128}))
    with pytest.raises(RefusalError, match=f"{field} has 258 bytes; allowed are at most 256") as refused:
        check_request(TargetRequest(box=Box(1, 2, 30, 40), **{field: "é" * 129}))
    assert refused.value.code is Code.BAD_REQUEST


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        ("id", "boat\n[INFO] another line", "one line of text"),
        ("class_id", "\x1b[31mred", "without control characters"),
        ("class_id", "uncertain", "says that the state is UNCERTAIN"),
    ],
)
def test_names_that_would_be_read_as_something_else_are_refused(field, given, said):
    with pytest.raises(RefusalError, match=said) as refused:
        check_request(TargetRequest(box=Box(1, 2, 30, 40), **{field: given}))
    assert refused.value.code is Code.BAD_REQUEST
    check_request(TargetRequest(box=Box(1, 2, 30, 40), id="Über 号 🚤", class_id="uncertain boat"))
