"""What a tracker writes into its memory about its own answer: scores as sure as they are, not one hard box.

DMV, section 3.1: "soft representation of the center score and box regression maps", scores below 0.5 set to zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stm_tracker_ros.parts.overlap import overlaps

FLOOR = 0.5  # below, a score says nothing
SAME = 0.5  # overlap from which a candidate is the target


def soft_label(score: Tensor, floor: float = FLOOR) -> Tensor:
    """Scores in [0, 1], any shape -> the same, zero below the floor; those that stay keep their gradient."""
    return torch.where(score < floor, torch.zeros_like(score), score)


def of_followed(score: Tensor, boxes: Tensor, followed: Tensor) -> Tensor:
    """Scores B x N, zero where a candidate's box (B x N x 4 corners) is not the one that is followed (B x 4)."""
    same = overlaps(boxes, followed[:, None])[0] >= SAME
    return torch.where(same, score, torch.zeros_like(score))
