"""The played video with what was answered drawn over it: a video, and a sheet of every n-th frame with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2

from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.demo.contact_sheet import Moment, contact_sheet
from stm_tracker_ros.demo.report import NS_PER_MS, answers_by_frame
from stm_tracker_ros.demo.sample import Sample
from stm_tracker_ros.drawing import draw_overlay
from stm_tracker_ros.ros.demo_record import Answer, ClientRecord, Shot
from stm_tracker_ros.video_writer import VideoWriter

VIDEO_NAME, SHEET_NAME = "overlay.mp4", "contact_sheet.png"
SHEET_EVERY = 10
# A sheet of a long video of the user's own stays a picture.
SHEET_MOST = 40
DROPPED = "DROPPED"


class Standing(NamedTuple):
    """The state at a frame, and for how many frames it has not been TRACKING."""

    state: str
    unseen: int


def write_pictures(
    files: OutputFolder,
    sample: Sample,
    shots: Sequence[Shot],
    client: ClientRecord,
    states: Sequence[tuple[int, str]],
    fps: float,
) -> None:
    """Write VIDEO_NAME and SHEET_NAME into `files`; `states` are frame and state of every change, in order."""
    by_frame = answers_by_frame(shots, client)
    every = SHEET_EVERY * max(1, -(-len(shots) // (SHEET_EVERY * SHEET_MOST)))
    chosen: list[Moment] = []
    with files.new(VIDEO_NAME) as file, VideoWriter(file, fps) as video:
        for number, frame in zip(range(len(shots)), frames(sample.video), strict=False):
            image, standing, answer = frame.bgr(), standing_at(number, states), by_frame.get(number)
            video.write(_picture(image, number, answer, client, standing, fps))
            if number % every == 0:
                chosen.append(_moment(image, number, answer, client, standing, sample.true_boxes.get(number)))
    if chosen:
        files.write(SHEET_NAME, cv2.imencode(".png", contact_sheet(chosen))[1].tobytes())


def standing_at(number: int, states: Sequence[tuple[int, str]]) -> Standing:
    """Where the target stood at a frame; no state before the first change."""
    past = [change for change in states if change[0] <= number]
    if not past:
        return Standing("", 0)
    since = number + 1
    for frame, state in reversed(past):
        if state == "TRACKING":
            break
        since = frame
    return Standing(past[-1][1], number + 1 - since)


def _picture(
    image: Pixels, number: int, answer: Answer | None, client: ClientRecord, standing: Standing, fps: float
) -> Pixels:
    note = f"frame {number}"
    if answer is None:
        return draw_overlay(image, state=DROPPED, note=note, center_cross=True)
    return draw_overlay(
        image,
        box=answer.box,
        state=standing.state,
        score=answer.score,
        mask=client.mask(answer.stamp_ns),
        rotated=answer.rotated,
        latency_ms=(answer.arrival_ns - answer.stamp_ns) / NS_PER_MS,
        unseen_s=standing.unseen / fps,
        note=note,
        center_cross=True,
    )


def _moment(
    image: Pixels, number: int, answer: Answer | None, client: ClientRecord, standing: Standing, true_box: Box | None
) -> Moment:
    if answer is None:
        return Moment(image=image, frame=number, state=DROPPED, true_box=true_box)
    return Moment(
        image=image,
        frame=number,
        state=standing.state,
        score=answer.score,
        box=answer.box,
        rotated=answer.rotated,
        mask=client.mask(answer.stamp_ns),
        true_box=true_box,
    )
