"""The recipe of `siamstm`, as published; `paper_task` says where it differs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from stm_tracker_ros.parts.inference import InferenceRuntime
from stm_tracker_ros.trackers.siamstm import build
from stm_tracker_ros.trackers.siamstm.config import PAPER, PaperNetworkConfig
from stm_tracker_ros.trackers.siamstm.paper_network import PaperNetwork
from stm_tracker_ros.training import feature_cache, outcome, published, similar, validation
from stm_tracker_ros.training.loop import Loop, Weights
from stm_tracker_ros.training.siamstm.cached import drawn
from stm_tracker_ros.training.siamstm.config import PaperTrainConfig
from stm_tracker_ros.training.siamstm.paper_task import Frozen, PaperTask
from stm_tracker_ros.training.siamstm.sampler import outlined_sampler
from stm_tracker_ros.training.start import load_start

DEFAULTS = PaperTrainConfig()
INPUT = "bgr_raw"


def train(data: Path, out: Path, device: torch.device, config: PaperTrainConfig) -> None:
    """Train in the folder `out`; a run from earlier weights names them in `start_from`."""
    torch.manual_seed(config.seed)
    network = PaperNetwork(replace(config.network, crop_size=config.crop_size))
    if config.start_from:
        load_start(network, Path(config.start_from), "siamstm")
    else:
        fill_backbone(network, config.backbone_weights)
    similar.packed(data, out / "pack", config.sampler, network.backbone, device, network.prepared)
    drawn_by = partial(_drawn_by, network, out / "pack", config)
    validate = partial(_validate, shape=config.network, data=data, device=device)
    with feature_cache.made(out, config.cached_samples, config.renewed, config, drawn_by) as cache:
        loop = Loop(PaperTask(network, out / "pack", cache, config, device), out, config, device)
        outcome.run(loop, "siamstm", config.network, validate, data)


def fill_backbone(network: PaperNetwork, given: str) -> None:
    """Fill it from the file `given`. Raises DataError where none is named, CheckpointError where it does not fit."""
    if given == "random":
        return
    published.fill(network.backbone, network.config.backbone, given, INPUT)


def _drawn_by(network: PaperNetwork, packed: Path, config: PaperTrainConfig, seed: int) -> feature_cache.Draw:
    still = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen = Frozen(still, "bf16" if config.precision == "fp16" else config.precision)  # fp16 is for a GPU
    return drawn(outlined_sampler(packed, config.cut, network.crop_size, seed), frozen.of_sample)


def _validate(weights: Weights, shape: PaperNetworkConfig, data: Path, device: torch.device) -> dict[str, float]:
    network = PaperNetwork(shape)
    network.load_state_dict(weights)
    return validation.score(build.tracker(network, InferenceRuntime(device=device), PAPER), data)
