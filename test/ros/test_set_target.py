import concurrent.futures
import math
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from operator_side import BLOB, HEIGHT, WIDTH, picture, stamp_ns
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

from stm_tracker_msgs.srv import SetTarget
from stm_tracker_ros.core.types import Box, Result
from stm_tracker_ros.engine.place import Place
from stm_tracker_ros.engine.set_target import Code, TargetAnswer
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert, qos, target_services
from stm_tracker_ros.ros.messages import to_time
from stm_tracker_ros.ros.target_services import TargetServices

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def camera(node):
    camera = node.camera()
    node.receive_from(camera)
    return camera


def mask_of(pixels):
    return convert.fill_image(Image(), pixels, "mono8")


def cut_short(message):
    del message.data[-100:]
    return message


def yuv_mask():
    return convert.fill_image(Image(), np.zeros((HEIGHT, WIDTH, 2), np.uint8), "yuv422")


def test_the_codes_of_service_and_engine_are_the_same():
    constants = {code.name: getattr(SetTarget.Response, f"CODE_{code.name}") for code in Code}
    assert constants == {code.name: code.value for code in Code}


def test_the_answer_names_what_was_used(node, camera):
    stamp = camera.show(picture(60, 50))
    node.wait(lambda: node.next_status().received, "the image")
    answer = node.set_target(box=(60, 50, BLOB, BLOB), id="alpha", class_id="ball")
    assert (answer.success, answer.code, answer.id) == (True, Code.OK, "alpha")
    assert stamp_ns(answer.detection.header) == stamp
    assert (answer.stamp_used.sec, answer.stamp_used.nanosec) == divmod(stamp, 10**9)
    assert answer.age > 0
    assert answer.frames_replayed == 0
    assert answer.detection.id == "alpha"
    assert answer.detection.results[0].hypothesis.class_id == "ball"
    box = answer.detection.bbox
    assert (box.center.position.x, box.center.position.y, box.size_x, box.size_y) == (70, 60, BLOB, BLOB)
    assert node.next_status(lambda status: status.id == "alpha").state == State.TRACKING


@pytest.mark.parametrize(
    ("code", "words", "fields"),
    [
        (Code.OUTSIDE_IMAGE, ["160 x 120", "outside"], {"box": (200, 30, 20, 20)}),
        (Code.TOO_SMALL, ["2 x 10", "at least 3"], {"box": (50, 30, 2, 10)}),
        (Code.TOO_SMALL, ["at least 3"], {"box": (158, 30, 20, 20)}),
        (Code.NOT_FINITE, ["nan", "finite"], {"box": (math.nan, 30, 20, 20)}),
        (Code.NOT_FINITE, ["finite"], {"box": (10, 30, math.inf, 20)}),
        (Code.BOX_OR_MASK, ["neither", "exactly one"], {"box": None}),
        (Code.BOX_OR_MASK, ["both", "exactly one"], {"mask": mask_of(picture()[..., 0])}),
        (Code.MASK_SIZE, ["80 x 60", "160 x 120"], {"box": None, "mask": mask_of(np.full((60, 80), 255, np.uint8))}),
        (Code.MASK_SIZE, ["mono8", "needed"], {"box": None, "mask": cut_short(mask_of(picture()[..., 0]))}),
        (Code.MASK_SIZE, ["yuv422", "allowed", "mono8"], {"box": None, "mask": yuv_mask()}),
        (Code.TOO_SMALL, ["empty"], {"box": None, "mask": mask_of(np.zeros((HEIGHT, WIDTH), np.uint8))}),
    ],
)
def test_refusals_have_their_code_and_their_reason(node, camera, code, words, fields):
    answer = node.set_target(**fields)
    assert (answer.success, answer.code) == (False, code)
    for word in words:
        assert word in answer.message


def test_an_image_that_is_no_longer_kept_is_refused(node, camera):
    request_stamp = camera.show(picture()) - 60 * 10**9
    answer = node.set_target(stamp=to_time(request_stamp))
    assert (answer.success, answer.code) == (False, Code.STAMP_TOO_OLD)
    assert str(request_stamp // 10**9) in answer.message


def processed(status):
    """Images that are tracked or dropped: received, and no longer waiting."""
    return status.tracked + sum(status.drop_counts)


def show_in_turn(node, camera, places):
    """Images with the blob at these places, each worked on before the next one; gives their stamps."""
    stamps = []
    for place in places:
        done = processed(node.next_status())
        stamps.append(camera.show(picture(*place)))
        node.next_status(lambda status, done=done: processed(status) > done)
    return stamps


def test_the_stamp_chooses_the_image_that_the_operator_saw_and_the_answer_tells_of_now(node, camera):
    seen, newest = show_in_turn(node, camera, [(20, 20), (90, 80)])
    answer = node.set_target(box=None, mask=mask_of(picture(20, 20)[..., 0]), stamp=to_time(seen))
    assert answer.success, answer.message
    assert (answer.stamp_used.sec, answer.stamp_used.nanosec) == divmod(seen, 10**9)
    assert answer.frames_replayed == 1
    assert stamp_ns(answer.detection.header) == newest
    assert answer.detection.bbox.center.position.x == 100


@pytest.mark.parametrize("uncertain", [True, False])
def test_an_answer_that_is_uncertain_has_a_second_hypothesis(uncertain):
    found = Result(box=Box(5, 6, 20, 10), score=0.6)
    place = Place(found.box, None)
    told = TargetAnswer(code=Code.OK, message="", id="a", image=Image(), result=found, place=place, uncertain=uncertain)
    names = [one.hypothesis.class_id for one in target_services._fill(SetTarget.Response(), told).detection.results]
    assert names[1:] == (["uncertain"] if uncertain else [])


def test_nothing_of_the_way_to_the_present_is_published(node, camera):
    ear = node.ear("detections", Detection2DArray)
    node.follow(camera)
    node.wait(lambda: ear.messages, "the node to be heard")
    node.clear_target()
    ear.messages.clear()
    stamps = show_in_turn(node, camera, [(20 + 10 * n, 20) for n in range(5)])
    tracked = node.next_status().tracked
    assert node.set_target(stamp=to_time(stamps[0]), id="late").success
    assert node.next_status(lambda status: status.id == "late").tracked == tracked
    live = camera.show(picture(60, 60))
    node.wait(lambda: ear.messages, "the first detections")
    assert stamp_ns(ear.messages[0].header) == live
    assert ear.messages[0].detections[0].bbox.center.position.x == 70


def test_an_image_that_is_kept_smaller_is_found_and_means_the_same(start_node):
    """Ten raw images have 0.55 MiB."""
    node = start_node(history__mebibytes=0.4, history__budget_ms=0, history__seconds=60)
    node.wait_ready()
    camera = node.camera()
    node.receive_from(camera)
    seen, *_ = show_in_turn(node, camera, [(20, 30), *((90, 80) for _ in range(9))])
    everything = np.full((HEIGHT, WIDTH), 255, np.uint8)
    answer = node.set_target(box=None, mask=mask_of(everything), stamp=to_time(seen))
    assert answer.success, answer.message
    box = answer.detection.bbox
    assert (answer.frames_replayed, stamp_ns(answer.detection.header)) == (0, seen)
    assert (box.center.position.x, box.center.position.y, box.size_x) == pytest.approx((30, 40, BLOB), abs=3)


def test_a_refusal_leaves_the_target_before_as_it_is(node, camera):
    node.follow(camera, id="kept")
    assert not node.set_target(box=(500, 500, 20, 20)).success
    assert node.track(camera, picture()).detections[0].id == "kept"


def test_a_mask_names_the_target(node, camera):
    camera.show(picture())
    answer = node.set_target(box=None, mask=mask_of(np.where(picture()[..., 0] > 100, 1, 0).astype(np.uint8)))
    assert answer.success, answer.message
    assert answer.detection.bbox.size_x == BLOB


@pytest.mark.parametrize(
    ("encoding", "dtype", "value"), [("16UC1", np.uint16, 1), ("32SC1", np.int32, 7), ("32FC1", np.float32, 0.01)]
)
def test_a_mask_may_have_any_kind_of_number(node, camera, encoding, dtype, value):
    camera.show(picture())
    labels = np.zeros((HEIGHT, WIDTH), dtype)
    labels[10:22, 100:130] = value
    message = convert.fill_image(Image(), labels.view(np.uint8), encoding)
    message.width = WIDTH
    answer = node.set_target(box=None, mask=message, id=encoding)
    assert answer.success, answer.message
    box = answer.detection.bbox
    assert (box.center.position.x, box.center.position.y) == pytest.approx((115, 16))
    assert (box.size_x, box.size_y, box.center.theta) == pytest.approx((30, 12, 0))
    assert node.next_status(lambda status: status.id == encoding).state == State.TRACKING


def test_a_mask_names_the_target_of_a_tracker_of_boxes_as_well(start_node):
    node = start_node(tracker__name="brightest_box")
    node.wait_ready()
    node.receive_from(node.camera())
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    drawn[10:22, 100:130] = 1
    answer = node.set_target(box=None, mask=mask_of(drawn))
    assert answer.success, answer.message
    box = answer.detection.bbox
    assert (box.center.position.x, box.center.position.y, box.size_x, box.size_y) == (115, 16, 30, 12)
    assert node.set_target(box=None, mask=mask_of(drawn.T.copy())).code == Code.MASK_SIZE


@pytest.mark.parametrize(("theta", "code"), [(math.pi / 2, "BAD_REQUEST"), (1e-9, "BAD_REQUEST"), (-0.0, "OK")])
def test_a_rotated_box_is_refused(node, camera, theta, code):
    camera.show(picture())
    request = SetTarget.Request()
    request.box.size_x, request.box.size_y, request.box.center.theta = 40.0, 20.0, theta
    request.box.center.position.x, request.box.center.position.y = 80.0, 60.0
    answer = node.graph.call(SetTarget, f"{node.name}/set_target", request)
    assert answer.code == getattr(SetTarget.Response, f"CODE_{code}")
    assert code == "OK" or f"box.center.theta is {theta:g}; allowed is 0" in answer.message


def test_a_hundred_requests_at_once_are_all_answered(node, camera):
    node.receive_from(camera)
    client = node.graph.node.create_client(Trigger, f"{node.name}/clear_target", qos_profile=qos.service())
    assert client.wait_for_service(20)
    futures = [client.call_async(Trigger.Request()) for _ in range(100)]
    node.wait(lambda: all(future.done() for future in futures), "a hundred answers")
    assert all(future.result().success for future in futures)


def test_a_detection_on_init_names_the_target(node, camera):
    node.clear_target()
    node.receive_from(camera)
    message = Detection2D(id="from topic")
    message.bbox.center.position.x, message.bbox.center.position.y = 50.0, 40.0
    message.bbox.size_x = message.bbox.size_y = float(BLOB)
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = "car"
    message.results.append(hypothesis)
    publisher = node.graph.node.create_publisher(Detection2D, f"{node.name}/init", qos.output())
    node.wait(lambda: publisher.get_subscription_count(), "the node to listen to ~/init")
    publisher.publish(message)
    node.wait(lambda: node.last.id == "from topic", "the target to be followed")
    assert node.track(camera, picture()).detections[0].results[0].hypothesis.class_id == "car"
    message.bbox.size_x = 1.0
    publisher.publish(message)
    node.wait(lambda: "TOO_SMALL" in node.log.read_text(), "the refusal in the log")
    assert node.next_status().id == "from topic"


def test_a_detection_on_an_image_of_another_camera_is_refused(node, camera):
    """Two cameras have one shutter often, so that the stamp fits as well."""
    node.follow(camera, id="here")
    message = Detection2D(id="there")
    message.bbox.center.position.x, message.bbox.center.position.y = 50.0, 40.0
    message.bbox.size_x = message.bbox.size_y = float(BLOB)
    publisher = node.graph.node.create_publisher(Detection2D, f"{node.name}/init", qos.output())
    node.wait(lambda: publisher.get_subscription_count(), "the node to listen to ~/init")
    message.header.frame_id = "other_camera"
    publisher.publish(message)
    node.wait(lambda: "frame 'other_camera'; allowed is 'camera_optical_frame'" in node.log.read_text(), "the refusal")
    assert node.next_status().id == "here"
    message.header.frame_id = "/camera_optical_frame"
    publisher.publish(message)
    node.wait(lambda: node.last.id == "there", "the target to be followed")


def test_no_image_yet(start_node):
    node = start_node()
    node.wait_ready()
    answer = node.set_target()
    assert (answer.success, answer.code) == (False, Code.NO_IMAGE)


def test_an_error_of_the_tracker_is_internal_and_named(start_node):
    node = start_node(tracker__fails="init")
    node.wait_ready()
    node.receive_from(node.camera())
    answer = node.set_target()
    assert (answer.success, answer.code) == (False, Code.INTERNAL)
    assert "an error that nobody foresaw" in answer.message


def test_an_inactive_node_refuses_everything(start_node):
    node = start_node(autostart=False)
    node.wait_state(State.UNCONFIGURED)
    assert node.set_target().code == Code.INACTIVE
    node.change_state("configure")
    answer = node.set_target()
    assert (answer.success, answer.code) == (False, Code.INACTIVE)
    assert "activate" in answer.message
    assert not node.clear_target().success
    assert not node.pause(True).success


def test_a_slow_start_is_given_up_in_time(start_node):
    node = start_node(tracker__init_s=2, set_target_timeout_ms=200)
    node.wait_ready()
    node.receive_from(node.camera())
    answer = node.set_target()
    assert (answer.success, answer.code) == (False, Code.TIMEOUT)
    assert "200 ms" in answer.message


def test_images_are_received_and_services_answered_while_a_slow_start_runs(start_node):
    node = start_node(tracker__init_s=1.5)
    node.wait_ready()
    camera = node.camera()
    node.receive_from(camera)
    client = node.graph.node.create_client(SetTarget, f"{node.name}/set_target")
    request = SetTarget.Request()
    request.box.center.position.x = request.box.center.position.y = 50.0
    request.box.size_x = request.box.size_y = 20.0
    assert client.wait_for_service(30)
    start = node.next_status().received
    answered = threading.Event()
    future = client.call_async(request)
    future.add_done_callback(lambda _: answered.set())
    for number in range(1, 6):
        camera.show(picture())
        node.wait(lambda n=number: node.last.received >= start + n, "images to be received")
    assert not answered.is_set()
    node.wait(answered.is_set, "the answer")
    assert future.result().success


def test_the_executor_is_woken_after_the_engine_has_answered():
    """Without it the answer waits for the next timer or message of this node."""
    order = []
    executor = SimpleNamespace(wake=lambda: order.append("woken"))
    node = SimpleNamespace(
        create_service=lambda *_, **__: None, create_subscription=lambda *_, **__: None, executor=executor
    )
    engine, answer = SimpleNamespace(), concurrent.futures.Future()
    engine.clear_target = lambda: answer
    coroutine = TargetServices(node, lambda: engine)._clear_target(Trigger.Request(), Trigger.Response())
    coroutine.send(None)
    assert order == []
    other_thread = threading.Thread(target=lambda: answer.set_result(State.NO_TARGET))
    other_thread.start()
    other_thread.join()
    assert order == ["woken"]
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    assert ended.value.value.success


@pytest.mark.parametrize(
    ("state", "starts", "holds"), [("PAUSED", 1, True), ("INACTIVE", 1, False), ("PAUSED", 2, False)]
)
def test_a_pause_that_a_deactivation_has_ended_is_no_success(state, starts, holds):
    node = SimpleNamespace(
        executor=None,
        create_service=lambda *a, **k: None,
        create_subscription=lambda *a, **k: None,
    )
    answer = concurrent.futures.Future()
    engine = SimpleNamespace(starts=1, pause=lambda paused: answer)
    coroutine = TargetServices(node, lambda: engine)._pause(SetBool.Request(data=True), SetBool.Response())
    coroutine.send(None)
    engine.starts = starts
    answer.set_result(State[state])
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    assert ended.value.value.success == holds
    assert ("deactivated" in ended.value.value.message) != holds


def test_it_is_answered_with_no_camera_running(start_node):
    node = start_node()
    node.wait_ready()
    camera = node.camera()
    node.receive_from(camera)
    camera.close()
    node.wait_message("nobody publishes")
    assert node.set_target().code == Code.OK
    assert node.graph.call(Trigger, f"{node.name}/clear_target", Trigger.Request()).success
