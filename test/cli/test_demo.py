import argparse
import importlib.util

import pytest

from stm_tracker_ros.cli import demo

pytestmark = pytest.mark.pure


def parse(*arguments):
    parser = argparse.ArgumentParser()
    demo.add_parser(parser.add_subparsers())
    return parser.parse_args(["demo", *arguments])


def test_shared_options_become_parameters_of_the_node(tmp_path):
    changes = ("--set", "memory.history=6", "--set", "state.lost_score=0.3")
    args = parse(
        "--tracker", "stmtrack", "--weights", str(tmp_path / "w"), "--device", "cuda:1", "--threads", "3", *changes
    )
    assert demo.node_parameters(args) == {
        "tracker.name": "stmtrack",
        "tracker.weights": str(tmp_path / "w"),
        "tracker.memory.history": "6",
        "state.lost_score": "0.3",
        "device": "cuda:1",
        "precision": "auto",
        "threads": 3,
    }


def test_without_rclpy_the_two_ways_to_get_it_are_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(demo.StmTrackerError, match=r"scripts/demo[\s\S]*source /opt/ros") as refusal:
        demo.run(parse())
    assert "rclpy" in str(refusal.value)


@pytest.mark.parametrize("arguments", [("--video", "a.mp4"), ("--box", "1,2,3,4")])
def test_video_and_box_belong_together(arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(demo.StmTrackerError, match="belong together"):
        demo.run(parse(*arguments, "--out", str(tmp_path)))
