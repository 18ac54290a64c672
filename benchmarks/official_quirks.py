"""What each convention of the authors' code costs, against the default: by drawn targets, without a network.

  python benchmarks/official_quirks.py

Prints the figures of the table in trackers/stmtrack/official.py. An oracle reads the box out of the crop by the
moments of its brightness, so what is left is geometry.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import program
import torch

from stm_tracker_ros.core.types import Box, Frame, Pixels
from stm_tracker_ros.data.readers import frames
from stm_tracker_ros.demo.sample import packaged
from stm_tracker_ros.parts.crop import cut, mean_colour
from stm_tracker_ros.parts.label_map import inside
from stm_tracker_ros.trackers.stmtrack import official
from stm_tracker_ros.trackers.stmtrack.selection import segment_numbers

SIZE, TRIALS = 289, 40
SIDES = (15, 25, 40, 75, 180)  # of the target; the crop is four times as large


def drawn(box: Box, side: int) -> Pixels:
    """A white box on black, each pixel as bright as its covered share."""
    at = np.arange(side)
    shares = [
        np.clip(np.minimum(at + 1, start + length) - np.maximum(at, start), 0, 1)
        for start, length in ((box.y, box.height), (box.x, box.width))
    ]
    gray = np.round(255 * np.outer(*shares)).astype(np.uint8)
    return np.asarray(cv2.merge([gray] * 3), np.uint8)


def moments(patch: Pixels) -> tuple[float, float]:
    """Centre in x (edges) and width of the bright box."""
    brightness = patch[..., 0].sum(0) / 255.0
    at = np.arange(len(brightness)) + 0.5
    return float(at @ brightness / brightness.sum()), float(brightness.sum() / brightness.max())


def errors(side: int, rng: np.random.Generator) -> np.ndarray:
    """TRIALS x 4: error of centre and of width, as a share, by the authors' rules and by default."""
    rows = []
    picture = 6 * side
    for _ in range(TRIALS):
        old, moved = picture / 2 + rng.uniform(0, 8, 2), rng.uniform(-2, 2, 2)
        region = 4.0 * side + rng.integers(0, 2)  # odd and even crops sample at different places
        left, top = (float(value) for value in old + moved - side / 2)
        box = Box(left, top, side, side)
        image = drawn(box, picture)
        patch, scale = official.crop(image, (old[0] - 0.5, old[1] - 0.5), region, SIZE, (0, 0, 0))
        center, width = moments(patch)
        # their centre counts pixel numbers: half a pixel less than edges
        theirs = (old[0] - 0.5) + ((center - 0.5) - SIZE // 2) / scale + 0.5
        patch, crop = cut(Frame(image=image, stamp_ns=0), (old[0], old[1]), region, SIZE, (0, 0, 0))
        ours_center, ours_width = moments(patch)
        ours = crop.left + ours_center * crop.scale
        true = box.x + side / 2
        rows.append((theirs - true, width / scale / side - 1, ours - true, ours_width * crop.scale / side - 1))
    return np.array(rows)


def flicker(side: int) -> tuple[float, float]:
    """Mean change of a grey level when fine texture moves by one pixel: the authors' crop, and the default one."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (6 * side, 6 * side, 1), np.uint8).repeat(3, 2)
    moved = np.roll(noise, 1, 1)
    center = (3.0 * side, 3.0 * side)
    theirs = [official.crop(image, center, 4.0 * side, SIZE, (0, 0, 0))[0].astype(float) for image in (noise, moved)]
    pictures = [Frame(image=image, stamp_ns=0) for image in (noise, moved)]
    ours = [cut(picture, center, 4.0 * side, SIZE, (0, 0, 0))[0].astype(float) for picture in pictures]
    return float(np.abs(theirs[0] - theirs[1]).mean()), float(np.abs(ours[0] - ours[1]).mean())


def label_error() -> tuple[float, float]:
    """Largest and mean error of the marked area as a share, authors' and default, sides of 20 to 140 crop pixels."""
    rng = np.random.default_rng(2)
    wrong = []
    for width, height in rng.uniform(20, 140, (300, 2)):
        corners = [(SIZE - width) / 2, (SIZE - height) / 2, (SIZE + width) / 2, (SIZE + height) / 2]
        areas = official.marked(width, height, SIZE).sum(), float(inside(torch.tensor([corners]), SIZE).sum())
        wrong.append([abs(area / (width * height) - 1) for area in areas])
    theirs, ours = np.mean(wrong, 0)
    return float(theirs), float(ours)


def calls_against_stamps() -> float:
    """Seconds by which a segment's frame is off: 10 s at 30 Hz, then 10 s with two of three frames dropped."""
    times = [*range(1, 301), *range(303, 601, 3)]
    by_calls = [times[number - 1] for number in segment_numbers(len(times), 4)]
    return float(np.abs(np.array(by_calls) - segment_numbers(600, 4)).max() / 30)


def main() -> None:
    """Print all figures."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rng = np.random.default_rng(0)
    print("target px | centre error px, authors' mean +- max | width error % | default: centre mean, max | width %")
    for side in SIDES:
        found = errors(side, rng)
        low, high = found[:, 0].min(), found[:, 0].max()
        print(
            f"{side:4d} | {found[:, 0].mean():+.2f} ({low:+.2f} .. {high:+.2f}) | {100 * found[:, 1].mean():+.2f} | "
            f"{found[:, 2].mean():+.3f}, {np.abs(found[:, 2]).max():.3f} | {100 * found[:, 3].mean():+.2f}"
        )
    for side in (180,):
        before, now = flicker(side)
        print(f"flicker of 1 px texture at {side} px, grey levels: authors' {before:.1f}, default {now:.1f}")
    for side in (4, 6, 8):
        print(f"IoU of a {side} px target at best under the 10 px clamp: {side * side / 100:.2f}")
    theirs, ours = label_error()
    print(f"marked area, mean error: authors' {100 * theirs:.1f} %, default {100 * ours:.1f} %")
    print(f"310 x 16 crop px: {int(official.marked(310.0, 16.0, SIZE).any(0).sum())} of 289 columns marked")
    print(f"a segment's frame by calls instead of stamps: off by {calls_against_stamps():.1f} s")
    first = next(iter(frames(str(packaged().video))))
    box = packaged().first_box
    whole = first.bgr().reshape(-1, 3).mean(0)
    near = mean_colour(first, box.center, 4.0 * float(np.sqrt(box.width * box.height)))
    print(f"border colour on the sample: authors' differs from the region's by {np.abs(whole - near).max():.1f} levels")


if __name__ == "__main__":
    program.run(__file__, main)
