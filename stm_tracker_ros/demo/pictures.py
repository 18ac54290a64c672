"""The played video with what was answered drawn over it: a video, and a sheet of every n-th frame with the truth."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import cv2

from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.types import Box, Pixels
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.demo.record import Answer, ClientRecord, Shot
from stm_tracker_ros.demo.report import answers_by_frame
from stm_tracker_ros.demo.sample import Sample
from stm_tracker_ros.drawing import draw_overlay
from stm_tracker_ros.video_writer import VideoWriter, encoded_contact_sheet

VIDEO_NAME, SHEET_NAME = "overlay.mp4", "contact_sheet.png"
SHEET_EVERY = 10
SHEET_COLUMNS = 4
SHEET_WIDTH_PX = 480
# A sheet of a long video of the user's own stays a picture.
SHEET_MOST = 40
WHITE = (255, 255, 255)


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
    chosen: list[Pixels] = []
    with files.new(VIDEO_NAME) as file, VideoWriter(file, fps) as video:
        for number, frame in zip(range(len(shots)), frames(sample.video), strict=False):
            picture = _picture(frame.bgr(), number, by_frame.get(number), client, states)
            video.write(picture)
            if number % every == 0:
                chosen.append(_with_truth(picture, sample.true_boxes.get(number)))
    if chosen:
        files.write(SHEET_NAME, encoded_contact_sheet(chosen, SHEET_COLUMNS, SHEET_WIDTH_PX))


def _picture(
    image: Pixels, number: int, answer: Answer | None, client: ClientRecord, states: Sequence[tuple[int, str]]
) -> Pixels:
    if answer is None:
        return draw_overlay(image, state="DROPPED", note=f"frame {number}")
    change = bisect_right([frame for frame, _ in states], number) - 1
    state = states[change][1] if change >= 0 else ""
    return draw_overlay(
        image,
        box=answer.box,
        state=state,
        score=answer.score,
        mask=client.mask(answer.stamp_ns),
        rotated=answer.rotated,
        note=f"frame {number}",
    )


def _with_truth(picture: Pixels, true_box: Box | None) -> Pixels:
    if true_box is None:
        return picture
    left, top = round(true_box.x), round(true_box.y)
    right, bottom = round(true_box.x + true_box.width) - 1, round(true_box.y + true_box.height) - 1
    return cv2.rectangle(picture, (left, top), (right, bottom), WHITE, 1)  # type: ignore[return-value]
