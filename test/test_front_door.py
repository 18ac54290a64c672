"""The library without ROS: load by name, weights found or refused with the way out, plain arrays in."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import stm_tracker_ros
from stm_tracker_ros.core.errors import (
    CheckpointError,
    ConfigError,
    DeviceError,
    FrameError,
    NotInitialisedError,
    ProcessError,
    StmTrackerError,
    TargetError,
)
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.trackers import checkpoint, registry
from stm_tracker_ros.trackers.spec import TrackerSpec
from stm_tracker_ros.trackers.stmtrack.config import LiteNetworkConfig
from stm_tracker_ros.trackers.stmtrack.lite_network import LiteNetwork

pytestmark = pytest.mark.torch

SMALL = LiteNetworkConfig(crop_size=128, width=32, key_channels=16, shared_blocks=0, tower_blocks=0)
BOX = (40.0, 30.0, 24.0, 20.0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    checkpoint.save(path, "stmtrack_lite", SMALL, LiteNetwork(SMALL).state_dict(), "made for a test")
    return str(path)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)


def test_the_default_tracker_comes_with_its_weights() -> None:
    tracker = stm_tracker_ros.load()
    assert tracker.init(picture(), BOX).box == pytest.approx(BOX)
    assert 0 <= tracker.track(picture()).score <= 1


def test_boxes_masks_and_targets_are_taken(weights: str) -> None:
    tracker = stm_tracker_ros.load("stmtrack_lite", weights=weights, device="cpu")
    mask = np.zeros((120, 160), bool)
    mask[30:50, 40:64] = True
    for target in (BOX, np.array(BOX), mask, mask * 0.25, Target(box=Box(*BOX))):
        assert tracker.init(picture(), target).box == pytest.approx(BOX)


def test_arrays_and_stamped_frames_give_the_same_answers(weights: str) -> None:
    plain, stamped = (stm_tracker_ros.load("stmtrack_lite", weights=weights) for _ in range(2))
    plain.init(picture(), BOX)
    stamped.init(Frame(image=picture(), stamp_ns=0), BOX)
    for index in range(1, 5):
        frame = Frame(image=picture(index), stamp_ns=round(index * 1e9 / 30))
        assert plain.track(picture(index)) == stamped.track(frame)


@pytest.mark.parametrize("period", [1, 7])
def test_stamps_that_stand_still_or_loop_end_in_lost_as_any(weights: str, period: int) -> None:
    tracker = stm_tracker_ros.load("stmtrack_lite", weights=weights, settings={"presence.near_share": 2.0})
    tracker.init(Frame(image=picture(), stamp_ns=0), BOX)
    for index in range(60):
        result = tracker.track(Frame(image=picture(index), stamp_ns=round(index % period * 1e9 / 30)))
    assert result.state.name == "LOST"


def test_it_learns_once_a_frame_whether_asked_or_not(weights: str) -> None:
    asked, unasked = (
        stm_tracker_ros.load("stmtrack_lite", weights=weights, settings={"memory.store_score": 0.0}) for _ in range(2)
    )
    for tracker in (asked, unasked):
        tracker.init(picture(), BOX)
    for index in range(1, 5):
        assert asked.track(picture(index)) == unasked.track(picture(index))
        asked.memorize()
        asked.memorize()


def test_what_is_confirmed_is_followed_from_there(weights: str) -> None:
    tracker = stm_tracker_ros.load("stmtrack_lite", weights=weights)
    with pytest.raises(NotInitialisedError, match="init"):
        tracker.confirm(BOX)
    tracker.init(picture(), BOX)
    tracker.track(picture(1))
    tracker.confirm((100.0, 70.0, 24.0, 20.0))
    expected = tracker.track(picture(2)).expected
    assert expected is not None
    assert expected.center == pytest.approx((112, 80), abs=24)
    with pytest.raises(TargetError, match="allowed is a box"):
        tracker.confirm(np.ones((120, 160), bool))  # type: ignore[arg-type]
    with pytest.raises(TargetError, match="not finite"):
        tracker.confirm((1.0, 2.0, float("nan"), 4.0))
    with pytest.raises(TargetError, match="160 x 120"):
        tracker.confirm((400.0, 70.0, 24.0, 20.0))


def test_what_is_no_mask_and_no_stamp_is_refused() -> None:
    with pytest.raises(TargetError, match="mask is 'x'; allowed is an array"):
        Target(mask="x")  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="stamp_ns is 10{30}; allowed are whole nanoseconds, of 64 bits"):
        Frame(image=picture(), stamp_ns=10**30)


@pytest.mark.parametrize("target", [(1, 2, 3), np.zeros((2, 2, 2)), ()])
def test_other_targets_are_refused(weights: str, target: object) -> None:
    with pytest.raises(TargetError, match="box of 4 numbers or a height x width mask"):
        stm_tracker_ros.load("stmtrack_lite", weights=weights).init(picture(), target)  # type: ignore[arg-type]


def test_other_frames_are_refused(weights: str) -> None:
    tracker = stm_tracker_ros.load("stmtrack_lite", weights=weights)
    with pytest.raises(FrameError, match="height x width x 3"):
        tracker.init(picture()[..., 0], BOX)
    with pytest.raises(NotInitialisedError):
        tracker.track(picture())


def test_settings_and_weights_of_another_kind_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"settings is \['a'\]; allowed is a dictionary"):
        stm_tracker_ros.load(settings=["a"])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="unknown setting 5; known: "):
        stm_tracker_ros.load(settings={5: 1})  # type: ignore[dict-item]
    with pytest.raises(CheckpointError, match="weights is 5; allowed is the path"):
        stm_tracker_ros.load(weights=5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="precision is 'fp8'; allowed are auto, fp32"):
        stm_tracker_ros.load(precision="fp8")


def test_settings_reach_the_tracker_and_are_judged(weights: str) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'memory.history'"):
        stm_tracker_ros.load("stmtrack_lite", weights=weights, settings={"memory.histori": 32})
    with pytest.raises(ConfigError, match="history is 4; allowed is at least 8"):
        stm_tracker_ros.load("stmtrack_lite", weights=weights, settings={"memory.history": 4})


def test_the_state_s_thresholds_are_settings_too(weights: str) -> None:
    for score, state in ((0.0, stm_tracker_ros.State.TRACKING), (1.0, stm_tracker_ros.State.UNCERTAIN)):
        thresholds = {f"state.{name}": score for name in ("tracking_score", "uncertain_score", "lost_score")}
        tracker = stm_tracker_ros.load("stmtrack_lite", weights=weights, settings=thresholds)
        tracker.init(picture(), BOX)
        assert tracker.track(picture()).state is state
    with pytest.raises(ConfigError, match="did you mean 'lost_score'"):
        stm_tracker_ros.load("stmtrack_lite", weights=weights, settings={"state.lost_scroe": 0.1})


def test_the_authors_conventions_belong_to_their_network_only(weights: str) -> None:
    with pytest.raises(ConfigError, match="compat is 'official'; allowed is none"):
        stm_tracker_ros.load("stmtrack_lite", weights=weights, settings={"compat": "official"})


def test_an_unknown_tracker_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'stmtrack_lite'"):
        stm_tracker_ros.load("stmtrack_light")


def test_a_tracker_without_weights_names_the_ways_to_get_some() -> None:
    assert registry.load("stmtrack").shipped_weights is None
    with pytest.raises(
        CheckpointError, match=r"no weights come with 'stmtrack'.*`stm_tracker train stmtrack`.*convert stmtrack"
    ):
        stm_tracker_ros.load("stmtrack")
    with pytest.raises(CheckpointError, match="no weights come with 'dmb'.*come with theirs: .*dmb_lite") as refused:
        stm_tracker_ros.load("dmb")
    assert "convert" not in str(refused.value), "there is no converter for it"


def test_a_weights_file_for_a_name_is_told_from_a_name() -> None:
    with pytest.raises(ConfigError, match=r"'mine.safetensors' is a weights file; allowed are .*, with `weights`"):
        stm_tracker_ros.load("mine.safetensors")
    with pytest.raises(ConfigError, match="unknown tracker 5; known: stmtrack_lite"):
        stm_tracker_ros.load(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), "auto"])
def test_devices_as_users_have_them(weights: str, device: str | torch.device) -> None:
    assert stm_tracker_ros.load("stmtrack_lite", weights=weights, device=device).init(picture(), BOX).box


@pytest.mark.parametrize(
    ("device", "words"),
    [(97, "'cuda:97' is not there"), (torch.device("cuda", 97), "'cuda:97' is not"), (-1, "allowed"), (True, "'True'")],
)
def test_devices_that_are_none_are_refused(weights: str, device: int | torch.device, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        stm_tracker_ros.load("stmtrack_lite", weights=weights, device=device)


def test_threads_are_all_cores_but_one_unless_given(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[int] = []
    monkeypatch.setattr(registry, "set_threads", set_to.append)
    monkeypatch.setattr(TrackerSpec, "from_checkpoint", lambda *_, **__: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    stm_tracker_ros.load("stmtrack_lite", weights=weights)
    stm_tracker_ros.load("stmtrack_lite", weights=weights, threads=2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    stm_tracker_ros.load("stmtrack_lite", weights=weights)
    assert set_to == [5, 2, 1]


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True, 5000])
def test_other_threads_are_refused(weights: str, threads: object) -> None:
    with pytest.raises(ConfigError, match="threads is .*; allowed are whole numbers from 1 to 256"):
        stm_tracker_ros.load("stmtrack_lite", weights=weights, threads=threads)  # type: ignore[arg-type]


def test_a_tracker_is_not_copied(weights: str) -> None:
    tracker = stm_tracker_ros.load("stmtrack_lite", weights=weights)
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(ProcessError, match=r"neither copied nor pickled.*call stm_tracker_ros.load"):
            copied(tracker)


def test_a_tracker_stays_in_the_process_that_loaded_it(weights: str) -> None:
    tracker = stm_tracker_ros.load("stmtrack_lite", weights=weights)
    tracker.init(picture(), BOX)
    in_child = multiprocessing.get_context("fork").SimpleQueue()

    def child() -> None:
        for use in (
            lambda: tracker.init(picture(), BOX),
            lambda: tracker.track(picture()),
            tracker.memorize,
            lambda: stm_tracker_ros.load("stmtrack_lite", weights=weights, threads=2),
        ):
            in_child.put(_refusal(use))
        own = stm_tracker_ros.load("stmtrack_lite", weights=weights, threads=1)
        in_child.put(tuple(own.init(picture(), BOX).box))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    answers = [in_child.get() for _ in range(5)]
    process.join()
    assert all("is used in process" in text and "'spawn'" in text for text in answers[:3])
    assert "threads is 2 in a process forked" in answers[3]
    assert answers[4] == pytest.approx(BOX)


def _refusal(use: Callable[[], object]) -> str:
    try:
        use()
    except ProcessError as error:
        return str(error)
    return "not refused"


def test_trackers_loaded_in_two_threads_at_once_answer_as_alone(weights: str) -> None:
    def boxes(_: int) -> list[Box]:
        tracker = stm_tracker_ros.load("stmtrack_lite", weights=weights)
        return [tracker.init(picture(), BOX).box, *(tracker.track(picture(seed)).box for seed in range(3))]

    alone = boxes(0)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(boxes, range(2))) == [alone] * 2


def test_an_absent_device_is_refused(weights: str) -> None:
    with pytest.raises(DeviceError, match="cuda:97"):
        stm_tracker_ros.load("stmtrack_lite", weights=weights, device="cuda:97")


def test_the_table_of_trackers() -> None:
    assert registry.names()[0] == "stmtrack_lite"
    for name in registry.names():
        assert registry.load(name).name == name
    shipped = registry.load("stmtrack_lite").shipped_weights
    assert shipped is not None
    assert shipped.stat().st_size <= 12_000_000


def test_a_checkpoint_comes_back_as_it_was_written(tmp_path: Path) -> None:
    network = LiteNetwork(SMALL)
    path = tmp_path / "w.safetensors"
    checkpoint.save(path, "stmtrack_lite", SMALL, network.state_dict(), "by hand, on a Friday")
    stored = checkpoint.read(path, "stmtrack_lite")
    assert (stored.tracker, stored.provenance) == ("stmtrack_lite", "by hand, on a Friday")
    assert LiteNetworkConfig(**stored.network) == SMALL
    assert checkpoint.misfit(network.state_dict(), stored.tensors) == ""
    assert all(torch.equal(stored.tensors[name], tensor) for name, tensor in network.state_dict().items())


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        registry.load("stmtrack_lite").from_checkpoint(path)
    assert str(path) in str(refused.value)
    return str(refused.value)


def rewritten(weights: str, path: Path, **changes: str) -> Path:
    """The small checkpoint with other metadata."""
    network = '{"crop_size": 128, "width": 32, "key_channels": 16, "shared_blocks": 0, "tower_blocks": 0}'
    fixed = {"format_version": "2", "tracker": "stmtrack_lite", "network": "lite", "provenance": ""}
    metadata = fixed | {"network_config": network} | changes
    save_file(checkpoint.read(Path(weights), "stmtrack_lite").tensors, path, metadata)
    return path


def test_weights_that_cannot_serve_are_refused_with_the_reason(weights: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    assert "do not exist" in refusal(path)
    assert "are a folder" in refusal(tmp_path)
    path.write_bytes(Path(weights).read_bytes()[:-1000])
    assert "cannot be read" in refusal(path)
    path.write_bytes(b"\x80\x02cposix\nsystem\n")
    assert "by `stm_tracker convert`" in refusal(path)
    assert "format version 0; allowed are 1 and 2" in refusal(rewritten(weights, path, format_version="0"))
    assert "are for tracker 'dmb'; needed are some for 'stmtrack_lite'" in refusal(
        rewritten(weights, path, tracker="dmb")
    )
    assert "do not say what network" in refusal(rewritten(weights, path, network_config="[1]"))
    assert "do not say what network" in refusal(rewritten(weights, path, network_config=""))
    save_file({"a": torch.zeros(1)}, path)
    assert "format version None" in refusal(path)


def test_weights_of_another_network_are_refused_with_the_first_misfit(weights: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    assert "a network 'huge'; allowed are lite, paper" in refusal(rewritten(weights, path, network="huge"))
    resnet = rewritten(weights, path, network_config='{"backbone": "resnet50"}')
    assert "backbone is 'resnet50'; allowed is one of mobilenet_v2, resnet18" in refusal(resnet)
    assert "width is 3; allowed is" in refusal(rewritten(weights, path, network_config='{"width": 3}'))
    assert "unexpected keyword argument 'depth'" in refusal(rewritten(weights, path, network_config='{"depth": 3}'))
    wider = rewritten(weights, path, network_config='{"crop_size": 128, "width": 64}')
    assert "has shape (32, 128, 1, 1); needed is (64, 128, 1, 1)" in refusal(wider)


@pytest.mark.parametrize("frame_and_target", [(None, BOX), (picture(), (0, 0, 1, 1)), (picture(), "box")])
def test_a_refused_start_leaves_the_target_and_its_clock(weights: str, frame_and_target: tuple[Any, Any]) -> None:
    asked, left = (stm_tracker_ros.load("stmtrack_lite", weights=weights) for _ in range(2))
    for tracker in (asked, left):
        tracker.init(picture(), BOX)
        tracker.track(picture(1))
    with pytest.raises(StmTrackerError):
        asked.init(*frame_and_target)
    assert asked.track(picture(2)) == left.track(picture(2))
    assert asked._frames == left._frames == 3
