import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.demo import record

pytestmark = pytest.mark.pure


def test_records_come_back_as_they_were_written(tmp_path):
    camera = record.CameraRecord(shots=[record.Shot(frame=3, stamp_ns=1795181445824879124, playing=True)])
    answers = [
        record.Answer(stamp_ns=1, arrival_ns=2, box=Box(0.1, 2, 3, 4), score=0.5),
        record.Answer(stamp_ns=3, arrival_ns=4, box=None, score=None),
    ]
    beat = record.Heartbeat(
        image_stamp_ns=1, state="LOST", confidence=0.1, received=3, tracked=2, drops={"superseded": 1}, message="m"
    )
    client = record.ClientRecord(rmw="rmw_fastrtps_cpp", answers=answers, heartbeats=[beat])
    record.write(tmp_path / "camera.json", camera)
    record.write(tmp_path / "client.json", client)
    assert record.read_camera(tmp_path / "camera.json") == camera
    assert record.read_client(tmp_path / "client.json") == client


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(DataError, match=r"camera\.json"):
        record.read_camera(tmp_path / "camera.json")
