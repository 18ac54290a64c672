"""What goes wrong in the field, in a real graph: what is published then, and when. docs/FAULTS.md lists it."""

import time

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from operator_side import BLOB, Stream, drops, picture, stamp_ns, values
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert

pytestmark = pytest.mark.ros

S = 1_000_000_000
BEAT_S = 0.1
STATES = StateConfig()


@pytest.fixture
def node(start_node):
    node = start_node()
    node.wait_ready()
    return node


def tracking(node, camera, **target):
    """A stream at camera rate whose target is followed."""
    node.receive_from(camera)
    stream = Stream(camera)
    stream.__enter__()
    assert node.set_target(**target).success
    node.wait_state(State.TRACKING)
    return stream


def beats_since(node, stamp):
    return [status for status in node.status.messages if stamp_ns(status.header) >= stamp]


def by_the_clock(seconds):
    """The states that a heartbeat may show so long after the last answer, one heartbeat of play on either side."""
    allowed = set()
    for play in (-BEAT_S, 0.0, BEAT_S):
        lasted_ms = (seconds + play) * 1e3
        lost, silent = lasted_ms >= STATES.unseen_after_ms, lasted_ms >= STATES.silent_after_ms
        allowed.add(State.LOST if lost else State.UNCERTAIN if silent else State.TRACKING)
    return allowed


def assert_falls_by_the_clock(node, last_answer_ns, *words):
    """Every heartbeat shows what the time since the last answer says, the cause in words once it is none too good."""
    node.wait_state(State.LOST)
    node.next_status()
    seen = set()
    for status in beats_since(node, last_answer_ns):
        seconds = (stamp_ns(status.header) - last_answer_ns) / 1e9
        assert status.state in by_the_clock(seconds), f"{seconds:.3f} s after the last answer: {status}"
        seen.add(State(status.state))
        if status.state != State.TRACKING:
            assert all(word in status.message for word in words), status.message
            assert status.confidence == 0
    assert seen >= {State.UNCERTAIN, State.LOST}


def test_a_dead_camera_is_uncertain_then_lost_by_the_clock(node):
    stream = tracking(node, node.camera())
    stream.stop()
    node.wait(lambda: stamp_of(node.last.image_stamp) == stream.last_stamp_ns, "the last answer")
    assert_falls_by_the_clock(node, stream.last_stamp_ns, "nothing answered for", "no image has come")
    level = node.diagnostics("tracker", lambda status: "LOST" in status.message).level
    assert level == DiagnosticStatus.WARN
    assert node.last.time_since_seen >= 0.8
    assert node.last.age < 0.5, "of the answer when it was published"


def stamp_of(stamp):
    return stamp.sec * S + stamp.nanosec


def test_images_that_are_all_too_old_are_silence(start_node):
    node = start_node(max_age_ms=100)
    node.wait_ready()
    stream = tracking(node, node.camera())
    late_from = time.time_ns()
    # later and later, with stamps that rise all the same
    stream.stamp = lambda number: time.time_ns() - min(S // 2, (time.time_ns() - late_from) * 4 // 5)
    node.wait_state(State.LOST)
    message = node.wait_message("dropped as too_old", "raise it")
    assert "nothing answered for" in message
    error = node.diagnostics("input", lambda status: "too_old" in status.message)
    assert error.level == DiagnosticStatus.ERROR
    stream.stamp = lambda number: None
    node.wait_state(State.TRACKING)
    stream.stop()


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        pytest.param(lambda number: 1_700_000_000 * S + 77, "stand still", id="they stand still"),
        pytest.param(lambda number: time.time_ns() // S * S, "are whole seconds", id="cut to whole seconds"),
        pytest.param(lambda number: (1_700_000_000 + number) * S, "are whole seconds", id="one second a frame"),
    ],
)
def test_stamps_of_no_use_are_tracked_by_arrival_with_one_warning(node, stamp, words):
    camera = node.camera()
    with Stream(camera, stamp=stamp) as stream:
        node.wait(lambda: node.last.received > 10, "images")
        assert node.set_target().success
        before = node.next_status()
        node.wait(lambda: node.last.tracked >= before.tracked + 60, "sixty answers")
        after = node.last
        assert after.state == State.TRACKING
        dropped = sum(after.drop_counts) - sum(before.drop_counts)
        assert dropped <= 0.2 * (after.received - before.received)
        warning = node.diagnostics("input", lambda status: "their arrival stands for them" in status.message)
        assert words in warning.message
        assert warning.level == DiagnosticStatus.WARN
        lines = [line for line in node.log.read_text().splitlines() if "WARN" in line and "no images" not in line]
        assert len(lines) == 1, lines
        # an operator names it by the stamp that he sees
        assert node.set_target(stamp=to_time(stream.last_stamp_ns)).success


def to_time(stamp):
    return Time(sec=stamp // S, nanosec=stamp % S)


def test_a_picture_that_stands_still_is_uncertain(node):
    stream = tracking(node, node.camera())
    frozen = convert.fill_image(Image(), picture(), "bgr8")
    stream.image = lambda number: frozen
    node.wait_state(State.UNCERTAIN)
    node.wait_message("the picture stands still")
    seen = len(node.status.messages)
    node.wait(lambda: len(node.status.messages) > seen + 15, "a while")
    assert {status.state for status in node.status.messages[seen:]} == {State.UNCERTAIN}
    assert "UNCERTAIN: the picture" in node.diagnostics("tracker", lambda s: "stands still" in s.message).message
    stream.image = lambda number: picture()
    node.wait_state(State.TRACKING)
    stream.stop()


def test_simulators_may_stand_still(start_node):
    node = start_node(state__frozen_after_ms=0.0)
    node.wait_ready()
    stream = tracking(node, node.camera())
    frozen = convert.fill_image(Image(), picture(), "bgr8")
    stream.image = lambda number: frozen
    seen = len(node.status.messages)
    node.wait(lambda: len(node.status.messages) > seen + 20, "two seconds")
    assert {status.state for status in node.status.messages[seen:]} == {State.TRACKING}
    stream.stop()


def test_half_a_second_of_bad_images_costs_a_second(node):
    stream = tracking(node, node.camera(), id="boat")
    bad = convert.fill_image(Image(), picture(), "bgr8")
    bad.encoding = "nv99"
    first = stream.shown
    stream.image = lambda number: bad if number < first + 20 else picture()
    node.wait(lambda: drops(node.last)["bad_image"] >= 15, "fifteen bad images")
    node.wait(lambda: stream.shown >= first + 20, "the end of the bad ones")
    ended = time.time_ns()
    node.wait(lambda: node.last.state == State.TRACKING and stamp_ns(node.last.header) > ended, "TRACKING again")
    again = next(s for s in node.status.messages if s.state == State.TRACKING and stamp_ns(s.header) > ended)
    assert again.id == "boat"
    # by the stamps of heartbeat and image, not by how busy the machine is
    tracked_at = stamp_of(again.image_stamp)
    assert tracked_at - ended < 1.0 * S
    assert State.FAULT not in {status.state for status in node.status.messages}
    stream.stop()


@pytest.mark.parametrize("tracker", ["brightest", "brightest_box"])
def test_another_resolution_of_the_same_aspect_scales_the_box(start_node, tracker):
    node = start_node(tracker__name=tracker)
    node.wait_ready()
    detections = node.ear("detections", Detection2DArray)
    stream = tracking(node, node.camera())
    assert (node.last.image_width, node.last.image_height) == (160, 120)
    stream.image = lambda number: picture(80, 60, 2 * BLOB, 320, 240)
    node.next_status(lambda status: (status.image_width, status.image_height) == (320, 240))
    node.wait_state(State.TRACKING)
    box = detections.messages[-1].detections[0].bbox
    assert box.size_x == pytest.approx(2 * BLOB, abs=3)
    assert box.center.position.x == pytest.approx(80 + BLOB, abs=2)
    stream.stop()


def test_another_aspect_is_lost_at_once_with_both_sizes(node):
    detections = node.ear("detections", Detection2DArray)
    stream = tracking(node, node.camera())
    before = stream.shown
    stream.image = lambda number: picture(40, 30, BLOB, 160, 160)
    node.wait_message("160 x 160 px", "160 x 120 px")
    assert node.last.state == State.LOST
    stream.stop()
    changed = [m for m in detections.messages if m.detections and stamp_ns(m.header) > 0]
    assert all(len(m.detections) == 1 for m in changed)
    assert before < stream.shown
    assert not detections.messages[-1].detections


def test_uncertain_is_told_in_the_detections_alone(node):
    detections = node.ear("detections", Detection2DArray)
    stream = tracking(node, node.camera())
    node.wait(lambda: detections.messages, "an answer")
    frozen = convert.fill_image(Image(), picture(), "bgr8")
    classes = lambda m: [r.hypothesis.class_id for d in m.detections for r in d.results]  # noqa: E731
    assert classes(detections.messages[-1]) == ["object"]
    stream.image = lambda number: frozen
    node.wait_state(State.UNCERTAIN)
    node.wait(lambda: classes(detections.messages[-1]) == ["object", "uncertain"], "the second hypothesis")
    assert detections.messages[-1].detections[0].results[1].hypothesis.score == 0
    stream.stop()


def test_boxes_are_cut_at_the_image(node):
    detections = node.ear("detections", Detection2DArray)
    stream = tracking(node, node.camera())
    stream.image = lambda number: picture(150, 30)
    node.wait(lambda: detections.messages and edge(detections.messages[-1]) > 155, "the border")
    stream.stop()
    assert all(edge(message) <= 160 for message in detections.messages)


def edge(message):
    """Right edge of the box of an answer; 0 without one."""
    if not message.detections:
        return 0.0
    box = message.detections[0].bbox
    return box.center.position.x + box.size_x / 2


def test_two_nodes_of_one_name_are_said(start_node, graph, node):
    graph_node = graph.node
    twin = type(graph_node)("stm_tracker", namespace=node.namespace, context=graph_node.context)
    try:
        node.wait_message("another node is called", f"{node.name} too")
        assert node.diagnostics("tracker", lambda s: "another node" in s.message).level != DiagnosticStatus.OK
    finally:
        twin.destroy_node()
    node.next_status(lambda status: "another node" not in status.message)


def test_reliable_with_only_a_best_effort_camera_is_said(start_node):
    node = start_node(qos="reliable", silent_after_s=0.5)
    node.wait_ready()
    camera = node.camera(ReliabilityPolicy.BEST_EFFORT)
    node.camera(ReliabilityPolicy.RELIABLE)
    with Stream(camera):
        node.wait_message("best effort only", "set qos to auto or best_effort")


def test_simulated_time_without_a_clock_is_said_and_tracked(start_node):
    node = start_node(use_sim_time=True)
    node.wait_state(State.NO_TARGET)
    node.wait_message("nothing publishes /clock")
    camera = node.camera()
    node.receive_from(camera)
    with Stream(camera) as stream:
        assert node.set_target().success
        node.wait_state(State.TRACKING)
        stream.stop()
        node.wait_state(State.LOST)
        node.wait_message("nothing answered for", "nothing publishes /clock")


def test_the_heartbeat_goes_on_while_a_tracker_loads(start_node):
    """Ten beats in three seconds of those that it was heard: on a busy machine it is discovered late."""
    node = start_node(tracker__load_s=6.0)
    node.wait_state(State.INITIALISING)
    node.wait_message("loading brightest")
    node.wait_ready()
    loading = [stamp_ns(s.header) for s in node.status.messages if s.state == State.INITIALISING]
    gaps = [after - before for before, after in zip(loading, loading[1:], strict=False)]
    heard = loading[-1] - loading[0]
    assert heard > 2.7 * S
    assert len(loading) >= 10 * heard / (3 * S)
    assert max(gaps) < 1.0 * S


def test_two_cameras_on_one_topic_are_said(start_node):
    node = start_node()
    node.wait_ready()
    one, other = node.camera(), node.camera()
    node.follow(one)
    with Stream(one), Stream(other, lambda number: picture(100, 80), lambda number: time.time_ns() - 3600 * S):
        node.wait_message("of 2 publishers come mixed", "stop all but one")
        node.wait(lambda: "come mixed" in node.log.read_text(), "the log")
    node.wait(lambda: "mixed" not in node.last.message, "an end of it")
    assert node.log.read_text().count("jumped") <= 20, "both clocks are an hour apart: each image is a jump"


def test_the_heartbeat_goes_on_while_deactivating(start_node):
    node = start_node(tracker__track_s=2.0)
    node.start_work()
    assert node.change_state("deactivate")
    assert any("deactivating" in s.message and s.state == State.INITIALISING for s in node.status.messages)


def test_a_target_named_while_the_node_is_deactivated_is_no_success(start_node):
    node = start_node(tracker__init_s=1.5)
    node.wait_ready()
    node.receive_from(node.camera())
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    from stm_tracker_msgs.srv import SetTarget

    request = SetTarget.Request()
    request.box.center.position.x = request.box.center.position.y = 40.0
    request.box.size_x = request.box.size_y = 20.0
    names = node.graph.node.create_client(SetTarget, f"{node.name}/set_target")
    changes = node.graph.node.create_client(ChangeState, f"{node.name}/change_state")
    assert names.wait_for_service(20)
    assert changes.wait_for_service(20)
    named = names.call_async(request)
    time.sleep(0.5)
    ended = changes.call_async(ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE)))
    node.wait(lambda: named.done() and ended.done(), "both answers")
    assert ended.result().success
    assert (named.result().success, named.result().code) == (False, SetTarget.Response.CODE_INACTIVE)


def test_counters_say_since_when(node):
    camera = node.camera()
    node.receive_from(camera)
    first = node.next_status()
    assert 0 < stamp_of(first.counters_since) <= stamp_ns(first.header)
    assert node.change_state("deactivate")
    assert node.change_state("activate")
    again = node.next_status(lambda status: status.state == State.NO_TARGET)
    assert stamp_of(again.counters_since) > stamp_of(first.counters_since)
    assert (again.received, sum(again.drop_counts)) == (0, 0)


def test_names_are_never_made_twice_in_a_process(node):
    camera = node.camera()
    node.receive_from(camera)
    assert node.set_target().id == "target-1"
    assert node.set_target(id="target-2").id == "target-2"
    for transition in ("deactivate", "cleanup", "configure", "activate"):
        assert node.change_state(transition)
    node.wait_ready()
    node.receive_from(camera)
    assert node.set_target().id == "target-3"
    refused = node.set_target(id="x" * 257)
    assert (refused.success, refused.message) == (False, "id has 257 bytes; allowed are at most 256")
    assert values(node.diagnostics("tracker", lambda s: True))["callback errors"] == "0"
