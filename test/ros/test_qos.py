import pytest
from operator_side import picture, values
from rclpy.qos import ReliabilityPolicy

from stm_tracker_ros.ros import qos

pytestmark = pytest.mark.ros

RELIABLE, BEST_EFFORT, UNKNOWN = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.UNKNOWN


@pytest.mark.parametrize(
    ("choice", "offered", "wanted"),
    [
        ("auto", [], RELIABLE),
        ("auto", [RELIABLE], RELIABLE),
        ("auto", [RELIABLE, RELIABLE], RELIABLE),
        ("auto", [RELIABLE, BEST_EFFORT], BEST_EFFORT),
        ("auto", [BEST_EFFORT], BEST_EFFORT),
        ("auto", [UNKNOWN], BEST_EFFORT),
        ("reliable", [BEST_EFFORT], RELIABLE),
        ("best_effort", [RELIABLE], BEST_EFFORT),
    ],
)
def test_the_choice(choice, offered, wanted):
    assert qos.choose(choice, offered) == wanted


def asks_for(node, reliability):
    """Whether the node's one subscription of its image topic asks for that, seen from outside."""
    infos = node.graph.node.get_subscriptions_info_by_topic(f"{node.namespace}/image")
    return [info.qos_profile.reliability for info in infos] == [reliability]


def test_auto_follows_the_publishers(start_node):
    node = start_node(silent_after_s=600)
    node.wait_ready()
    node.wait(lambda: asks_for(node, RELIABLE), "a reliable subscription while there is no publisher")
    weak = node.camera("best_effort")
    node.wait(lambda: asks_for(node, BEST_EFFORT), "a best-effort subscription for a best-effort publisher")
    node.receive_from(weak)
    strong = node.camera("reliable")
    node.receive_from(strong)
    assert asks_for(node, BEST_EFFORT)
    shared = node.diagnostics("input", lambda status: "2 publishers share" in status.message)
    assert values(shared)["qos in use"].startswith("best_effort")
    weak.close()
    node.wait(lambda: asks_for(node, RELIABLE), "a reliable subscription when only reliable publishers are left")
    node.follow(strong)
    assert node.track(strong, picture()).detections
    strong.close()


@pytest.mark.parametrize("choice", ["reliable", "best_effort"])
def test_an_explicit_choice_stays(start_node, choice):
    node = start_node(qos=choice, qos_depth=5, policy="every_frame")
    node.wait_ready()
    camera = node.camera("reliable")
    node.receive_from(camera)
    assert asks_for(node, RELIABLE if choice == "reliable" else BEST_EFFORT)
    camera.close()
