"""Two cameras on one topic are told apart by their numbers, which fall where those of one camera rise."""

import pytest

from stm_tracker_ros.ros.mixture import Mixture
from stm_tracker_ros.ros.no_images import PublisherFound

pytestmark = pytest.mark.ros

TWO = tuple(
    PublisherFound(node=node, topic="/image", type_name="sensor_msgs/msg/Image", reliability="reliable")
    for node in ("/left", "/right")
)


def said(numbers, publishers=TWO, later_s=0.0):
    mixture, now_s = Mixture(), 10.0
    for number in numbers:
        mixture.add(number, now_s := now_s + 0.1)
    return mixture.explain("/image", publishers, now_s + later_s)


def test_images_that_come_mixed_are_told_with_those_who_send_them():
    assert "of 2 publishers come mixed on /image, from /left, /right" in said([7, 900, 8, 901, 9, 902, 10])
    assert said([5, 5, 6, 6, 7, 7])


@pytest.mark.parametrize(
    "numbers", [range(100), [*range(50), *range(50)], [1, 5, 9], [None] * 20], ids=["one", "anew", "gaps", "no numbers"]
)
def test_images_of_one_camera_are_not(numbers):
    assert said(numbers) == ""


def test_it_is_over_when_one_camera_is_gone_or_sends_no_more():
    mixed = [7, 900, 8, 901, 9, 902, 10]
    assert said(mixed, TWO[:1]) == ""
    assert said(mixed, later_s=6.0) == ""
