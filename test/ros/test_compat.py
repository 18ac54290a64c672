import types

import pytest
from operator_side import Camera, picture
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from stm_tracker_ros.ros import compat, qos

pytestmark = pytest.mark.ros


@pytest.fixture
def received(graph, request):
    """Subscribes with these events and shows images until one has come: its number and the subscription."""
    subscriptions, cameras = [], []

    def receive(events):
        numbers, topic = [], f"/{request.node.name.split('[')[0]}"

        def hear(_, number):
            with graph.changed:
                numbers.append(number)
                graph.changed.notify_all()

        subscriptions.append(
            compat.create_subscription(
                graph.node,
                Image,
                topic,
                hear,
                qos.output(),
                callback_group=MutuallyExclusiveCallbackGroup(),
                events=events,
            )
        )
        cameras.append(Camera(graph, topic, qos.ReliabilityPolicy.RELIABLE))
        graph.wait(lambda: cameras[-1].subscribers(), "the subscription")
        cameras[-1].show(picture())
        graph.wait(lambda: numbers, "an image")
        return numbers, subscriptions[-1], cameras[-1]

    yield receive
    for camera in cameras:
        camera.close()
    for subscription in subscriptions:
        graph.destroy("destroy_subscription", subscription)


def test_the_publishers_number_rises_by_one(graph, received):
    numbers, _, camera = received({})
    camera.show(picture())
    graph.wait(lambda: len(numbers) > 1, "the next image")
    assert numbers[1] == numbers[0] + 1


def test_an_rclpy_without_message_info_has_no_numbers(monkeypatch, received):
    monkeypatch.setattr(compat, "HAS_MESSAGE_INFO", False)
    numbers, _, _ = received({})
    assert numbers == [None]


def test_events_that_rclpy_does_not_know_are_left_out(received):
    _, subscription, _ = received({"matched": lambda _: None, "foretold": lambda _: None})
    assert len(subscription.event_handlers) == 1


def test_events_that_the_middleware_does_not_have_are_done_without(monkeypatch, received):
    real = Node.create_subscription

    def create(self, *args, event_callbacks, **others):
        if event_callbacks.matched is not None:
            raise compat.UnsupportedEventTypeError
        return real(self, *args, event_callbacks=event_callbacks, **others)

    monkeypatch.setattr(Node, "create_subscription", create)
    numbers, subscription, _ = received({"matched": lambda _: None})
    assert len(numbers) == 1
    assert not subscription.event_handlers


def test_overrides_are_known_before_they_are_declared():
    node = types.SimpleNamespace(_parameter_overrides={"qos": Parameter("qos", value="auto")})
    assert compat.parameter_overrides(node) == {"qos": "auto"}
