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


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """All that status and diagnostics speak of.

    state: of the node; the engine's while it runs. message: what is wrong and the fix; empty = all is well.
    snapshot: None until the node was configured once.
    """

    state: State
    message: str
    snapshot: Snapshot | None
    input: InputReport

    @classmethod
    def of(cls, idle: State | None, trouble: str, snapshot: Snapshot | None, source: InputReport) -> NodeReport:
        """The report of a node that is `idle`, or of the engine (`snapshot`) of an active one (None)."""
        if idle is None and snapshot is not None:
            message = snapshot.message or source.message or trouble
            return cls(state=snapshot.state, message=message, snapshot=snapshot, input=source)
        return cls(state=idle or State.UNCONFIGURED, message=trouble, snapshot=snapshot, input=source)

    def drops(self) -> dict[str, int]:
        """Dropped frames by reason, and behind them those lost before us.

        The engine's reasons satisfy received = tracked + dropped + waiting; `superseded_in_reader` (they reached our
        reader, and newer ones took their place before we took them), `middleware_lost` and
        `middleware_lost_estimated` (from stamps, where nothing counts) are no part of that sum.
        """
        if self.snapshot is None:
            return {}
        drops = {reason.value: count for reason, count in self.snapshot.dropped.items()}
        if self.snapshot.lost_is_estimated:
            return drops | {"middleware_lost_estimated": self.snapshot.lost}
        reported = min(self.input.reported_lost, self.snapshot.lost)
        return drops | {"superseded_in_reader": self.snapshot.lost - reported, "middleware_lost": reported}


def heartbeat(report: NodeReport, header: Header) -> TrackerStatus:
    """The message; `header` has the time of the heartbeat and the camera's frame."""
    message = TrackerStatus(header=header, state=int(report.state), message=report.message)
    drops = report.drops()
    message.drop_reasons, message.drop_counts = list(drops), list(drops.values())
    snapshot = report.snapshot
    if snapshot is not None:
        message.image_stamp = to_time(snapshot.image_stamp_ns)
        message.id, message.confidence = snapshot.target_id, _zero_if_none(snapshot.score)
        message.time_since_seen, message.age = _zero_if_none(snapshot.seen_s), _zero_if_none(snapshot.answer_age_s)
        message.received, message.tracked = snapshot.received, snapshot.tracked
    return message


def _zero_if_none(value: float) -> float:
    return 0.0 if math.isnan(value) else float(value)
