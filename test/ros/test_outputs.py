import numpy as np
import pytest
from operator_side import BLOB, HEIGHT, WIDTH, drops, picture, stamp_ns, values
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float32
from vision_msgs.msg import Detection2D, Detection2DArray
from visualization_msgs.msg import Marker, MarkerArray

from stm_tracker_ros.core.types import Frame
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert
from stm_tracker_ros.ros.diagnostics import LOST_PREFIX

pytestmark = pytest.mark.ros

FRAMES = 12


@pytest.fixture(scope="module")
def camera(node):
    return node.camera()


def pixels(message):
    return Frame(image=convert.view(message), stamp_ns=0).bgr()


def settle(node, camera, ears):
    """Show a frame whose outputs are known by their looks; forget everything up to them."""
    stamp = camera.show(picture(blob=0))
    stamped = [ear for name, ear in ears.items() if name != "confidence"]
    confidences = ears["confidence"].messages
    node.wait(
        lambda: all(stamp in ear.stamps() for ear in stamped) and confidences and confidences[-1].data == 0,
        "all outputs of that frame",
    )
    for ear in ears.values():
        ear.messages.clear()


def test_each_tracked_frame_has_exactly_one_of_each_output(node, camera):
    ears = {
        name: node.ear(name, kind)
        for name, kind in (
            ("detections", Detection2DArray),
            ("detection", Detection2D),
            ("mask", Image),
            ("confidence", Float32),
        )
    }
    node.follow(camera, id="alpha", class_id="ball")
    node.wait(lambda: all(ear.messages for ear in ears.values()), "a first message of each output")
    settle(node, camera, ears)
    places = [(40 + 2 * i, 30 + i) for i in range(FRAMES)]
    stamps = []
    for number, place in enumerate(places):
        stamps.append(camera.show(picture(*place)))
        node.wait(lambda n=number: all(len(ear.messages) > n for ear in ears.values()), "all outputs of a frame")
    node.next_status()
    assert {name: len(ear.messages) for name, ear in ears.items()} == dict.fromkeys(ears, FRAMES)
    for name in ("detections", "detection", "mask"):
        assert ears[name].stamps() == stamps
        assert {message.header.frame_id for message in ears[name].messages} == {"camera_optical_frame"}
    for place, array, single, mask in zip(
        places, ears["detections"].messages, ears["detection"].messages, ears["mask"].messages, strict=True
    ):
        assert array.detections == [single]
        assert (single.bbox.center.position.x, single.bbox.center.position.y) == (place[0] + 10, place[1] + 10)
        assert (single.bbox.size_x, single.bbox.size_y, single.bbox.center.theta) == (BLOB, BLOB, 0)
        assert (single.id, single.results[0].hypothesis.class_id) == ("alpha", "ball")
        assert single.results[0].hypothesis.score == 1
        assert single.results[0].pose.pose.orientation.w == 1
        np.testing.assert_array_equal(pixels(mask), picture(*place) // 255 * 255)
    assert {message.data for message in ears["confidence"].messages} == {1.0}


def bar(degrees=25, center=(80.0, 60.0), size=(60, 20)):
    """A bright turned bar on dark ground."""
    theta = np.radians(degrees)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    x, y = columns - center[0], rows - center[1]
    along, across = x * np.cos(theta) + y * np.sin(theta), y * np.cos(theta) - x * np.sin(theta)
    image = picture(blob=0)
    image[(abs(along) <= size[0] / 2) & (abs(across) <= size[1] / 2)] = 255
    return image


def outline(node, markers, stamp):
    """The marker of the image with that stamp."""

    def found():
        return [one.markers[0] for one in markers.messages if stamp_ns(one.markers[0].header) == stamp]

    node.wait(found, "the outline")
    return found()[0]


def test_a_turned_target_has_theta_centre_and_sides_in_the_detection_and_its_outline(node, camera):
    markers, mask = node.ear("markers", MarkerArray), node.ear("mask", Image)
    node.follow(camera)
    node.track_until(camera, bar(), lambda _: markers.messages and mask.messages)
    answer = node.track(camera, bar())
    stamp = stamp_ns(answer.header)
    box = answer.detections[0].bbox
    assert np.degrees(box.center.theta) == pytest.approx(25, abs=2)
    assert (box.center.position.x, box.center.position.y) == pytest.approx((80, 60), abs=1)
    assert (box.size_x, box.size_y) == pytest.approx((60, 20), abs=2)
    node.wait(lambda: stamp in mask.stamps(), "the mask")
    sent = mask.messages[mask.stamps().index(stamp)]
    assert (sent.encoding, sent.width, sent.height, sent.step) == ("mono8", WIDTH, HEIGHT, WIDTH)
    np.testing.assert_array_equal(pixels(sent), np.where(bar() == 255, 255, 0))
    line = outline(node, markers, stamp)
    corners = np.array([(p.x * WIDTH + WIDTH / 2, p.y * WIDTH + HEIGHT / 2) for p in line.points])
    np.testing.assert_allclose(corners[4], corners[0])
    sides = np.diff(corners, axis=0)
    np.testing.assert_allclose(np.hypot(*sides.T), [box.size_x, box.size_y, box.size_x, box.size_y])
    assert np.arctan2(sides[0, 1], sides[0, 0]) == pytest.approx(box.center.theta)


def test_a_lost_target_has_no_box_and_no_mask(node, camera):
    single, mask = node.ear("detection", Detection2D), node.ear("mask", Image)
    node.follow(camera)
    nothing = picture(blob=0)
    node.lose(camera)
    node.wait_state(State.LOST)
    lost = [camera.show(nothing)]
    node.wait(lambda: lost[0] in mask.stamps(), "the mask")
    lost += [stamp_ns(node.track(camera, nothing).header) for _ in range(3)]
    node.wait(lambda: lost[-1] in mask.stamps(), "the mask")
    assert not set(lost) & set(single.stamps())
    assert not any(pixels(mask.messages[mask.stamps().index(stamp)]).any() for stamp in lost)
    assert node.next_status().confidence == 0


def test_the_target_keeps_its_name_when_it_is_found_again(node, camera):
    node.follow(camera, id="beta")
    node.lose(camera)
    found = node.track_until(camera, picture(60, 50), lambda answer: answer.detections)
    assert found.detections[0].id == "beta"


def test_names_are_made_where_the_operator_gives_none(node, camera):
    first, second = node.follow(camera), node.follow(camera)
    assert first.id.startswith("target-")
    assert second.id.startswith("target-")
    assert first.id != second.id
    found = node.track(camera, picture()).detections[0]
    assert (found.id, found.results[0].hypothesis.class_id) == (second.id, "object")


def test_the_overlay_is_drawn_while_somebody_looks(node, camera):
    node.follow(camera)
    overlay = node.ear("overlay", Image)
    node.track_until(camera, picture(60, 50), lambda _: overlay.messages)
    drawn = pixels(overlay.messages[-1])
    assert drawn.shape == (HEIGHT, WIDTH, 3)
    assert (drawn != picture(60, 50)).any(axis=2)[49:71, 59:81].sum() > 40
    # The mask tints the white of the target, inside the box's line as well.
    assert (drawn[55:65, 65:75] != 255).any(axis=2).all()
    assert overlay.messages[-1].header.frame_id == "camera_optical_frame"


def test_the_overlay_shows_the_camera_while_nothing_is_followed(node, camera):
    """Or there were nothing to draw the first box on; outputs of a target stay silent, and its outline goes."""
    assert node.clear_target().success
    overlay, markers = node.ear("overlay", Image), node.ear("markers", MarkerArray)
    detections = node.ear("detections", Detection2DArray)
    for ear in (overlay, markers, detections):
        ear.messages.clear()
    node.repeat(camera, lambda: overlay.messages)
    drawn = pixels(overlay.messages[-1])
    assert (drawn == picture()).all(axis=2).mean() > 0.5  # the state's plate covers a part of so small a picture
    assert (drawn != picture()).any()
    assert overlay.messages[-1].header.frame_id == "camera_optical_frame"
    assert not detections.messages
    node.follow(camera)
    node.track_until(camera, picture(), lambda _: markers.messages and markers.messages[-1].markers[0].points)
    node.pause(True)
    for ear in (overlay, markers, detections):
        ear.messages.clear()
    node.repeat(camera, lambda: len(overlay.messages) > 1 and len(markers.messages) > 1)
    assert markers.messages[-1].markers[0].action == Marker.DELETEALL
    assert len(detections.messages) <= 1  # the frame that was in work when the pause came
    node.pause(False)


def test_the_compressed_overlay_is_a_jpeg_of_the_images_size(node, camera):
    import cv2

    node.follow(camera)
    overlay = node.ear("overlay/compressed", CompressedImage)
    node.track_until(camera, picture(), lambda _: overlay.messages)
    assert overlay.messages[0].format == "jpeg"
    picture_back = cv2.imdecode(np.frombuffer(overlay.messages[0].data, np.uint8), cv2.IMREAD_COLOR)
    assert picture_back.shape == (HEIGHT, WIDTH, 3)


def test_markers_outline_the_box_and_go_when_it_is_lost(node, camera):
    node.follow(camera)
    markers = node.ear("markers", MarkerArray)
    node.track_until(camera, picture(60, 50), lambda _: markers.messages)
    answer = node.track(camera, picture(60, 50))
    line = outline(node, markers, stamp_ns(answer.header))
    assert line.action == Marker.ADD
    assert line.lifetime.sec > 0, "rviz keeps it for ever when the node is gone"
    corners = [(p.x * WIDTH + WIDTH / 2, p.y * WIDTH + HEIGHT / 2) for p in line.points]
    np.testing.assert_allclose(corners, [(60, 50), (80, 50), (80, 70), (60, 70), (60, 50)])
    node.lose(camera)
    node.wait(lambda: markers.messages[-1].markers[0].action == Marker.DELETEALL, "the marker to go")


def test_a_clear_target_ends_the_answers(node, camera):
    detections = node.ear("detections", Detection2DArray)
    node.follow(camera)
    answer = node.clear_target()
    assert answer.success
    assert "NO_TARGET" in answer.message
    detections.messages.clear()
    before = node.next_status()
    stamp = camera.show(picture())
    after = node.next_status(lambda status: drops(status)["no_target"] > drops(before)["no_target"])
    assert (after.state, after.id, after.tracked) == (State.NO_TARGET, "", before.tracked)
    assert drops(after)["no_target"] == drops(before)["no_target"] + 1
    assert stamp not in detections.stamps()


def test_a_pause_keeps_the_target(node, camera):
    node.follow(camera, id="gamma")
    assert "PAUSED" in node.pause(True).message
    before = node.next_status(lambda status: status.state == State.PAUSED)
    camera.show(picture())
    after = node.next_status(lambda status: drops(status)["paused"] > drops(before)["paused"])
    assert (after.state, after.tracked) == (State.PAUSED, before.tracked)
    assert drops(after)["paused"] == drops(before)["paused"] + 1
    assert "TRACKING" in node.pause(False).message
    assert node.track(camera, picture()).detections[0].id == "gamma"


def test_a_tracker_without_masks_has_no_mask_topic(start_node, graph):
    node = start_node(tracker__name="brightest_box")
    node.wait_ready()
    node.follow(node.camera())
    published = graph.node.get_publisher_names_and_types_by_node("stm_tracker", node.namespace)
    names = {name for name, _ in published}
    assert f"{node.name}/detections" in names
    assert f"{node.name}/mask" not in names


def test_images_without_stamp_keep_their_header_and_are_tracked(start_node):
    node = start_node()
    node.wait_ready()
    camera = node.camera()
    detections = node.ear("detections", Detection2DArray)
    node.follow(camera)
    detections.messages.clear()
    camera.show(picture(70, 60), stamp=0)
    node.wait(lambda: 0 in detections.stamps(), "the answer to an image without stamp")
    found = detections.messages[-1]
    assert stamp_ns(found.header) == 0
    assert found.detections[0].bbox.center.position.x == 80
    stamps = values(node.diagnostics("input", lambda status: values(status)["received"] != "0"))["stamps"]
    assert stamps == "are 0: the arrival"
    assert node.log.read_text().count("stamps of the images are 0") == 1


def test_a_bag_that_begins_again_goes_on_being_tracked(node, camera):
    node.follow(camera)
    an_hour_ago = camera.show(picture()) - 3600 * 10**9
    detections = node.ear("detections", Detection2DArray)
    detections.messages.clear()
    stamps = [camera.show(picture(62, 50), stamp=an_hour_ago)]
    node.wait(lambda: stamps[0] in detections.stamps(), "the answer after the jump")
    stamps.append(camera.show(picture(64, 50), stamp=an_hour_ago + 33_000_000))
    node.wait(lambda: stamps[1] in detections.stamps(), "the next answer")
    assert detections.messages[-1].detections[0].bbox.center.position.x == 74


def test_a_bad_image_is_counted_and_the_next_one_tracked(node, camera):
    node.follow(camera)
    before = node.next_status()
    bad = convert.fill_image(Image(), picture(), "bgr8")
    bad.encoding = "nv99"
    camera.show(bad)
    after = node.next_status(lambda status: drops(status)["bad_image"] > drops(before)["bad_image"])
    assert drops(after)["bad_image"] == drops(before)["bad_image"] + 1
    tracker = node.diagnostics("tracker", lambda status: values(status)["errors"] != "0")
    assert "nv99" in values(tracker)["last error"]
    node.repeat(camera, lambda: node.last.state == State.TRACKING)
    assert node.track(camera, picture()).detections


def test_every_published_image_is_accounted_for(node, camera):
    def accounted(diagnostic):
        return sum(int(v) for k, v in values(diagnostic).items() if k == "received" or k.startswith(LOST_PREFIX))

    node.follow(camera)
    count, before = 150, accounted(node.diagnostics("input", lambda status: True))
    camera.play(picture(), count, rate_hz=250)
    after = node.diagnostics("input", lambda status: accounted(status) >= before + count)
    assert accounted(after) == before + count
    assert f"{LOST_PREFIX}middleware_lost_estimated" not in values(after)


def test_the_counts_of_the_status_add_up(node, camera):
    node.follow(camera)
    camera.play(picture(), 30, rate_hz=250)
    checked = [node.next_status() for _ in range(5)]
    for status in checked:
        assert 0 <= status.received - status.tracked - sum(status.drop_counts) <= 2
    assert status.received - status.tracked - sum(status.drop_counts) == 0
