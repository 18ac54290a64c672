"""On a GPU: the graph of a step answers as the step, uploads arrive whole, trackers agree with the CPU."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import torch
from made_weights import save_small
from torch import Tensor, nn

from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.parts.inference import optimised
from stm_tracker_ros.parts.precision import available
from stm_tracker_ros.parts.transfer import Upload
from stm_tracker_ros.trackers import registry

pytestmark = pytest.mark.gpu
DEVICE = torch.device("cuda:0")


@pytest.fixture(autouse=True)
def _exact_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def scene(count: int) -> list[Frame]:
    rng = np.random.default_rng(3)
    background = np.kron(rng.integers(0, 256, (15, 20, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
    square = np.kron(rng.integers(0, 256, (9, 12, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
    frames = []
    for index in range(count):
        image = background.copy()
        image[80:116, 100 + index : 148 + index] = square
        frames.append(Frame(image=image, stamp_ns=index * 33_333_333))
    return frames


def test_the_replayed_graph_answers_as_the_step_and_keeps_earlier_answers() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()).eval().to(DEVICE)

    def step(image: Tensor) -> Tensor:
        return network(image) * 2

    first, second = (torch.rand(1, 3, 16, 16, device=DEVICE) for _ in range(2))
    fast = optimised(network, step, first)
    gc.collect()
    spoiled = [torch.full((64,), float("nan"), device=DEVICE) for _ in range(1000)]  # where memory was given back
    answers = fast(first), fast(second)
    with torch.no_grad():
        torch.testing.assert_close(answers[0], step(first), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(answers[1], step(second), rtol=1e-4, atol=1e-4)
    del spoiled


def test_uploads_follow_each_other_without_mixing() -> None:
    upload = Upload(64, DEVICE)
    patches = [np.full((64, 64, 3), value, np.uint8) for value in range(50)]
    arrived = [upload(patch) for patch in patches]
    for value, tensor in enumerate(arrived):
        assert tensor.shape == (1, 3, 64, 64)
        assert (tensor == value).all()


@pytest.mark.parametrize("name", registry.names())
def test_a_tracker_gives_the_boxes_of_the_cpu(name: str, tmp_path: Path) -> None:
    weights = save_small(name, tmp_path / "small.safetensors")
    found = []
    for device in ("cpu", "cuda:0"):
        tracker = registry.load(name).from_checkpoint(weights, device=device, precision="fp32")
        frames = scene(3)  # later answers build on these, and random weights amplify every rounding
        tracker.init(frames[0], Target(box=Box(100, 80, 48, 36)))
        boxes = []
        for frame in frames[1:]:
            boxes.append(tracker.track(frame).box)
            tracker.memorize()
        found.append(np.array(boxes))
    np.testing.assert_allclose(found[1], found[0], atol=0.05)


@pytest.mark.parametrize("precision", available(DEVICE) if torch.cuda.is_available() else ())
@pytest.mark.parametrize("name", registry.names())
def test_every_precision_of_the_device_runs(name: str, precision: str, tmp_path: Path) -> None:
    weights = save_small(name, tmp_path / "small.safetensors")
    tracker = registry.load(name).from_checkpoint(weights, device="cuda:0", precision=precision)
    frames = scene(3)
    tracker.init(frames[0], Target(box=Box(100, 80, 48, 36)))
    assert np.isfinite(tracker.track(frames[1]).box).all()
