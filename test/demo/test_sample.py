import cv2
import numpy as np
import pytest

from stm_tracker_ros.core.boxes import clip_to_image
from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.demo import sample

pytestmark = pytest.mark.pure


@pytest.fixture(scope="module")
def images():
    return [frame.bgr() for frame in frames(sample.packaged().video)]


def changed_share(image, empty, box, threshold):
    """Share of the pixels in the box that differ from the empty scene."""
    rows, columns = slice(int(box.y), int(box.y + box.height)), slice(int(box.x), int(box.x + box.width))
    return (cv2.absdiff(image, empty)[rows, columns].max(-1) > threshold).mean()


def test_the_packaged_sample_has_what_the_demo_promises(images):
    one = sample.packaged()
    assert 150 <= len(images) <= 350
    assert len(images) - one.first_absent >= 60
    assert sorted(one.true_boxes) == list(range(0, one.first_absent, 10))
    assert one.hidden_frames == (20,)
    assert one.scored_frames == (10, *range(30, one.first_absent, 10))
    height, width = images[0].shape[:2]
    assert all(clip_to_image(box, width, height) == pytest.approx(box) for box in one.true_boxes.values())


@pytest.fixture(scope="module")
def empty(images):
    """The scene without anybody: the camera stands still and people walk on."""
    return np.median(np.stack(images[::8]), 0).astype(np.uint8)


def test_the_true_boxes_lie_on_something_that_moves(images, empty):
    for number, box in sample.packaged().true_boxes.items():
        assert changed_share(images[number], empty, box, 25) > 0.25, number


def test_the_target_is_gone_from_first_absent_on(images, empty):
    one = sample.packaged()
    last = one.true_boxes[max(one.true_boxes)]
    assert changed_share(images[max(one.true_boxes)], empty, last, 60) > 0.3
    for number in range(one.first_absent, one.first_absent + 20):
        assert changed_share(images[number], empty, last, 60) < 0.05, number


def test_a_damaged_sample_is_refused_with_its_name(tmp_path):
    (tmp_path / "sample.json").write_text('{"video": "a.mp4"}')
    with pytest.raises(DataError, match=r"sample\.json"):
        sample.packaged(tmp_path)


def test_a_video_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        sample.own(tmp_path / "none.mp4", Box(0, 0, 5, 5))
