"""Whether a pack has what samples are to be drawn from; one's own data need not have all of it."""

from __future__ import annotations

from collections.abc import Mapping

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.training.config import SamplerConfig
from stm_tracker_ros.training.pack import Pack


def refuse_missing(pack: Pack, config: SamplerConfig, video_shares: Mapping[str, float]) -> None:
    """Raises DataError where the pack has nothing of what is asked for.

    video_shares: the settings that ask for videos, by name.
    """
    asked = {name: share for name, share in video_shares.items() if share}
    if asked and not pack.tracks:
        shares = " and ".join(f"{name} is {share:g}" for name, share in asked.items())
        raise DataError(
            f"{shares}, and the pack has no videos; needed are some with boxes in clips/ or train_video/ of the data "
            f"(and a new --out, for a pack is kept), or {' '.join(f'--set {name}=0' for name in asked)}"
        )
    pasted = config.paste_share and config.video_share < 1
    cut_out = pasted or config.distractor_share or config.occluder_share
    if cut_out and all(still.mask < 0 for still in pack.stills):
        raise DataError(
            "the pack has no stills with masks, which objects are cut out of; needed are some in train_images.tar: "
            ".avif or .webp, each with its mask beside it as a .png of the same name (and a new --out)"
        )
