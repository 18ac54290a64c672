"""Checkpoints of both versions: the old ones load as they did, the new ones say network and backbone apart."""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_weights import OF_OLD_RELEASES, save_old, save_small, small_network
from safetensors import safe_open

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.parts.backbones import ARCHITECTURES
from stm_tracker_ros.trackers import checkpoint, registry

pytestmark = pytest.mark.torch

SHIPPED = [name for name in registry.names() if registry.load(name).shipped_weights]
LITE = [name for name in registry.names() if registry.load(name).small_network.endswith(":lite")]


def network_of(path: Path, name: str) -> Any:
    module = importlib.import_module(registry.load(name).build.split(":")[0])
    return checkpoint.network_of(checkpoint.read(path, name), path, module.NETWORKS)


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


@pytest.mark.parametrize("name", OF_OLD_RELEASES)
def test_a_file_of_version_1_gives_the_same_network(name: str, tmp_path: Path) -> None:
    old, new = save_old(name, tmp_path / "old.safetensors"), save_small(name, tmp_path / "new.safetensors")
    first, second = network_of(old, name), network_of(new, name)
    assert (metadata_of(old)["format_version"], metadata_of(new)["format_version"]) == ("1", "2")
    assert type(first) is type(second)
    assert first.config == second.config
    assert list(first.state_dict()) == list(second.state_dict())
    assert all(torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())


@pytest.mark.parametrize("name", registry.names())
def test_a_new_file_says_network_and_backbone_apart(name: str, tmp_path: Path) -> None:
    metadata = metadata_of(save_small(name, tmp_path / "new.safetensors"))
    assert metadata["network"] in ("lite", "paper")
    fields = json.loads(metadata["network_config"])
    assert fields["backbone"] in ARCHITECTURES
    assert "trunk" not in fields


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_are_taken_as_they_lie_in_the_file(name: str) -> None:
    path = registry.load(name).shipped_weights
    assert path is not None
    network = network_of(path, name)
    with safe_open(path, "pt") as file:
        stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    held = network.state_dict()
    assert len(stored) == len(held)
    for key, tensor in stored.items():
        assert torch.equal(held[key.replace("trunk.", "backbone.")], tensor.float()), key


@pytest.mark.parametrize("name", LITE)
def test_a_lite_network_flies_with_another_backbone(name: str, tmp_path: Path) -> None:
    """Which network it is does not follow from its backbone."""
    torch.manual_seed(3)
    small = small_network(name)
    network = type(small)(dataclasses.replace(small.config, backbone="resnet18")).eval()
    path = tmp_path / "other.safetensors"
    checkpoint.save(path, name, network.config, network.state_dict(), "made for a test")
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    tracker = registry.load(name).from_checkpoint(path)
    tracker.init(Frame(image=image, stamp_ns=0), Target(box=Box(60, 40, 30, 20)))
    result = tracker.track(Frame(image=image, stamp_ns=33_333_333))
    tracker.memorize()
    assert np.isfinite(result.box).all()
    assert 0 <= result.score <= 1


def test_an_unknown_network_or_backbone_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "strange.safetensors"
    config = small_network("stmtrack_lite").config
    for change, said in (({"backbone": "vgg"}, "backbone is 'vgg'; allowed is one of"), ({"KIND": "huge"}, "'huge'")):
        strange = dataclasses.replace(config)
        for field, value in change.items():
            object.__setattr__(strange, field, value)
        path.unlink(missing_ok=True)
        checkpoint.save(path, "stmtrack_lite", strange, {}, "made for a test")
        with pytest.raises(CheckpointError, match=said):
            network_of(path, "stmtrack_lite")


def test_what_was_once_a_field_of_the_network_is_left_out(tmp_path: Path) -> None:
    path = save_old("stmtrack_lite", tmp_path / "old.safetensors", first_weight=1.0)
    assert "first_weight" not in checkpoint.read(path, "stmtrack_lite").network
    assert network_of(path, "stmtrack_lite").config == small_network("stmtrack_lite").config
