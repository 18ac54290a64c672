from __future__ import annotations

import pytest

from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.silence import dominant, explain

pytestmark = pytest.mark.pure


def test_no_image():
    assert explain(0.52, {}, "") == "nothing answered for 0.5 s: no image has come"
    assert explain(0.52, dict.fromkeys(DropReason, 0), "") == "nothing answered for 0.5 s: no image has come"


@pytest.mark.parametrize("reason", list(DropReason))
def test_every_reason_is_named(reason):
    text = explain(1.0, {reason: 30, DropReason.INACTIVE: 30 if reason is DropReason.INACTIVE else 0}, "odd bytes")
    assert text.startswith(f"nothing answered for 1.0 s: all 30 images since then were dropped as {reason.value}")


def test_the_most_frequent_one_wins_and_errors_are_quoted():
    dropped = {DropReason.TOO_OLD: 2, DropReason.BAD_IMAGE: 5}
    assert dominant(dropped) is DropReason.BAD_IMAGE
    text = explain(2, dropped, "odd bytes")
    assert text.endswith("5 of 7 images since then were dropped as bad_image: the last: odd bytes")
