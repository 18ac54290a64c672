"""What came of a run: figures as JSON, the bars that they are held against, a table for people. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.demo.sample import Sample
from stm_tracker_ros.ros.demo_record import Answer, CameraRecord, ClientRecord, Shot

REACHED_BAR = 0.95
TRACKED_BAR = 0.80
# Of the true boxes with the target in view; where it is partly hidden, the overlap is reported and no bar is set.
IOU_BAR, MEAN_IOU_BAR = 0.5, 0.8
LOST_WITHIN_FRAMES = 30
MAX_INTERPOLATED_FRAMES = 2
NS_PER_MS = 1e6
# Reasons of ~/status for images that never reached the node's reader; all others did.
NEVER_REACHED = ("middleware_lost", "middleware_lost_estimated")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the table: `passed` is None where nothing is asked, or nothing is known."""

    name: str
    value: str
    bar: str = ""
    passed: bool | None = None


def summarise(sample: Sample, camera: CameraRecord, client: ClientRecord, fps: float) -> dict[str, Any]:
    """The figures of a run, ready for JSON; `fps` is the camera's rate in frames a second."""
    shots = [shot for shot in camera.shots if shot.playing]
    by_frame = answers_by_frame(shots, client)
    return {
        "video": sample.video.name,
        "fps": fps,
        "rmw": client.rmw,
        "frames": _frames(camera, client, by_frame, len(shots)),
        "latency_ms": _latency(list(by_frame.values())),
        "states": _states(camera.shots, client),
        "truth": _truth(sample, _shown_before(camera, client) | by_frame, _states(camera.shots, client))
        if sample.has_truth
        else None,
    }


def answers_by_frame(shots: Sequence[Shot], client: ClientRecord) -> dict[int, Answer]:
    """The answers to the images played, by frame; frames that were dropped have none."""
    answers = {answer.stamp_ns: answer for answer in client.answers}
    return {shot.frame: answers[shot.stamp_ns] for shot in shots if shot.stamp_ns in answers}


def checks(summary: Mapping[str, Any]) -> list[Check]:
    """The summary's figures against their bars, in the order of the table."""
    frames, latency, period_ms = summary["frames"], summary["latency_ms"], 1e3 / summary["fps"]
    played = frames["played"]
    result = [
        Check(name="frames published", value=_published(frames)),
        _share("reached the node's reader", played - frames["never_reached"], played, REACHED_BAR),
        _share("tracked", frames["tracked"], played, TRACKED_BAR),
        Check(name="dropped, by reason", value=_reasons(frames["dropped"])),
        Check(
            name="frames without an account",
            value=str(frames["unaccounted"]),
            bar="0",
            passed=frames["unaccounted"] == 0,
        ),
        Check(
            name="capture to answer, p50 / p95 / p99",
            value=" / ".join(_ms(latency[name]) for name in ("p50", "p95", "p99")) + " ms",
            bar=f"p50 < {period_ms:.1f} ms",
            passed=latency["p50"] is not None and latency["p50"] < period_ms,
        ),
        Check(name="states, from frame", value=", ".join(f"{state} {frame}" for frame, state in summary["states"])),
    ]
    return result + (_truth_checks(summary["truth"]) if summary["truth"] else [])


def table(rows: Sequence[Check]) -> str:
    """The checks as aligned text."""
    marks = {True: "ok", False: "FAIL", None: ""}
    cells = [(row.name, row.value, row.bar, marks[row.passed]) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = [
        "  ".join((*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3])).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def box_at(frame: int, by_frame: Mapping[int, Answer]) -> Box | None:
    """The box answered for a frame; for a dropped one interpolated over at most MAX_INTERPOLATED_FRAMES of them.

    None where the frame was answered without a valid box, or too many were dropped.
    """
    if frame in by_frame:
        return by_frame[frame].box
    before = _nearest(frame, by_frame, -1)
    after = _nearest(frame, by_frame, 1)
    if before is None or after is None or after - before - 1 > MAX_INTERPOLATED_FRAMES:
        return None
    first, last = by_frame[before].box, by_frame[after].box
    if first is None or last is None:
        return None
    share = (frame - before) / (after - before)
    return Box(*(np.asarray(first) * (1 - share) + np.asarray(last) * share).tolist())


def _frames(camera: CameraRecord, client: ClientRecord, by_frame: Mapping[int, Answer], played: int) -> dict[str, Any]:
    last = client.heartbeats[-1] if client.heartbeats else None
    drops = {} if last is None else {reason: count for reason, count in last.drops.items() if count}
    tracked = 0 if last is None else last.tracked
    published = len(camera.shots)
    missing = published - tracked - sum(drops.values())
    # Gaps in the numbering leave out only what came before the first image received and after the last one. If the
    # last one published was answered, all that is missing was shown before the node's reader was there.
    last_answered = last is not None and bool(camera.shots) and last.image_stamp_ns == camera.shots[-1].stamp_ns
    too_early = missing if last_answered and 0 <= missing < published - played else 0
    return {
        "published": published,
        "waiting_for_target": published - played,
        "before_the_reader": too_early,
        "played": played,
        "received": 0 if last is None else last.received,
        "never_reached": sum(drops.get(reason, 0) for reason in NEVER_REACHED),
        "tracked": len(by_frame),
        "tracked_with_waiting": tracked,
        "dropped": drops,
        "unaccounted": missing - too_early,
    }


def _shown_before(camera: CameraRecord, client: ClientRecord) -> dict[int, Answer]:
    """The last answer from before playing as that of frame -1: where frame 0 is dropped, it is interpolated too."""
    waiting = {shot.stamp_ns for shot in camera.shots if not shot.playing}
    last = [answer for answer in client.answers if answer.stamp_ns in waiting][-1:]
    return {-1: last[0]} if last else {}


def _latency(answers: Sequence[Answer]) -> dict[str, float | int | None]:
    """Milliseconds from the image's stamp to the answer at the client; None without answers."""
    values = [(answer.arrival_ns - answer.stamp_ns) / NS_PER_MS for answer in answers]
    if not values:
        return {"p50": None, "p95": None, "p99": None, "count": 0}
    p50, p95, p99 = (round(float(value), 2) for value in np.percentile(values, (50, 95, 99)))
    return {"p50": p50, "p95": p95, "p99": p99, "count": len(values)}


def _states(shots: Sequence[Shot], client: ClientRecord) -> list[tuple[int, str]]:
    """Frame and state wherever the state changed, exact to the period of the heartbeat; waiting images are frame 0."""
    frame_of = {shot.stamp_ns: shot.frame for shot in shots}
    changes: list[tuple[int, str]] = []
    for heartbeat in client.heartbeats:
        frame = frame_of.get(heartbeat.image_stamp_ns)
        if frame is not None and (not changes or changes[-1][1] != heartbeat.state):
            changes.append((frame, heartbeat.state))
    return changes


def _truth(sample: Sample, by_frame: Mapping[int, Answer], states: Sequence[tuple[int, str]]) -> dict[str, Any]:
    overlaps = {frame: _overlap(box, box_at(frame, by_frame)) for frame, box in sample.true_boxes.items()}
    scored = [overlaps[frame] for frame in sample.scored_frames]
    result: dict[str, Any] = {
        "iou": overlaps,
        "scored": list(sample.scored_frames),
        "partly_hidden": list(sample.hidden_frames),
        "mean_iou": round(float(np.mean(scored)), 4) if scored else None,
        "lowest_iou": min(scored, default=None),
    }
    if sample.first_absent is None:
        return result
    gone = sample.first_absent
    lost = next((frame for frame, state in states if state == "LOST" and frame >= gone), None)
    # LOST already when it left, and still LOST: no change after that to be found.
    if lost is None and _state_at(gone, states) == "LOST":
        lost = gone
    boxes_after = None if lost is None else sum(answer.box is not None for f, answer in by_frame.items() if f >= lost)
    return {**result, "first_absent": gone, "lost_frame": lost, "boxes_after_lost": boxes_after}


def _truth_checks(truth: Mapping[str, Any]) -> list[Check]:
    result = _overlap_checks(truth) if truth["scored"] else []
    hidden = ", ".join(f"{truth['iou'][frame]:.2f} (frame {frame})" for frame in truth["partly_hidden"])
    if hidden:
        result.append(Check(name="IoU where it is partly hidden", value=hidden))
    if "lost_frame" not in truth:
        return result
    lost, gone = truth["lost_frame"], truth["first_absent"]
    value = "never" if lost is None else f"{lost - gone} frames later (frame {lost})"
    in_time = lost is not None and lost - gone <= LOST_WITHIN_FRAMES
    bar = f"<= {LOST_WITHIN_FRAMES} frames"
    result.append(Check(name=f"LOST after leaving at frame {gone}", value=value, bar=bar, passed=in_time))
    boxes = truth["boxes_after_lost"]
    text = "-" if boxes is None else str(boxes)
    return [*result, Check(name="valid boxes after that", value=text, bar="0", passed=boxes == 0)]


def _overlap_checks(truth: Mapping[str, Any]) -> list[Check]:
    overlaps, mean, lowest = truth["iou"], truth["mean_iou"], truth["lowest_iou"]
    worst = min(truth["scored"], key=overlaps.get)
    name, at = f"IoU with {len(truth['scored'])} true boxes", f"{lowest:.2f} (frame {worst})"
    return [
        Check(name=f"{name}, mean", value=f"{mean:.2f}", bar=f">= {MEAN_IOU_BAR}", passed=mean >= MEAN_IOU_BAR),
        Check(name=f"{name}, lowest", value=at, bar=f">= {IOU_BAR}", passed=lowest >= IOU_BAR),
    ]


def _overlap(true_box: Box, box: Box | None) -> float:
    return 0.0 if box is None else round(float(iou(true_box, box)), 4)


def _state_at(frame: int, states: Sequence[tuple[int, str]]) -> str:
    return next((state for since, state in reversed(states) if since <= frame), "")


def _nearest(frame: int, by_frame: Mapping[int, Answer], step: int) -> int | None:
    """The nearest answered frame before (step -1) or after (step 1), as far as interpolation may reach."""
    near = range(frame + step, frame + step * (MAX_INTERPOLATED_FRAMES + 1), step)
    return next((one for one in near if one in by_frame), None)


def _share(name: str, count: int, total: int, bar: float) -> Check:
    share = count / total if total else 0.0
    return Check(name=name, value=f"{count} of {total} ({share:.1%})", bar=f">= {bar:.0%}", passed=share >= bar)


def _published(frames: Mapping[str, Any]) -> str:
    early = frames["before_the_reader"]
    note = f", {early} of them before the node listened" if early else ""
    return f"{frames['published']} ({frames['waiting_for_target']} before playing{note})"


def _reasons(drops: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(drops.items())) or "none"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
