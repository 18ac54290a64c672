"""Names that were settings before the following stage was one for all trackers, and what they are called now."""

from __future__ import annotations

RENAMED = {
    "area_factor": "search.scale",
    "camera_motion": "search.camera_motion",
    "prior.size_rate": "size.rate",
    "motion.size_rate": "size.rate",
    "presence.rival_share": "presence.distractor_share",
    "motion.follow_score": "presence.least_score",
}
RENAMED_OF_DMB = {
    "spatial.area_factor": "spatial.scale",
    "motion.mask_threshold": "mask.threshold",
    "motion.smallest_mask": "mask.smallest",
    "search.guess_doubt": "uncertainty.guess",
}

WITHDRAWN = [
    "presence.alone_share",
    "presence.jump_share",
    "presence.least_share",
    "presence.far_frames",
    "presence.least_trust",
    "presence.trust_frames",
    "presence.search_growth",
    "search.growth",
    "search.largest",
    "search.glance_score",
    "size.by_score",
    "size.largest_change",
    "size.smallest_side",
    "prior.smallest_side",
]
WITHDRAWN_OF_DMB = ["motion.largest_change", "motion.smallest_side"]


def withdrawn(tracker: str) -> list[str]:
    """Every name that was a parameter of that tracker, and is none any more."""
    return WITHDRAWN + (WITHDRAWN_OF_DMB if tracker.startswith("dmb") else [])


def renamed(tracker: str) -> dict[str, str]:
    """Every name that was a parameter of that tracker before the following stage was one for all."""
    return RENAMED | (RENAMED_OF_DMB if tracker.startswith("dmb") else {})
