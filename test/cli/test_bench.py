"""`stm_tracker bench` on a small network: stages, ratios, the file, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_weights import save_small

from stm_tracker_ros.cli import main as command_line
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.evaluation import bench
from stm_tracker_ros.parts.stages import stage

pytestmark = pytest.mark.torch


def run(*arguments: str) -> int:
    return command_line.main(["bench", *arguments])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_small("stmtrack_lite", tmp_path_factory.mktemp("weights") / "small.safetensors"))


class Sleepless:
    """A tracker that spends its time where the test says; a clock of its own."""

    def __init__(self, clock: Clock, track_ms: dict[str, float], memorize_ms: float) -> None:
        self.clock, self.track_ms, self.memorize_ms = clock, track_ms, memorize_ms
        self.seen: list[int] = []

    def init(self, frame: Frame, target: Target) -> Result:
        return Result(box=Box(0, 0, 5, 5), score=1.0)

    def track(self, frame: Frame) -> Result:
        self.seen.append(frame.stamp_ns)
        for name, spent in self.track_ms.items():
            with stage(name):
                self.clock.now_ms += spent
        self.clock.now_ms += 1.0  # no stage's
        return Result(box=Box(0, 0, 5, 5), score=1.0)

    def memorize(self) -> None:
        with stage("memory backbone"):
            self.clock.now_ms += self.memorize_ms

    def confirm(self, box: Box) -> None:
        pass


class Clock:
    now_ms = 0.0


def test_stages_latency_and_ratios_are_those_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("time.perf_counter_ns", lambda: round(clock.now_ms * 1e6))
    ours = bench.Runner(Sleepless(clock, {"crop": 1.0, "read": 2.0}, 4.0), lambda: None)
    plain = bench.Runner(Sleepless(clock, {"crop": 1.0, "read": 6.0}, 8.0), lambda: None)
    frames = [Frame(image=np.zeros((4, 4, 3), np.uint8), stamp_ns=index) for index in range(6)]
    bench.take_turns(ours, plain, frames)
    report = bench.summary(ours.times, plain.times)
    middle = {name: ranks["p50"] for name, ranks in report["ours"].items() if name != "frames_per_second"}
    assert list(middle) == ["crop", "read", "memory backbone", "post", "latency", "memorize", "total"]
    assert middle == pytest.approx(
        {"crop": 1, "memory backbone": 4, "read": 2, "post": 1, "latency": 4, "memorize": 4, "total": 8}
    )
    assert report["ratio_total"] == pytest.approx(8 / 16)
    assert report["ratio_latency_over_plain_total"] == pytest.approx(4 / 16)
    assert report["ours"]["frames_per_second"] == pytest.approx(125)
    assert "memory backbone" in bench.table(report)


def test_a_stage_that_not_every_frame_has_counts_in_all() -> None:
    """Whatever a tracker calls it; the other one may never have had it."""
    times, other = bench.Times(), bench.Times()
    for stages in ({"search": 2.0}, {"search": 3.0, "mask": 5.0}, {"search": 2.0}):
        times.note(10.0, 0.0, stages)
        other.note(10.0, 0.0, {"search": 1.0})
    assert times.stages == {"search": [2.0, 3.0, 2.0], "mask": [0.0, 5.0, 0.0]}
    assert times.post == [8.0, 2.0, 8.0]
    table = bench.table(bench.summary(times, other)).splitlines()
    (mask,) = (line.split() for line in table if line.startswith("mask"))
    assert mask[1:] == ["0.00", "0.00", "4.50", "0.00", "0.00", "0.00"]


def test_both_get_every_frame_and_first_goes_who_went_second() -> None:
    order: list[str] = []
    frames = [Frame(image=np.zeros((4, 4, 3), np.uint8), stamp_ns=index) for index in range(3)]

    class Noting(Sleepless):
        def __init__(self, name: str) -> None:
            super().__init__(Clock(), {}, 0.0)
            self.name = name

        def track(self, frame: Frame) -> Result:
            order.append(f"{self.name}{frame.stamp_ns}")
            return super().track(frame)

    bench.take_turns(*(bench.Runner(Noting(name), lambda: None) for name in "ab"), frames)
    assert order == ["a0", "b0", "b1", "a1", "a2", "b2"]


def test_it_times_a_tracker_and_writes_the_figures(
    weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    every_frame = ("--set", "memory.store_score=0", "--set", "memory.interval=1", "--set", "memory.agreement_score=0")
    every_frame += ("--set", "presence.near_share=0", "--set", "presence.far_share=0")  # a network that knows nothing
    settings = (*every_frame, "--precision", "fp32")
    assert run("--weights", weights, "--frames", "3", "--threads", "1", *settings, "--out", str(out)) == 0
    report = json.loads(out.read_text())
    assert (report["tracker"], report["precision"], report["frames"]) == ("stmtrack_lite", "fp32", 3)
    for name in ("crop", "query backbone", "memory backbone", "read", "head"):
        assert report["ours"][name]["p20"] > 0
        assert report["plain"][name]["p20"] > 0
    assert report["memory"]["host_mib"] > 0
    shown = capsys.readouterr().out
    assert "ours over plain, total: " in shown
    assert "our latency over plain's total: " in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--video", "a.mp4"), "--video and --box belong together"),
        (("--precision", "fp16"), "'fp16'; allowed on this CPU"),
        (("--device", "cuda:77"), "cuda:77"),
        (("--out", "absent/folder/bench.json"), "absent/folder/bench.json cannot be written"),
    ],
)
def test_what_it_refuses(
    arguments: tuple[str, ...], message: str, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--weights", weights, *arguments) == command_line.EXIT_REFUSED
    assert message in capsys.readouterr().err
