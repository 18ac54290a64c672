import dataclasses
import math

import pytest
from std_msgs.msg import Header

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.stats import Stats, Status
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros.image_source import InputReport
from stm_tracker_ros.ros.status import NodeReport, Troubles, heartbeat
from stm_tracker_ros.ros.tracker_node import _is_device_error

pytestmark = pytest.mark.ros


def source(**changes):
    report = InputReport(
        topic="/image",
        transport="raw",
        publishers=(),
        reliability="reliable",
        depth=1,
        silent_s=0.1,
        reported_lost=0,
        why=None,
        message="",
    )
    return dataclasses.replace(report, **changes)


def snapshot(lost=(0, False), *, said="", image_trouble=""):
    stats = Stats()
    for reason in (None, DropReason.PAUSED):
        stats.arrived(1)
        stats.left(reason)
    status = Status(state=State.UNCERTAIN, message=said, target_id="target-1")
    return stats.snapshot(status, now_ns=5, lost=lost, stamp_trouble="", image_trouble=image_trouble)


def test_the_states_of_message_and_engine_are_the_same():
    assert {s.name: getattr(TrackerStatus, f"STATE_{s.name}") for s in State} == {s.name: s.value for s in State}


def test_an_idle_node_speaks_for_itself():
    report = NodeReport.of(State.UNCONFIGURED, Troubles(texts=("no weights",)), None, source(message="no images"))
    message = heartbeat(report, Header())
    assert (message.state, message.message) == (State.UNCONFIGURED, "no weights")
    assert (message.received, list(message.drop_reasons)) == (0, [])


def test_an_active_node_speaks_for_its_engine_and_its_images():
    message = heartbeat(NodeReport.of(None, Troubles(), snapshot(), source(message="no images")), Header())
    assert (message.state, message.message, message.id) == (State.UNCERTAIN, "no images", "target-1")
    assert (message.received, message.tracked) == (2, 1)
    assert not any(math.isnan(value) for value in (message.confidence, message.age, message.time_since_seen))


@pytest.mark.parametrize(
    ("lost", "reported", "expected"),
    [
        ((9, False), 4, {"superseded_in_reader": 5, "middleware_lost": 4}),
        ((2, False), 4, {"superseded_in_reader": 0, "middleware_lost": 2}),
        ((9, True), 4, {"middleware_lost_estimated": 9}),
    ],
)
def test_what_was_lost_before_us_is_no_part_of_the_drops(lost, reported, expected):
    report = NodeReport.of(None, Troubles(), snapshot(lost), source(reported_lost=reported))
    assert report.lost_before_us() == expected
    assert set(report.drops()) == {reason.value for reason in DropReason}
    assert report.drops()["paused"] == 1
    message = heartbeat(report, Header())
    assert message.received == message.tracked + sum(message.drop_counts)


def test_all_that_is_wrong_is_said():
    troubles = Troubles(texts=("a namesake", "no clock"))
    report = NodeReport.of(None, troubles, snapshot(), source(message="no images"))
    assert (report.message, report.trouble) == ("no images; a namesake; no clock", "a namesake; no clock")


def test_images_that_cannot_be_used_are_said_once():
    trouble = "image encoding 'odd8' is not known"
    report = NodeReport.of(None, Troubles(), snapshot(image_trouble=trouble), source())
    assert (report.message, report.trouble) == (f"images cannot be used: {trouble}", "")
    engine = f"nothing answered: the last: bad_image: {trouble}"
    assert NodeReport.of(None, Troubles(), snapshot(said=engine, image_trouble=trouble), source()).message == engine
    assert NodeReport.of(State.INACTIVE, Troubles(), snapshot(image_trouble=trouble), source()).message == ""


def test_torchs_out_of_memory_is_recognised_without_torch():
    class OutOfMemoryError(RuntimeError):
        pass

    assert _is_device_error(OutOfMemoryError())
    assert not _is_device_error(ValueError())
