"""The whole demo over real DDS, with a fake tracker in the product's node: three processes, report, pictures."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from engine_bench import wait_until

from stm_tracker_ros.core.errors import StmTrackerError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.demo.sample import Sample
from stm_tracker_ros.demo.session import SUMMARY_NAME, Settings, run
from stm_tracker_ros.video_writer import VideoWriter

pytestmark = pytest.mark.ros

FRAMES, FIRST_ABSENT, STEP_PX, FPS = 60, 31, 10, 15.0
WIDTH, HEIGHT = 320, 240
FAKE_NODE = "node_process"


def true_box(frame):
    return Box(10 + STEP_PX * frame, 100, 30, 40)


@pytest.fixture(scope="module")
def blob(tmp_path_factory):
    """A bright rectangle that walks out of the picture on the right."""
    path = tmp_path_factory.mktemp("blob") / "blob.mp4"
    with VideoWriter(path) as video:
        for frame in range(FRAMES):
            image = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
            x, y, width, height = true_box(frame)
            image[y : y + height, x : x + width] = 255
            video.write(image)
    boxes = {frame: true_box(frame) for frame in range(0, 29, 10)}
    return Sample(video=path, true_boxes=boxes, first_absent=FIRST_ABSENT)


@pytest.fixture
def fake_node(monkeypatch):
    """Lets the children find the node with the fake trackers."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent / "ros"))


def settings(sample, out, show=lambda line: None, **parameters):
    # Frames wait instead of being replaced: what is asserted must not depend on how busy this machine is.
    patient = {"policy": "every_frame", "queue_depth": 100, "qos_depth": 100}
    parameters = {"tracker.name": "brightest_box", **patient, **parameters}
    return Settings(sample=sample, out=out, fps=FPS, parameters=parameters, show=show, node_module=FAKE_NODE)


def shared_memory(pids):
    """Files in /dev/shm that these processes have mapped or open now."""
    names = set()
    for pid in pids:
        with contextlib.suppress(OSError):  # ended while we looked
            maps = Path(f"/proc/{pid}/maps").read_text().split()
            files = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()]
            names |= {name for name in maps + files if "/dev/shm/" in name and "fastrtps" in name}
    return names


def everybody():
    return [folder.name for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def left_behind(held):
    """Which of these files are nobody's and still there.

    Fast DDS numbers its ports for the whole machine: tests beside this one may take the same one between two looks.
    """
    return [name for name in held - shared_memory(everybody()) if os.path.exists(name)]


def children():
    """Processes of ours, but for the one that multiprocessing keeps until we end, if an earlier test woke it."""
    every = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in every if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()]


def middle_of_the_blob(video_file, frame):
    """The blue of the pixel in the middle of the target: 255 as filmed."""
    with av.open(str(video_file)) as video:
        image = next(itertools.islice(video.decode(video=0), frame, None)).to_ndarray(format="bgr24")
    (x, y) = true_box(frame).center
    return int(image[int(y), int(x), 0])


def test_a_tracker_with_masks_has_them_in_the_picture(blob, fake_node, tmp_path):
    summary, _ = run(settings(blob, tmp_path, **{"tracker.name": "brightest"}))
    assert summary["truth"]["lowest_iou"] > 0.5
    assert middle_of_the_blob(blob.video, 12) > 240
    assert middle_of_the_blob(tmp_path / "overlay.mp4", 12) < 220


def test_a_run_accounts_for_every_frame_and_leaves_its_results(blob, fake_node, tmp_path):
    summary, checks = run(settings(blob, tmp_path))
    frames = summary["frames"]
    assert frames["played"] == FRAMES
    assert frames["unaccounted"] == 0
    counted = frames["tracked_with_waiting"] + sum(frames["dropped"].values()) + frames["before_the_reader"]
    assert frames["published"] == counted
    assert summary["truth"]["lowest_iou"] > 0.5
    assert summary["truth"]["lost_frame"] > FIRST_ABSENT
    assert summary["truth"]["boxes_after_lost"] == 0
    assert [state for _, state in summary["states"]][0] == "TRACKING"
    assert [state for _, state in summary["states"]][-1] == "LOST"
    assert summary["transport"]["rmw"].startswith("rmw_")
    assert len(summary["checks"]) == len(checks)
    assert json.loads((tmp_path / SUMMARY_NAME).read_text())["frames"] == frames
    with av.open(str(tmp_path / "overlay.mp4")) as video:
        assert video.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in video.decode(video=0)) == FRAMES
    assert cv2.imread(str(tmp_path / "contact_sheet.png")).shape[1] > WIDTH


def test_a_node_that_cannot_start_is_reported_in_its_own_words(blob, fake_node, tmp_path):
    with pytest.raises(StmTrackerError, match=r"node process ended with exit code 2[\s\S]*did you mean 'brightest'"):
        run(settings(blob, tmp_path, **{"tracker.name": "brihtest"}))
    assert not children()


def test_a_box_that_the_node_refuses_ends_the_demo_with_the_reason(blob, fake_node, tmp_path):
    outside = Sample(video=blob.video, true_boxes={0: Box(5000, 10, 20, 20)})
    with pytest.raises(StmTrackerError, match="refused the box"):
        run(settings(outside, tmp_path))
    assert not children()


def test_a_camera_that_is_killed_is_reported_and_nothing_stays(blob, fake_node, tmp_path):
    held = set()

    def kill_the_camera(line):
        if line.startswith("[camera]") and "playing" in line:
            held.update(shared_memory(children()))
            for pid in children():
                if b"demo_camera" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(int(pid), signal.SIGKILL)

    with pytest.raises(StmTrackerError, match=r"camera process ended with signal SIGKILL[\s\S]*playing at 15 Hz"):
        run(settings(blob, tmp_path, kill_the_camera))
    assert held
    assert not children()
    wait_until(lambda: not left_behind(held))


@pytest.fixture
def heard_sigint():
    """SIGINT raises KeyboardInterrupt, also where the tests were started in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_every_process(blob, fake_node, heard_sigint, tmp_path):
    def interrupt(line):
        if line.startswith("[camera]") and "playing" in line:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(settings(blob, tmp_path, interrupt))
    assert not children()


def refusal(module, **parameters):
    """What the process says that is given these parameters and ends."""
    given = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    command = [sys.executable, "-m", f"stm_tracker_ros.ros.{module}", "--ros-args", *given]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    return ended.stderr + ended.stdout


@pytest.mark.parametrize(("module", "whole"), [("demo_camera", {"fps": 10}), ("demo_client", {"box": [1, 2, 3, 4]})])
def test_a_record_that_exists_is_refused_at_once_and_stays(module, whole, tmp_path):
    (tmp_path / "record").write_text("mine")
    assert "record exists; give another name" in refusal(module, record=tmp_path / "record", **whole)
    assert (tmp_path / "record").read_text() == "mine"


@pytest.mark.parametrize(
    ("module", "wrong", "words"),
    [
        ("demo_camera", {"fps": 0}, "fps is 0; allowed are"),
        ("demo_camera", {"fps": "fast"}, "error: fps is fast; allowed are"),
        ("demo_camera", {"fps": "true"}, "fps is True; allowed are"),
        ("demo_camera", {"loop": "maybe"}, "loop is 'maybe'; allowed are true and false"),
        ("demo_camera", {"video": 5}, "video is 5; allowed is text"),
        ("demo_camera", {"record": "[1]"}, "record is [1]; allowed is text"),
        ("demo_camera", {}, "video is empty; allowed is a file"),
        ("demo_camera", {"video": "/not/there.mp4"}, "/not/there.mp4"),
        ("demo_camera", {"use_sim_time": 5}, "'use_sim_time' to '5'"),
        ("demo_camera", {"use_sim_time": "[1, a]"}, "Failed to parse"),
        ("demo_client", {"tracker": 5}, "tracker is 5; allowed is text"),
        ("demo_client", {"box": "[1, 2, 3, 4]", "tracker": "a b"}, "'a b/set_target'"),
        ("demo_client", {"box": [10, 20, 30]}, "allowed is [x, y, width, height] in pixels"),
        ("demo_client", {"box": "here"}, "box is here; allowed is"),
    ],
)
def test_parameters_that_are_none_are_refused_in_words(module, wrong, words):
    assert words in refusal(module, **wrong)
