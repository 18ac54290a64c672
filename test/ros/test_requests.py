"""No request ends the process: what does not fit is refused, logged and counted, and the node goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from operator_side import Stream, picture, values
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters, SetParametersAtomically
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import convert, qos
from stm_tracker_ros.ros.guard import Guard, GuardedExecutor

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[2]
DOUBLE = 3


def ask(node, kind, name, request):
    return node.graph.call(kind, f"{node.name}/{name}", request)


def change(node, number, label=""):
    return ask(node, ChangeState, "change_state", ChangeState.Request(transition=Transition(id=number, label=label)))


def callback_errors(node):
    return int(values(node.diagnostics("tracker", lambda status: True))["callback errors"])


def set_doubles(node, kind, name, **numbers):
    parameters = [
        Parameter(name=f"state.{key}", value=ParameterValue(type=DOUBLE, double_value=value))
        for key, value in numbers.items()
    ]
    return ask(node, kind, name, kind.Request(parameters=parameters))


def test_transitions_that_do_not_fit_are_refused_and_the_node_stays_active(node):
    fitting = {Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVE_SHUTDOWN}
    for number in [n for n in range(100) if n not in fitting] + [255]:
        assert not change(node, number).success, f"transition {number} of an active node"
    for label in ("activate", "configure", "cleanup", "transition_success", "nothing of the kind"):
        assert not change(node, 0, label).success
    assert node.next_status().state in (State.NO_TARGET, State.TRACKING, State.UNCERTAIN, State.LOST)
    assert "does not fit the node's state" in node.log.read_text()
    assert callback_errors(node) == 0, "they are no errors of ours"


def test_a_lifecycle_manager_beside_autostart_is_refused_in_words(node):
    assert not change(node, Transition.TRANSITION_CONFIGURE).success
    assert "transition number 1 refused" in node.log.read_text()


@pytest.mark.parametrize(
    ("kind", "name"),
    [(SetParameters, "set_parameters"), (SetParametersAtomically, "set_parameters_atomically")],
)
def test_a_parameter_of_unknown_type_is_refused(node, kind, name):
    before = callback_errors(node)
    odd = [Parameter(name="max_age_ms", value=ParameterValue(type=type_)) for type_ in (10, 99, 255)]
    if kind is SetParameters:
        good = Parameter(name="max_age_ms", value=ParameterValue(type=DOUBLE, double_value=30000.0))
        answers = ask(node, kind, name, kind.Request(parameters=[*odd, good])).results
        assert [answer.successful for answer in answers] == [False, False, False, True]
        assert "255 is not a valid" in answers[2].reason
    else:
        answer = ask(node, kind, name, kind.Request(parameters=odd)).result
        assert (answer.successful, "10 is not a valid" in answer.reason) == (False, True)
    node.diagnostics("tracker", lambda status: int(values(status)["callback errors"]) > before)


def test_odd_names_are_answered(node):
    names = ["", ".", "no.such", "x" * 10000]
    ask(node, DescribeParameters, "describe_parameters", DescribeParameters.Request(names=names))
    ask(node, GetParameters, "get_parameters", GetParameters.Request(names=names))
    odd = [Parameter(name=name, value=ParameterValue(type=DOUBLE, double_value=1.0)) for name in names]
    answers = ask(node, SetParameters, "set_parameters", SetParameters.Request(parameters=odd)).results
    assert [answer.successful for answer in answers] == [False] * 4


@pytest.mark.parametrize(
    ("name", "words"),
    [("max_age", "did you mean 'max_age_ms'"), ("tracker.memory.slots", "tracker.memory.history")],
)
def test_a_parameter_that_is_none_is_refused_with_the_name_that_is_meant(start_node, name, words):
    node = start_node()
    node.wait_ready()
    odd = [Parameter(name=name, value=ParameterValue(type=DOUBLE, double_value=1.0))]
    good = Parameter(name="max_age_ms", value=ParameterValue(type=DOUBLE, double_value=0.0))
    first, second = ask(node, SetParameters, "set_parameters", SetParameters.Request(parameters=[*odd, good])).results
    assert (first.successful, second.successful) == (False, True)
    request = SetParametersAtomically.Request(parameters=[good, *odd])
    together = ask(node, SetParametersAtomically, "set_parameters_atomically", request).result
    assert not together.successful
    assert words in first.reason
    assert words in together.reason


def test_three_thresholds_are_judged_together(node):
    up = {"lost_score": 0.7, "uncertain_score": 0.8, "tracking_score": 0.9}
    down = {"tracking_score": 0.45, "uncertain_score": 0.4, "lost_score": 0.25}
    for numbers in (up, down):
        answer = set_doubles(node, SetParametersAtomically, "set_parameters_atomically", **numbers).result
        assert answer.successful, answer.reason
    wrong = {"lost_score": 0.9, "uncertain_score": 0.8, "tracking_score": 0.95}
    answer = set_doubles(node, SetParametersAtomically, "set_parameters_atomically", **wrong).result
    assert (answer.successful, "do not fall in this order" in answer.reason) == (False, True)


def test_three_thresholds_from_outside_are_judged_together(start_node):
    node = start_node(state__lost_score=0.7, state__uncertain_score=0.8, state__tracking_score=0.9)
    node.wait_ready()
    names = [f"state.{name}" for name in ("lost_score", "uncertain_score", "tracking_score")]
    found = ask(node, GetParameters, "get_parameters", GetParameters.Request(names=names)).values
    assert [one.double_value for one in found] == [0.7, 0.8, 0.9]


def test_bytes_that_are_no_message_change_nothing(node):
    camera = node.camera()
    node.follow(camera)
    message = convert.fill_image(Image(), picture(), "bgr8")
    message.header.frame_id, message.encoding = "camera", "nv99"
    wire = serialize_message(message)
    no_text, cut, too_long = wire.replace(b"nv99", b"\xff\xc3\x80\xfe"), wire[:30], wire[:12] + b"\xff\xff\xff\x7f"
    for odd in (no_text, cut, too_long + wire[16:], b"\0" * 8) * 10:
        camera.show_bytes(odd)
    with Stream(camera):
        node.wait_state(State.TRACKING)
    assert ask(node, Trigger, "clear_target", Trigger.Request()).success


class Unreadable:
    """A subscription or service whose next message raises where rclpy takes it."""

    topic_name = srv_name = "/odd"
    msg_type = srv_type = SetParameters
    raw = False

    @property
    def handle(self):
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


@pytest.mark.parametrize("take", ["_take_subscription", "_take_service"])
def test_what_a_middleware_raises_for_such_bytes_is_counted(graph, take):
    """Inside the executor it would leave the callback group taken for ever."""
    guard = Guard(graph.node.get_logger())
    executor = GuardedExecutor(guard, context=graph.node.context)
    try:
        assert getattr(executor, take)(Unreadable()) is None
    finally:
        executor.shutdown()
    assert guard.errors == 1
    assert "/odd cannot be read: UnicodeDecodeError" in guard.last_error


def test_a_hundred_parameters_at_once_are_all_answered(node):
    client = node.graph.node.create_client(SetParameters, f"{node.name}/set_parameters", qos_profile=qos.service())
    assert client.wait_for_service(20)
    one = Parameter(name="max_age_ms", value=ParameterValue(type=DOUBLE, double_value=30000.0))
    futures = [client.call_async(SetParameters.Request(parameters=[one])) for _ in range(100)]
    node.wait(lambda: all(future.done() for future in futures), "a hundred answers")
    assert all(future.result().results[0].successful for future in futures)


def test_a_node_that_was_shut_down_says_so_and_stays(start_node):
    node = start_node()
    node.wait_ready()
    assert change(node, Transition.TRANSITION_ACTIVE_SHUTDOWN).success
    node.wait_message("shut down by its lifecycle", "start the process again")
    assert not change(node, Transition.TRANSITION_CONFIGURE).success
    assert node.next_status().state == State.UNCONFIGURED


def test_one_process_put_through_abuse_tracks_on_as_if_nothing_were():
    """The short form of benchmarks/abuse.py, which has the figures."""
    options = ["--images=600", "--requests=150", "--transitions=30", "--parameters=60", "--turns=1"]
    command = [sys.executable, str(ROOT / "benchmarks" / "abuse.py"), *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, cwd=ROOT)
    assert ended.stdout, ended.stderr
    result = json.loads(ended.stdout)
    assert (result["alive"], result["same_boxes"]) == (True, True), result
    assert result["transitions"] == 30
