"""/diagnostics by REP-107: one status for the input, one for the tracker; levels, a sentence, key values."""

from __future__ import annotations

import math
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from stm_tracker_ros.engine.stats import Percentiles, Snapshot
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros.status import NodeReport

_LEVELS = {
    State.UNCONFIGURED: DiagnosticStatus.WARN,
    State.INACTIVE: DiagnosticStatus.WARN,
    State.INITIALISING: DiagnosticStatus.WARN,
    State.LOST: DiagnosticStatus.WARN,
    State.FAULT: DiagnosticStatus.ERROR,
}
LOST_PREFIX = "lost before us: "
"""Keys of the input's values that begin so count what never reached the node."""


def array(header: Header, name: str, hardware_id: str, report: NodeReport, facts: Mapping[str, str]) -> DiagnosticArray:
    """The message of one second.

    name: fully qualified name of the node; facts: what does not change while it is configured (device, weights, ...).
    """
    statuses = [_input(report), _tracker(report, facts)]
    for status in statuses:
        status.name, status.hardware_id = f"{name}: {status.name}", hardware_id
    return DiagnosticArray(header=header, status=statuses)


def lost_before_us(message: DiagnosticArray, node: str) -> dict[str, int]:
    """What never reached the node of that full name, by what became of it; empty where the message is another's."""
    values = [one for status in message.status if status.name == f"{node}: input" for one in status.values]
    lost = {one.key.removeprefix(LOST_PREFIX): one.value for one in values if one.key.startswith(LOST_PREFIX)}
    return {what: int(count) for what, count in lost.items()}


def _input(report: NodeReport) -> DiagnosticStatus:
    source, snapshot = report.input, report.snapshot
    if source.silent_s is None:
        level, message = DiagnosticStatus.OK, "not subscribed while the node is inactive"
    elif source.why is not None:
        level, message = DiagnosticStatus.ERROR, source.message
    elif snapshot is not None and snapshot.image_trouble:
        level, message = DiagnosticStatus.ERROR, f"images arrive, but cannot be used: {snapshot.image_trouble}"
    elif len(source.publishers) > 1:
        nodes = ", ".join(publisher.node for publisher in source.publishers)
        level, message = DiagnosticStatus.WARN, f"{len(source.publishers)} publishers share {source.topic}: {nodes}"
    elif snapshot is not None and snapshot.silent:
        level, message = DiagnosticStatus.ERROR, f"images arrive, or did, but {snapshot.message}"
    elif snapshot is not None and snapshot.stamp_trouble:
        level = DiagnosticStatus.WARN
        message = f"stamps of the images {snapshot.stamp_trouble}: their arrival stands for them"
    else:
        level, message = DiagnosticStatus.OK, "images arrive"
    values = {
        "topic": source.topic,
        "image transport": source.transport,
        "qos in use": f"{source.reliability}, volatile, keep last {source.depth}",
        "publishers": ", ".join(f"{p.node} ({p.type_name}, {p.reliability})" for p in source.publishers) or "none",
        "seconds without image": "" if source.silent_s is None else f"{source.silent_s:.1f}",
        "reported lost by the middleware": str(source.reported_lost),
    }
    values |= {f"{LOST_PREFIX}{what}": str(count) for what, count in report.lost_before_us().items()}
    return _status("input", level, message, values | ({} if snapshot is None else _stream(snapshot)))


def _stream(snapshot: Snapshot) -> dict[str, str]:
    return {
        "rate (Hz)": _number(snapshot.rate_hz),
        "received": str(snapshot.received),
        "stamps": f"{snapshot.stamp_trouble}: the arrival" if snapshot.stamp_trouble else "from the camera",
        "clock offset (ms)": _number(snapshot.clock_offset_ms),
        "jumps of time": str(snapshot.jumps),
    }


def _tracker(report: NodeReport, facts: Mapping[str, str]) -> DiagnosticStatus:
    level = _LEVELS.get(report.state, DiagnosticStatus.WARN if report.trouble else DiagnosticStatus.OK)
    if report.state in (State.UNCONFIGURED, State.INACTIVE) and report.message:
        level = DiagnosticStatus.ERROR
    text = report.message if report.state in _LEVELS else report.trouble
    message = f"{report.state.name}: {text}" if text else report.state.name
    values = dict(facts) | {"callback errors": str(report.errors), "last callback error": report.last_error}
    if report.snapshot is not None:
        values |= _work(report.snapshot)
    values |= {f"dropped: {reason}": str(count) for reason, count in report.drops().items() if count}
    return _status("tracker", level, message, values)


def _work(snapshot: Snapshot) -> dict[str, str]:
    return {
        "target": snapshot.target_id,
        "score": _number(snapshot.score),
        "tracked": str(snapshot.tracked),
        "waiting": str(snapshot.waiting),
        "errors": str(snapshot.errors),
        "last error": snapshot.last_error,
        "arrival to answer (ms)": _latency(snapshot.arrival_to_answer),
        "stamp to answer (ms)": _latency(snapshot.stamp_to_answer),
        "track (ms)": _latency(snapshot.track),
        "memorize (ms)": _latency(snapshot.memorize),
    }


def _status(name: str, level: bytes, message: str, values: Mapping[str, str]) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(name=name, level=level, message=message, values=pairs)


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"


def _latency(percentiles: Percentiles) -> str:
    if not percentiles.count:
        return ""
    return f"p50 {percentiles.p50:.1f}, p95 {percentiles.p95:.1f}, p99 {percentiles.p99:.1f}"
