"""What is remembered of the first frame: the mask that was given, or one that is found in the box (section IV-A c)."""

from __future__ import annotations

import numpy as np

from stm_tracker_ros.core.matching import Look
from stm_tracker_ros.core.types import Target
from stm_tracker_ros.parts.crop_mask import NOTHING_LOGIT
from stm_tracker_ros.trackers.dmb import masks
from stm_tracker_ros.trackers.dmb.filtering import Seen
from stm_tracker_ros.trackers.dmb.lite_network import MASK_STRIDE
from stm_tracker_ros.trackers.dmb.masks import Share
from stm_tracker_ros.trackers.dmb.steps import Steps

LEAST_OF_BOX = 0.1  # a first mask below this share of its box is no better than the box


def first_label(stepper: Steps, target: Target, look: Look, seen: Seen) -> tuple[Share, Share]:
    """The share of the target in each cell of the first crop, and its logits."""
    cells = stepper.mask_cells
    if target.mask is not None:
        label = masks.in_crop(target.mask, seen.crop, seen.crop.scale * stepper.crop_size, cells)
        return label, label
    label = masks.filled(seen.crop.to_crop(look.expected), cells, float(MASK_STRIDE))
    bank = stepper.bank(1)
    bank.add(1, stepper.remember(seen.encoded, label, is_box=True))
    answer = stepper.segment(seen.encoded, bank, [bank.first], seen.guide, 1.0)
    near = masks.dilated(label) * masks.reaching(answer.logit > 0, label > 0)
    found = masks.probability(answer.logit) * near
    if found.sum() < LEAST_OF_BOX * label.sum():
        return label, np.where(label > 0, -NOTHING_LOGIT, NOTHING_LOGIT).astype(np.float32)
    return found, np.where(near > 0, answer.logit, NOTHING_LOGIT).astype(np.float32)
