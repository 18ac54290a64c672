"""The sheet of the demo: every n-th frame with answer and truth, and the target enlarged where it is small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.types import Box, Pixels, RotatedBox
from stm_tracker_ros.drawing import STATE_COLORS, WHITE, draw_dashed, draw_overlay
from stm_tracker_ros.lettering import Line, write_plate

COLUMNS, TILE_WIDTH_PX = 4, 480
GAP_PX, LEGEND_PX = 4, 44
PAPER = 32
# A target whose longer side is below this share of the picture's shorter one is shown enlarged as well.
SMALL_TARGET = 0.3
INSET_TO_TILE = 0.52
# Side of the enlarged cut, in longer sides of the target.
INSET_TO_TARGET = 1.6


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One frame of the sheet: `image` as filmed, what was answered, and the true box where it is known."""

    image: Pixels
    frame: int
    state: str
    score: float | None = None
    box: Box | None = None
    rotated: RotatedBox | None = None
    mask: Pixels | None = None
    true_box: Box | None = None


@dataclass(frozen=True)
class _View:
    """A cut of an image, enlarged: image pixels less (`left`, `top`), times `scale`."""

    left: float
    top: float
    scale: float
    size: tuple[int, int]

    def box(self, box: Box | None) -> Box | None:
        if box is None:
            return None
        x, y = (box.x - self.left) * self.scale, (box.y - self.top) * self.scale
        return Box(x, y, box.width * self.scale, box.height * self.scale)

    def rotated(self, box: RotatedBox | None) -> RotatedBox | None:
        if box is None:
            return None
        x, y = (box.center_x - self.left) * self.scale, (box.center_y - self.top) * self.scale
        return RotatedBox(x, y, box.size_x * self.scale, box.size_y * self.scale, box.theta)

    def pixels(self, image: Pixels, interpolation: int) -> Pixels:
        # Pixel i covers [i, i + 1): centres move by half a pixel of either picture.
        shift = self.scale / 2 - 0.5
        matrix = np.array(
            [[self.scale, 0, shift - self.left * self.scale], [0, self.scale, shift - self.top * self.scale]]
        )
        return cv2.warpAffine(image, matrix, self.size, flags=interpolation)  # type: ignore[return-value]


def contact_sheet(moments: Sequence[Moment]) -> Pixels:
    """The sheet of one or more moments, row by row, a legend above; height x width x 3 uint8."""
    tiles = [_tile(moment) for moment in moments]
    height, width = tiles[0].shape[:2]
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    size = LEGEND_PX + rows * (height + GAP_PX), columns * (width + GAP_PX) + GAP_PX, 3
    sheet = np.full(size, PAPER, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = LEGEND_PX + row * (height + GAP_PX), GAP_PX + column * (width + GAP_PX)
        sheet[top : top + height, left : left + width] = tile
    truth = any(moment.true_box is not None for moment in moments)
    legend = "Answered boxes: green TRACKING, amber UNCERTAIN" + ("; dashed white: the true box" if truth else "")
    write_plate(sheet[: LEGEND_PX - GAP_PX], [Line(legend, WHITE)], letters_px=LEGEND_PX / 4)
    return sheet


def _tile(moment: Moment) -> Pixels:
    height, width = moment.image.shape[:2]
    scale = TILE_WIDTH_PX / width
    view = _View(0, 0, scale, (TILE_WIDTH_PX, max(1, round(scale * height))))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small: Pixels = cv2.resize(moment.image, view.size, interpolation=interpolation)  # type: ignore[assignment]
    tile = _drawn(moment, view, small)
    focus = moment.true_box if moment.box is None else moment.box
    if focus is not None and max(focus.width, focus.height) < SMALL_TARGET * min(height, width):
        _put_inset(tile, moment, focus, view)
    lines = _caption(moment)
    write_plate(tile, lines, avoid=view.box(focus))
    return tile


def _caption(moment: Moment) -> list[Line]:
    overlap = ""
    if moment.true_box is not None and moment.box is not None:
        overlap = f"  overlap {float(iou(moment.box, moment.true_box)):.2f}"
    score = "" if moment.score is None else f" {moment.score:.2f}"
    text = f"frame {moment.frame}  {moment.state}{score}{overlap}"
    return [Line(text, STATE_COLORS.get(moment.state, WHITE))]


def _drawn(moment: Moment, view: _View, picture: Pixels) -> Pixels:
    mask = None if moment.mask is None else view.pixels(moment.mask, cv2.INTER_NEAREST)
    picture, truth = picture.copy(), view.box(moment.true_box)
    # Beneath the answer: where both agree, the answer's line is the one to be seen.
    if truth is not None:
        draw_dashed(picture, truth, WHITE, rim=False)
    return draw_overlay(
        picture,
        box=view.box(moment.box),
        rotated=view.rotated(moment.rotated),
        mask=mask,
        state=moment.state,
        words=False,
    )


def _put_inset(tile: Pixels, moment: Moment, focus: Box, view: _View) -> None:
    """Into a lower corner that the target is not in."""
    side = round(INSET_TO_TILE * min(tile.shape[:2]))
    cut = INSET_TO_TARGET * max(focus.width, focus.height)
    x, y = focus.center
    near = _View(x - cut / 2, y - cut / 2, side / cut, (side, side))
    picture = _drawn(moment, near, near.pixels(moment.image, cv2.INTER_LINEAR))
    cv2.rectangle(picture, (0, 0), (side - 1, side - 1), WHITE, 1)
    left = x * view.scale < tile.shape[1] / 2
    tile[-side:, slice(-side, None) if left else slice(0, side)] = picture
