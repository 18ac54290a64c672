"""A calibration in a checkpoint: it stands beside the tensors, reaches the tracker, and a broken one is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_weights import save_old, save_small
from safetensors import safe_open
from safetensors.torch import save_file

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.following.calibration import Calibration, Sight, as_scored
from stm_tracker_ros.trackers import checkpoint, registry

pytestmark = pytest.mark.torch

MADE = Calibration(bias=-2.5, weights={"score": 1 / 3, "unseen": -0.25, "rival": 0.0})
SHIPPED = [name for name in registry.names() if registry.load(name).shipped_weights]


def raw(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Metadata and tensors, as they stand in the file."""
    with safe_open(path, "pt") as file:
        return dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def calibrated(path: Path, name: str, target: Path, words: str = "by a test") -> Path:
    target.write_bytes(checkpoint.calibrated(path, name, MADE, words))
    return target


@pytest.mark.parametrize("save", [save_small, save_old])
@pytest.mark.parametrize("name", registry.names())
def test_it_is_added_and_nothing_else_changes(name: str, save: Any, tmp_path: Path) -> None:
    plain = save(name, tmp_path / "plain.safetensors")
    made = calibrated(plain, name, tmp_path / "made.safetensors")
    (before, tensors), (after, same) = raw(plain), raw(made)
    assert {key: value.numpy().tobytes() for key, value in tensors.items()} == {
        key: value.numpy().tobytes() for key, value in same.items()
    }
    assert set(after) - set(before) == {"calibration"}
    assert {key for key in before if after[key] != before[key]} == {"provenance"}
    assert checkpoint.read(made, name).calibration == MADE
    assert checkpoint.read(made, name).provenance == f"{before['provenance']}; score calibrated: by a test"
    assert checkpoint.read(plain, name).calibration is None


def test_another_one_takes_its_place(tmp_path: Path) -> None:
    first = calibrated(save_small("dmb_lite", tmp_path / "plain.safetensors"), "dmb_lite", tmp_path / "1.safetensors")
    second = calibrated(first, "dmb_lite", tmp_path / "2.safetensors", "again")
    assert checkpoint.read(second, "dmb_lite").provenance == "made for a test, seed 5; score calibrated: again"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", json.dumps({"bias": 1.0, "weights": {"score": 1.0}}), '{"bias": NaN, "weights": {}}'],
)
def test_a_broken_one_is_told(text: str, tmp_path: Path) -> None:
    metadata, tensors = raw(save_small("stmtrack_lite", tmp_path / "plain.safetensors"))
    save_file(tensors, tmp_path / "broken.safetensors", metadata | {"calibration": text})
    with pytest.raises(CheckpointError, match=r"broken.safetensors have a calibration that cannot be used.*calibrate"):
        registry.load("stmtrack_lite").from_checkpoint(tmp_path / "broken.safetensors")


@pytest.mark.parametrize("name", ["stmtrack_lite", "dmb_lite"])
def test_the_tracker_answers_with_it(name: str, tmp_path: Path) -> None:
    plain = save_small(name, tmp_path / "plain.safetensors")
    made = calibrated(plain, name, tmp_path / "made.safetensors")
    first, second = (registry.load(name).from_checkpoint(path, precision="fp32") for path in (plain, made))
    assert first.probability is as_scored  # type: ignore[attr-defined]
    draw = np.random.default_rng(2)
    images = [draw.integers(0, 256, (120, 160, 3), np.uint8) for _ in range(4)]
    for tracker in (first, second):
        tracker.init(Frame(image=images[0], stamp_ns=0), Target(box=Box(60, 50, 30, 24)))
    unseen = 0
    for number, image in enumerate(images[1:], 1):
        one, other = (tracker.track(Frame(image=image, stamp_ns=number * 33_333_333)) for tracker in (first, second))
        assert (one.box, one.found, one.candidates) == (other.box, other.found, other.candidates)
        unseen = 0 if one.found else unseen + 1
        assert other.score == pytest.approx(MADE.probability(Sight.of(one.score, unseen, 0.0)))
        first.memorize()
        second.memorize()


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped_is_calibrated(name: str) -> None:
    weights = registry.load(name).shipped_weights
    assert weights is not None
    stored = checkpoint.read(weights, name)
    assert stored.calibration is not None
    assert "score calibrated: " in stored.provenance
    sure, lost = (stored.calibration.probability(sight) for sight in (Sight(1.0, 0.0, 0.0), Sight(0.0, 20.0, 0.0)))
    assert lost < 0.5 < sure
    counts = stored.calibration.weights["rival"] < 0
    assert counts == (name != "dmb_lite")  # it answers with one mask, beside which nothing scores
