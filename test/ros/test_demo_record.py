import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box, RotatedBox
from stm_tracker_ros.ros import demo_record as record

pytestmark = pytest.mark.pure


def test_records_come_back_as_they_were_written(tmp_path):
    camera = record.CameraRecord(shots=[record.Shot(frame=3, stamp_ns=1795181445824879124, playing=True)])
    answers = [
        record.Answer(stamp_ns=1, arrival_ns=2, box=Box(0.1, 2, 3, 4), score=0.5),
        record.Answer(stamp_ns=3, arrival_ns=4, box=None, score=None),
        record.Answer(stamp_ns=5, arrival_ns=6, box=Box(1, 2, 3, 4), score=1.0, rotated=RotatedBox(1, 2, 3, 4, 0.5)),
    ]
    beat = record.Heartbeat(
        image_stamp_ns=1, state="LOST", confidence=0.1, received=3, tracked=2, drops={"superseded": 1}, message="m"
    )
    mask = np.zeros((6, 10), np.uint8)
    mask[2:4, 3:9] = 255
    client = record.ClientRecord(
        rmw="rmw_fastrtps_cpp", answers=answers, heartbeats=[beat], masks={3: record.pack_mask(mask)}
    )
    record.write(tmp_path / "camera.json", camera)
    record.write(tmp_path / "client.json", client)
    assert record.read_camera(tmp_path / "camera.json") == camera
    read = record.read_client(tmp_path / "client.json")
    assert read == client
    assert (read.mask(3) == mask).all()
    assert read.mask(1) is None


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(DataError, match=r"camera\.json"):
        record.read_camera(tmp_path / "camera.json")
