"""Names that were settings before the following stage was one for all trackers, and what they are called now."""

from __future__ import annotations

RENAMED = {
    "camera_motion": "search.camera_motion",
    "presence.search_growth": "search.largest",
    "prior.size_rate": "size.rate",
    "motion.size_rate": "size.rate",
    "prior.smallest_side": "size.smallest_side",
    "motion.smallest_side": "size.smallest_side",
    "motion.largest_change": "size.largest_change",
    "presence.rival_share": "presence.distractor_share",
    "motion.follow_score": "presence.least_score",
}
RENAMED_OF_DMB = {
    "motion.mask_threshold": "mask.threshold",
    "motion.smallest_mask": "mask.smallest",
    "search.guess_doubt": "uncertainty.guess",
}


def renamed(tracker: str) -> dict[str, str]:
    """Every name that was a parameter of that tracker before the following stage was one for all."""
    return RENAMED | (RENAMED_OF_DMB if tracker.startswith("dmb") else {})
