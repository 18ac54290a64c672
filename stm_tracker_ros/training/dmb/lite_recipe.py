"""The recipe of `dmb_lite`: clips of three from stills made to move and from videos, with masks or boxes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers.dmb import build
from stm_tracker_ros.trackers.dmb.config import LITE, LiteNetworkConfig
from stm_tracker_ros.trackers.dmb.lite_network import LiteNetwork
from stm_tracker_ros.training import outcome, published, similar, validation
from stm_tracker_ros.training.dmb.config import LiteTrainConfig
from stm_tracker_ros.training.dmb.lite_task import LiteTask
from stm_tracker_ros.training.loop import Loop, Weights
from stm_tracker_ros.training.start import load_start

DEFAULTS = LiteTrainConfig()
# Trained on 256 px of about 3 target sizes, flown on 320 px of 3.2: a target has a third more pixels, and finer masks.
TRAINED = LiteNetworkConfig(crop_size=256)
FLOWN = LiteNetworkConfig(crop_size=320)


def train(data: Path, out: Path, device: torch.device, config: LiteTrainConfig) -> None:
    """Train in the folder `out`; a second phase names the first one's weights in `start_from`."""
    torch.manual_seed(config.seed)
    network = LiteNetwork(TRAINED)
    if config.start_from:
        load_start(network, Path(config.start_from), "dmb_lite")
    else:
        published.fill(network.backbone, network.config.backbone, config.backbone_weights)
    similar.packed(data, out / "pack", config.clips.sampler, network.backbone, device)
    task = LiteTask(network, out / "pack", data / "train_video", config, device)
    loop = Loop(task, out, config, device)
    validate = partial(_validate, data=data, device=device)
    outcome.run(loop, "dmb_lite", FLOWN, validate, data)


def _validate(weights: Weights, data: Path, device: torch.device) -> dict[str, float]:
    flown = LiteNetwork(FLOWN)
    flown.load_state_dict(weights)
    return validation.score(build.tracker(flown, InferenceRuntime(device=device), LITE), data)
