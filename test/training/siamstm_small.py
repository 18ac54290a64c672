"""Settings and networks of SiamSTM that train in seconds."""

from __future__ import annotations

from dataclasses import replace

import torch

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.trackers.siamstm.config import LiteNetworkConfig, PaperNetworkConfig
from stm_tracker_ros.trackers.siamstm.lite_network import LiteNetwork
from stm_tracker_ros.training.siamstm.config import LiteTrainConfig, PaperTrainConfig

CPU = torch.device("cpu")
SIZE = 96
SMALL = LiteNetworkConfig(crop_size=SIZE, width=32, channels=16, kernel=2, mask_width=8)
OFF = dict.fromkeys(("distractor_share", "occluder_share", "elsewhere_share", "sibling_share", "similar_share"), 0.0)
PLAIN = replace(LiteTrainConfig().sampler, **OFF)  # type: ignore[arg-type]
PARTS = LiteTrainConfig(network=SMALL, sampler=PLAIN, batch=3, precision="fp32", warm_up=1, rate=3e-3, log_steps=7)
TINY = with_changes(PARTS, {"loss.arm": 0.5})
NARROW = PaperTrainConfig(
    network=PaperNetworkConfig(width=4, channels=16, mask_width=8), sampler=PLAIN, batch=2, samples=2, precision="fp32"
)


def keen(network: LiteNetwork) -> LiteNetwork:
    """Its random backbone tells crops apart; as it is made all features are nearly the same."""
    with torch.no_grad():
        for weight in network.backbone.parameters():
            weight *= 2 if weight.ndim == 4 else 1
    return network
