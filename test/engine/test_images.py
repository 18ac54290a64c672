from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_bench import STEP_NS, Coded, offered

from stm_tracker_ros.core.errors import FrameError
from stm_tracker_ros.engine.images import LOOK_EVERY_NS, Images

pytestmark = pytest.mark.pure


def images() -> Images[Any]:
    return Images(lambda message, received_ns: Coded(message.broken, message.size))


def test_an_image_and_its_size() -> None:
    some = images()
    image = some.next(offered(5, 1), tracked=False)
    assert isinstance(image, Coded)
    assert (some.size, some.trouble) == ((80, 60), "")


def test_one_that_cannot_be_decoded_is_none_and_the_size_before_stays() -> None:
    some = images()
    some.next(offered(5, 1), tracked=True)
    assert some.next(offered(6, 2, broken=True, size=(9, 9)), tracked=True) is None
    assert (some.size, some.trouble) == ((80, 60), "it cannot be decoded")


def test_an_error_that_nobody_foresaw_is_named() -> None:
    def convert(message: Any, received_ns: int) -> np.ndarray:
        raise KeyError("odd")

    some = Images(convert)
    assert some.next(offered(5, 1), tracked=False) is None
    assert some.trouble == "KeyError: 'odd'"


def test_while_no_target_needs_them_pixels_are_looked_at_now_and_then() -> None:
    some, looks = images(), []
    for number in range(1, 2 * LOOK_EVERY_NS // STEP_NS):
        image = some.next(offered(number * STEP_NS, number), tracked=False)
        assert isinstance(image, Coded)
        looks.append(image.looks)
    assert (looks[0], sum(looks)) == (1, 2)


def test_trouble_stays_until_the_pixels_of_an_image_are_good() -> None:
    some = images()
    for number, broken in enumerate([True, True, True, False], 1):
        image = some.next(offered(number, number, broken=broken), tracked=False)
        assert (image is None, bool(some.trouble)) == (broken, broken)


def test_after_one_that_is_no_image_at_all_the_pixels_of_the_next_are_looked_at() -> None:
    def convert(message: Any, received_ns: int) -> Coded:
        if message.size == (0, 0):
            raise FrameError("it is empty")
        return Coded(message.broken)

    some = Images(convert)
    some.next(offered(1, 1), tracked=False)
    assert some.next(offered(2, 2, size=(0, 0)), tracked=False) is None
    assert some.next(offered(3, 3, broken=True), tracked=False) is None
    assert some.trouble == "it cannot be decoded"


def test_a_restart_forgets_trouble() -> None:
    some = images()
    some.next(offered(1, 1, broken=True), tracked=False)
    some.restart()
    assert some.trouble == ""


def test_a_whole_image_raises_what_is_wrong_with_it() -> None:
    with pytest.raises(FrameError, match="it cannot be decoded"):
        images().whole(offered(1, 1, broken=True))


def test_the_time_of_arrival_goes_with_the_message() -> None:
    times: list[int] = []
    some: Images[Any] = Images(lambda message, received_ns: times.append(received_ns) or Coded(False))
    some.next(offered(7, 1), tracked=False)
    some.whole(offered(3, 1))
    assert times == [7, 3]
