"""Tracking captures nothing: every step that a frame needs is captured while the tracker is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_weights import save_small
from torch import Tensor

from stm_tracker_ros.core.config import settings, with_changes
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.parts import onednn, precision
from stm_tracker_ros.parts.inference import Step
from stm_tracker_ros.trackers import registry

pytestmark = pytest.mark.torch

# every frame is remembered, and read in the next one
EAGER = {"memory.store_score": 0.0, "memory.store_share": 0.0, "memory.previous_score": 0.0, "memory.interval": 1}
MADE = [(name, kind) for name in registry.names() for kind in ("fp32", "bf16")]
SHIPPED = [(name, kind) for name, kind in MADE if registry.load(name).shipped_weights]
FEW = 3  # frames where a precision is imitated, which takes seconds a frame


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the steps captured so far."""
    seen: list[str] = []
    capture = Step._capture

    def noted(step: Step, arguments: tuple[Tensor, ...]) -> Any:
        kinds = ", ".join(f"{tuple(argument.shape)} {argument.dtype}" for argument in arguments)
        seen.append(f"{getattr(step._function, '__name__', '?')}: {kinds}")
        return capture(step, arguments)

    monkeypatch.setattr(Step, "_capture", noted)
    return seen


def allow(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the precision be used on this CPU: where it has none of its own, by torch's slow operations."""
    if kind not in precision.available(torch.device("cpu")):
        monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset(precision.CPU_FLAGS_OF_BF16))
        monkeypatch.setattr(onednn, "is_available", lambda: False)


def scene(count: int) -> list[Frame]:
    """A textured square that moves over a textured background."""
    rng = np.random.default_rng(0)
    background = np.kron(rng.integers(0, 256, (15, 20, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
    square = np.kron(rng.integers(0, 256, (9, 12, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
    images = []
    for index in range(count):
        images.append(background.copy())
        images[-1][80:116, 100 + index : 148 + index] = square
    return [Frame(image=image, stamp_ns=index * 33_333_333) for index, image in enumerate(images)]


def captured_after_loading(name: str, kind: str, weights: Path | None, count: int, captures: list[str]) -> list[str]:
    """What a tracker captures from `init` on, in so many frames that are all remembered."""
    entry = registry.load(name)
    known = {one.name for one in settings(entry.default_config)}
    config = with_changes(entry.default_config, {name: value for name, value in EAGER.items() if name in known})
    tracker = entry.from_checkpoint(weights, precision=kind, config=config)
    assert captures, "nothing is captured at all: the test looks at the wrong place"
    loaded = len(captures)
    pictures = scene(count + 1)
    tracker.init(pictures[0], Target(box=Box(100, 80, 48, 36)))
    for picture in pictures[1:]:
        tracker.track(picture)
        tracker.memorize()
    return captures[loaded:]


@pytest.mark.parametrize(("name", "kind"), MADE)
def test_a_small_network_is_captured_while_it_is_loaded(
    name: str, kind: str, tmp_path: Path, captures: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 10 if kind in precision.available(torch.device("cpu")) else FEW
    allow(kind, monkeypatch)
    weights = save_small(name, tmp_path / "small.safetensors")
    assert captured_after_loading(name, kind, weights, count, captures) == []


@pytest.mark.parametrize(("name", "kind"), SHIPPED)
def test_the_shipped_weights_are_captured_while_they_are_loaded(name: str, kind: str, captures: list[str]) -> None:
    if kind not in precision.available(torch.device("cpu")):
        pytest.skip(f"NO {kind.upper()}: this CPU has neither avx512_bf16 nor amx")
    assert captured_after_loading(name, kind, None, 10, captures) == []
