"""The heartbeat ~/status: the engine's snapshot, or the lifecycle state where there is no engine running."""

from __future__ import annotations

import math
from dataclasses import dataclass

from std_msgs.msg import Header

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_ros.engine.stats import Snapshot
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros.image_source import InputReport
from stm_tracker_ros.ros.messages import to_time

_ENOUGH = 100  # letters of two errors that make them the same


@dataclass(frozen=True, kw_only=True)
class Troubles:
    """What the node itself has to say.

    texts: what is wrong, and the fix. since_ns: when it was activated last, by its clock; 0 = never, or before that
    clock ran. errors, last_error: what callbacks raised.
    """

    texts: tuple[str, ...] = ()
    since_ns: int = 0
    errors: int = 0
    last_error: str = ""


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """All that status and diagnostics speak of.

    state: of the node; the engine's while it runs. message: what is wrong and the fix; empty = all is well. trouble:
    the same without what is wrong with the input. snapshot: None until the node was configured once.
    """

    state: State
    message: str
    trouble: str
    snapshot: Snapshot | None
    input: InputReport
    since_ns: int = 0
    errors: int = 0
    last_error: str = ""

    @classmethod
    def of(cls, idle: State | None, own: Troubles, snapshot: Snapshot | None, source: InputReport) -> NodeReport:
        """The report of a node that is `idle`, or of the engine (`snapshot`) of an active one (None)."""
        active = idle is None and snapshot is not None
        engine = snapshot.message if active and snapshot is not None else ""
        images = _unusable(snapshot) if active and snapshot is not None else ""
        state = snapshot.state if active and snapshot is not None else idle or State.UNCONFIGURED
        return cls(
            state=state,
            message=_joined(engine, images, source.message or source.mixed if active else "", *own.texts),
            trouble=_joined(engine, *own.texts),
            snapshot=snapshot,
            input=source,
            since_ns=own.since_ns,
            errors=own.errors,
            last_error=own.last_error,
        )

    def drops(self) -> dict[str, int]:
        """Dropped frames by reason: received = tracked + their sum + waiting."""
        return {} if self.snapshot is None else {reason.value: n for reason, n in self.snapshot.dropped.items()}

    def lost_before_us(self) -> dict[str, int]:
        """Frames that never reached us, no part of that sum, by what became of them.

        `superseded_in_reader`: they reached our reader, and newer ones took their place before we took them;
        `middleware_lost`, or `middleware_lost_estimated` from stamps, where nothing counts.
        """
        if self.snapshot is None:
            return {}
        if self.snapshot.lost_is_estimated:
            return {"middleware_lost_estimated": self.snapshot.lost}
        reported = min(self.input.reported_lost, self.snapshot.lost)
        return {"superseded_in_reader": self.snapshot.lost - reported, "middleware_lost": reported}


def heartbeat(report: NodeReport, header: Header) -> TrackerStatus:
    """The message; `header` has the time of the heartbeat and the camera's frame."""
    message = TrackerStatus(header=header, state=int(report.state), message=report.message)
    drops = report.drops()
    message.drop_reasons, message.drop_counts = list(drops), list(drops.values())
    snapshot = report.snapshot
    if snapshot is not None:
        message.image_stamp, message.counters_since = to_time(snapshot.image_stamp_ns), to_time(report.since_ns)
        message.image_width, message.image_height = snapshot.image_size
        message.id, message.confidence = snapshot.target_id, _zero_if_none(snapshot.score)
        message.time_since_seen, message.age = _zero_if_none(snapshot.seen_s), _zero_if_none(snapshot.answer_age_s)
        message.received, message.tracked = snapshot.received, snapshot.tracked
    return message


def _unusable(snapshot: Snapshot) -> str:
    """What is wrong with the images that come, unless the engine's message has said so."""
    trouble = snapshot.image_trouble
    return "" if not trouble or trouble[:_ENOUGH] in snapshot.message else f"images cannot be used: {trouble}"


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def _zero_if_none(value: float) -> float:
    return 0.0 if math.isnan(value) else float(value)
