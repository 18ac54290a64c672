"""The types that we put on the wire: hashes equal to those of real robots, fields and constants frozen."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_msgs.srv import SetTarget
from stm_tracker_ros.engine.target_state import State

pytestmark = pytest.mark.ros

# Measured on vision_msgs 4.1.1 of a ROS 2 distribution.
VISION_MSGS_HASHES = {
    "Detection2D": "RIHS01_0d12b69df5c593b3455b7346fac8205437a7d4bcb09b9e0e0b2dde787ded38ea",
    "Detection2DArray": "RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    "BoundingBox2D": "RIHS01_008eacbb0cf8f26e83795547bed013eec3675485ef386ec056d80eaaf1c1ce2f",
    "ObjectHypothesis": "RIHS01_51da43cec11c01957a64d1e05a24acd18aae7745ec30b74348ad5f6d634f7f90",
    "ObjectHypothesisWithPose": "RIHS01_41c12344c0396c48b81df12467c192d99b2a0eb1463c5c37194e4223251c80bc",
    "Point2D": "RIHS01_eab0e83f44ab4de92ceaf76dd7d0e7638f2bdd1d16ffbe16c7a136c48e407247",
    "Pose2D": "RIHS01_b0b5d1d7b4c20dd4fcde3ed1d4b289a919290572007d67a97043814db25d3648",
}
# Ours: a change here breaks every peer that was built before it.
OUR_HASHES = {
    "msg/TrackerStatus": "RIHS01_efb31c989af8096051d8973bf3daa39dc995da6a94541a0ced23d8aa6197f96f",
    "srv/SetTarget": "RIHS01_3574c3842b044e0a98d101ee41a27142a6874fc0c64bced9307fac306cee8f39",
}


def type_hash(package: str, name: str) -> str:
    """Hash of `name` (such as msg/Point2D) in the description that the generator installed beside the package."""
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    files = [Path(prefix, "share", package, f"{name}.json") for prefix in prefixes if prefix]
    found = [file for file in files if file.exists()]
    if not found:
        pytest.skip(f"no description of {package}/{name} (ROS before Jazzy has no type hashes)")
    hashes = json.loads(found[0].read_text())["type_hashes"]
    return next(entry["hash_string"] for entry in hashes if entry["type_name"] == f"{package}/{name}")


def constants(message_class: type, prefix: str) -> dict[str, int]:
    return {name: getattr(message_class, name) for name in dir(message_class) if name.startswith(prefix)}


@pytest.mark.parametrize(("name", "expected"), VISION_MSGS_HASHES.items())
def test_vision_msgs_are_those_of_a_real_robot(name: str, expected: str) -> None:
    assert type_hash("vision_msgs", f"msg/{name}") == expected


@pytest.mark.parametrize(("name", "expected"), OUR_HASHES.items())
def test_our_types_are_frozen(name: str, expected: str) -> None:
    assert type_hash("stm_tracker_msgs", name) == expected


def test_fields_of_set_target() -> None:
    assert SetTarget.Request.get_fields_and_field_types() == {
        "stamp": "builtin_interfaces/Time",
        "box": "vision_msgs/BoundingBox2D",
        "mask": "sensor_msgs/Image",
        "id": "string",
        "class_id": "string",
    }
    assert SetTarget.Response.get_fields_and_field_types() == {
        "success": "boolean",
        "code": "uint8",
        "message": "string",
        "id": "string",
        "stamp_used": "builtin_interfaces/Time",
        "age": "double",
        "frames_replayed": "uint32",
        "detection": "vision_msgs/Detection2D",
    }


def test_fields_of_tracker_status() -> None:
    assert TrackerStatus.get_fields_and_field_types() == {
        "header": "std_msgs/Header",
        "image_stamp": "builtin_interfaces/Time",
        "state": "uint8",
        "id": "string",
        "confidence": "float",
        "time_since_seen": "double",
        "age": "double",
        "received": "uint64",
        "tracked": "uint64",
        "drop_reasons": "sequence<string>",
        "drop_counts": "sequence<uint64>",
        "message": "string",
        "image_width": "uint32",
        "image_height": "uint32",
        "counters_since": "builtin_interfaces/Time",
    }


def test_codes_of_set_target_are_all_different() -> None:
    codes = constants(SetTarget.Response, "CODE_")
    assert sorted(codes.values()) == list(range(12))


def test_states_of_the_engine_are_those_of_the_message() -> None:
    states = {name.removeprefix("STATE_"): value for name, value in constants(TrackerStatus, "STATE_").items()}
    assert states == {state.name: state.value for state in State}
