"""A target that is away, in a real graph: what may be it is shown, and followed once the operator has said so."""

import numpy as np
import pytest
from operator_side import BLOB, PATIENCE_FRAMES, WIDTH, Stream, picture, stamp_ns
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import DescribeParameters, SetParameters
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from test_outputs import pixels
from vision_msgs.msg import Detection2DArray
from visualization_msgs.msg import Marker, MarkerArray

from stm_tracker_ros.drawing import BLUE
from stm_tracker_ros.engine.target_state import State

pytestmark = pytest.mark.ros

HOME, ELSEWHERE = (40, 30), (100, 80)
AGAIN, TEXT, NUMBER = "tracker.search.again", 4, 3


@pytest.fixture(scope="module")
def node(start_shared_node):
    node = start_shared_node(tracker__search__again="confirm")
    node.wait_ready()
    return node


@pytest.fixture(scope="module")
def camera(node):
    return node.camera()


@pytest.fixture
def candidates(node):
    ear = node.ear("candidates", Detection2DArray)
    node.wait(lambda: node.graph.node.count_publishers(f"{node.name}/candidates"), "the topic")
    return ear


def confirm(node):
    return node.graph.call(Trigger, f"{node.name}/confirm", Trigger.Request())


def refusal(node, words):
    """What is answered to a confirm, again and again, until it begins with these words."""
    for _ in range(PATIENCE_FRAMES):
        answer = confirm(node)
        assert not answer.success
        if answer.message.startswith(words):
            return answer.message
    raise AssertionError(f"in vain waited for '{words}'; the last answer: {answer.message}")


def search(node, mode):
    return change(node, AGAIN, type=TEXT, string_value=mode)


def change(node, name, **value):
    request = SetParameters.Request(parameters=[Parameter(name=name, value=ParameterValue(**value))])
    return node.graph.call(SetParameters, f"{node.name}/set_parameters", request).results[0]


def go_away(node, camera, candidates, **named):
    """A target that was named at home and is seen elsewhere, by a node that is LOST and says so in candidates."""
    answer = node.follow(camera, **named)
    node.lose(camera)
    candidates.messages.clear()
    node.track_until(camera, picture(*ELSEWHERE), lambda _: candidates.messages)
    return answer


def test_what_is_found_elsewhere_is_followed_once_confirmed_under_the_same_id(node, camera, candidates):
    named = go_away(node, camera, candidates, id="alpha", class_id="ball")
    detections = node.ear("detections", Detection2DArray)
    with Stream(camera, lambda number: picture(*ELSEWHERE)):
        node.wait(lambda: len(candidates.messages) > 40, "candidates")
        answer = confirm(node)
        while answer.message.startswith("nothing answered for"):  # a machine that is very slow
            answer = confirm(node)
        assert answer.success, answer.message
        assert answer.message == "candidate-1 at (100, 80, 20, 20) is alpha from now on"
        detections.messages.clear()
        node.wait(lambda: any(one.detections for one in detections.messages), "the target")
        node.wait_state(State.TRACKING)
    found = next(one for one in detections.messages if one.detections).detections[0]
    assert (found.id, named.id) == ("alpha", "alpha")
    assert found.bbox.center.position.x == ELSEWHERE[0] + BLOB / 2


def test_candidates_have_the_images_header_the_lead_first_and_end_with_one_that_is_empty(node, camera, candidates):
    go_away(node, camera, candidates, class_id="ball")
    answer = node.track(camera, picture(*ELSEWHERE))
    node.wait(lambda: stamp_ns(answer.header) in candidates.stamps(), "its candidates")
    message = candidates.messages[candidates.stamps().index(stamp_ns(answer.header))]
    assert message.header == answer.header
    lead, waited = message.detections
    assert (lead.id, waited.id) == ("candidate-1", "")
    assert [one.results[0].hypothesis.class_id for one in message.detections] == ["ball", "ball"]
    assert [one.results[0].hypothesis.score for one in message.detections] == [0.75, 0.125]
    assert (lead.bbox.center.position.x, lead.bbox.center.position.y) == (110, 90)
    assert (waited.bbox.center.position.x, waited.bbox.center.position.y) == (50, 40)
    candidates.messages.clear()
    stamps = [stamp_ns(node.track(camera, picture(*HOME)).header) for _ in range(4)]
    node.wait(lambda: candidates.messages, "an empty array")
    node.next_status()
    assert candidates.stamps() == stamps[:1]
    assert candidates.messages[0].detections == []


def test_too_new_and_followed_are_refused_in_words(node, camera, candidates):
    go_away(node, camera, candidates, id="beta")
    assert change(node, "candidate_after_ms", type=NUMBER, double_value=3.6e6).successful
    try:
        with Stream(camera, lambda number: picture(*ELSEWHERE)):
            assert refusal(node, "candidate-1 has been the same for ").endswith("needed are 3600 s")
    finally:
        assert change(node, "candidate_after_ms", type=NUMBER, double_value=500.0).successful
    with Stream(camera, lambda number: picture(*HOME)):
        refusal(node, "beta is followed already")


def test_modes_are_a_live_parameter_and_off_is_told(node, camera, candidates):
    request = DescribeParameters.Request(names=[AGAIN])
    described = node.graph.call(DescribeParameters, f"{node.name}/describe_parameters", request).descriptors[0]
    assert not described.read_only
    assert "auto, confirm, off" in described.description + described.additional_constraints
    go_away(node, camera, candidates)
    assert not search(node, "sometimes").successful
    assert search(node, "off").successful
    try:
        assert confirm(node).message.startswith("tracker.search.again is off: nothing is looked for elsewhere")
        assert search(node, "auto").successful
        assert node.track_until(camera, picture(*ELSEWHERE), lambda answer: answer.detections)
    finally:
        assert search(node, "confirm").successful


def test_candidates_are_dashed_in_the_overlay_and_outlined_in_blue_until_it_is_found(node, camera, candidates):
    go_away(node, camera, candidates)
    overlay, markers = node.ear("overlay", Image), node.ear("markers", MarkerArray)
    overlay.messages.clear()
    markers.messages.clear()
    node.track_until(camera, picture(*ELSEWHERE), lambda _: overlay.messages and markers.messages)
    drawn = pixels(overlay.messages[-1])
    top = (drawn[ELSEWHERE[1], ELSEWHERE[0] : ELSEWHERE[0] + BLOB] == BLUE).all(1)
    assert top[0]
    assert 0.3 < top.mean() < 1
    gone, lines = markers.messages[-1].markers
    assert (gone.action, lines.action, lines.ns) == (Marker.DELETEALL, Marker.ADD, "candidates")
    assert len(lines.points) == 2 * 2 * 4
    assert (lines.points[0].x * WIDTH + WIDTH / 2) == pytest.approx(ELSEWHERE[0])
    node.track_until(camera, picture(*HOME), lambda answer: answer.detections)
    node.wait(lambda: markers.messages[-1].markers[0].action == Marker.ADD, "the target's outline")
    assert markers.messages[-1].markers[1].action == Marker.DELETE
    assert not np.array_equal(drawn, picture(*ELSEWHERE))


def test_without_a_target_and_without_an_active_node_it_is_refused(node, camera):
    node.clear_target()
    assert confirm(node).message == "no target is named; allowed is a set_target first"
    assert node.change_state("deactivate")
    assert "the node is not active" in confirm(node).message
    assert node.change_state("activate")
    node.wait_ready()
