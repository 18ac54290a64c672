"""What the real steppers of STMTrack read, around small networks with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made_weights import save_old, small_network

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers import registry
from stm_tracker_ros.trackers.stmtrack.config import LITE
from stm_tracker_ros.trackers.stmtrack.paper_stepper import PaperStepper
from stm_tracker_ros.trackers.stmtrack.stepper import Stepper

pytestmark = pytest.mark.torch

BOX = Box(30.0, 40.0, 50.0, 40.0)


@pytest.mark.parametrize(("name", "kind"), [("stmtrack_lite", Stepper), ("stmtrack", PaperStepper)])
def test_the_first_frame_counts_as_much_as_it_is_told_to(name: str, kind: type) -> None:
    """With all the weight it answers as if it were alone, with hardly any as if it were not there."""
    stepper, random = kind(small_network(name), InferenceRuntime()), np.random.default_rng(0)
    patch = random.integers(0, 255, (stepper.crop_size, stepper.crop_size, 3), np.uint8)
    look, bank = stepper.encode(patch), stepper.bank(8)
    seen = stepper.upload(patch) if stepper.fresh_memory_crop else look
    torch.manual_seed(1)
    for number in (1, 2):  # what was remembered differs far more than random weights make it
        bank.add(number, [torch.randn_like(part) for part in stepper.remember(seen, BOX)])
    slots = [bank.first, bank.previous]
    alone, even = stepper.ask(look, bank, slots[:1]), stepper.ask(look, bank, slots)
    heavy, light = stepper.ask(look, bank, slots, 1e12), stepper.ask(look, bank, slots, 1e-12)
    np.testing.assert_allclose(heavy, alone, rtol=1e-3, atol=1e-3)
    assert np.abs(even - alone).max() > 1e-3
    assert np.abs(light - even).max() > 1e-3


def test_files_from_before_it_was_a_setting_load(tmp_path: Path) -> None:
    file = save_old("stmtrack_lite", tmp_path / "old.safetensors", first_weight=1.0)
    tracker = registry.load("stmtrack_lite").from_checkpoint(file)
    assert tracker.config.memory.first_weight == LITE.memory.first_weight  # type: ignore[attr-defined]
