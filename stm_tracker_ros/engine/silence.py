"""Why nothing has been answered, in words: pure text, so that every cause can be tested by itself."""

from __future__ import annotations

from collections.abc import Mapping

from stm_tracker_ros.engine.drop_policy import DropReason

_ADVICE = {
    DropReason.SUPERSEDED: "the tracker is still at work on an image, newer ones take each other's place",
    DropReason.QUEUE_FULL: "the tracker is still at work on an image, and the queue is full",
    DropReason.TOO_OLD: "they are older than max_age_ms when their turn comes: raise it, or shorten the camera's way",
    DropReason.OUT_OF_ORDER: "their stamps lie before that of an image that came earlier",
    DropReason.DUPLICATE: "their stamp is that of the image before",
    DropReason.BAD_IMAGE: "the last: {error}",
    DropReason.TRACKER_ERROR: "the last: {error}",
}


def dominant(dropped: Mapping[DropReason, int]) -> DropReason | None:
    """The reason of most drops; None if there were none."""
    reason = max(dropped, key=lambda one: dropped[one], default=None)
    return reason if reason is not None and dropped[reason] else None


def explain(silent_s: float, dropped: Mapping[DropReason, int], last_error: str) -> str:
    """The sentence for the operator: nothing answered for so long, and what became of the images since then."""
    text = f"nothing answered for {silent_s:.1f} s"
    reason = dominant(dropped)
    if reason is None:
        return f"{text}: no image has come"
    total = sum(dropped.values())
    count = f"all {total}" if dropped[reason] == total else f"{dropped[reason]} of {total}"
    advice = _ADVICE.get(reason, "").format(error=last_error)
    return f"{text}: {count} images since then were dropped as {reason.value}" + (f": {advice}" if advice else "")
