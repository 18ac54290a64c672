"""One run of the demo: camera, node and client as processes on a domain of their own, then the report."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.demo import report, transport
from stm_tracker_ros.demo.pictures import SHEET_NAME, VIDEO_NAME, write_pictures
from stm_tracker_ros.demo.processes import Child, end_all, wait_for
from stm_tracker_ros.demo.sample import Sample
from stm_tracker_ros.ros import demo_record

SUMMARY_NAME = "summary.json"
NODE_NAME, CAMERA_NAME, IMAGE_TOPIC = "/stm_tracker", "/camera", "/camera/image_raw"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to play and how.

    parameters: the node's, by name. show: gets every line that a process writes. node_module: what to run as the node.
    """

    sample: Sample
    out: Path
    fps: float
    parameters: Mapping[str, Any] = field(default_factory=dict)
    show: Callable[[str], None]
    node_module: str = "stm_tracker_ros.ros.node"


def run(settings: Settings) -> tuple[dict[str, Any], list[report.Check]]:
    """Play, write pictures and summary into `settings.out`; gives the summary and the checks.

    Raises StmTrackerError with the last lines of a process that failed, and before any starts where something of the
    user's would be overwritten. Leaves no process behind, nor its shared
    memory, however it ends.
    """
    files = checked_folder(settings).make()
    chosen, domain_id = transport.choose(), transport.free_domain()
    settings.show(f"ROS domain {domain_id}, this machine only; {chosen.name}{chosen.why and f' ({chosen.why})'}")
    with tempfile.TemporaryDirectory(prefix="stm_tracker_demo_") as scratch:
        camera, client = _play(settings, Path(scratch), chosen, domain_id)
    summary = report.summarise(settings.sample, camera, client, settings.fps)
    summary["transport"] = {
        "rmw": client.rmw,
        "profile": chosen.name,
        "why": chosen.why,
        "discovery_range": chosen.discovery_range,
        "domain_id": domain_id,
    }
    checks = report.checks(summary)
    summary["checks"] = [{"name": one.name, "value": one.value, "bar": one.bar, "passed": one.passed} for one in checks]
    shots = [shot for shot in camera.shots if shot.playing]
    write_pictures(files, settings.sample, shots, client, summary["states"], settings.fps)
    files.write(SUMMARY_NAME, (json.dumps(summary, indent=1) + "\n").encode("utf-8"))
    return summary, checks


def checked_folder(settings: Settings) -> OutputFolder:
    """The folder of the results. Raises DataError where something of the user's would be overwritten."""
    weights = settings.parameters.get("tracker.weights")
    read = [settings.sample.video, *([weights] if weights else [])]
    return OutputFolder(settings.out).check((VIDEO_NAME, SHEET_NAME, SUMMARY_NAME), inputs=read)


def _play(
    settings: Settings, scratch: Path, chosen: transport.Transport, domain_id: int
) -> tuple[demo_record.CameraRecord, demo_record.ClientRecord]:
    """Run the three processes until the video has ended; gives what camera and client wrote down."""
    # The segment belongs to the sender of images, so with shared memory only the camera takes the profile.
    everywhere = chosen.profile if chosen.for_all else None
    with_profile = transport.environment(os.environ, domain_id, chosen.discovery_range, chosen.profile)
    others = transport.environment(os.environ, domain_id, chosen.discovery_range, everywhere)
    camera_file, client_file = scratch / "camera.json", scratch / "client.json"
    children: list[Child] = []
    try:
        for name, module, arguments, environment in (
            ("node", settings.node_module, _node_arguments(settings.parameters), others),
            ("camera", "stm_tracker_ros.ros.demo_camera", _camera_arguments(settings, camera_file), with_profile),
            (
                "client",
                "stm_tracker_ros.ros.demo_client",
                _client_arguments(settings.sample.first_box, client_file),
                others,
            ),
        ):
            children.append(Child(name, module, arguments, environment, settings.show))
        node, camera, client = children
        wait_for(client, (node, camera))
    finally:
        end_all(children)
    return demo_record.read_camera(camera_file), demo_record.read_client(client_file)


def _node_arguments(parameters: Mapping[str, Any]) -> list[str]:
    return _ros_arguments(NODE_NAME, parameters, image=IMAGE_TOPIC)


def _camera_arguments(settings: Settings, record_file: Path) -> list[str]:
    video = str(settings.sample.video.resolve())
    parameters = {"video": video, "fps": float(settings.fps), "record": str(record_file)}
    return _ros_arguments(CAMERA_NAME, parameters, image=IMAGE_TOPIC)


def _client_arguments(box: Box, record_file: Path) -> list[str]:
    numbers = [float(number) for number in box]
    return _ros_arguments(
        "/client", {"box": numbers, "tracker": NODE_NAME, "camera": CAMERA_NAME, "record": str(record_file)}
    )


def _ros_arguments(node_name: str, parameters: Mapping[str, Any], **remaps: str) -> list[str]:
    """Arguments for a node of that name; JSON is YAML, which rcl reads the values as."""
    arguments = ["--ros-args", "-r", f"__node:={node_name.lstrip('/')}"]
    for old, new in remaps.items():
        arguments += ["-r", f"{old}:={new}"]
    for name, value in parameters.items():
        arguments += ["-p", f"{name}:={json.dumps(value)}"]
    return arguments
