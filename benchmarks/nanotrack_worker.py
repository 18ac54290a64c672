"""The other half of speed_against_nanotrack.py and nanotrack_by_starts.py: NanoTrack v3 in its own environment.

Takes the tracker from the file `peers.py` given as argument. With a path it times a sequence, as tracker_worker.py
does; with an image (a file of numpy's, BGR) it starts at the box, or without one goes on to that image, and answers
with its box. Imports nothing of ours but turns.py, for that environment has its own OpenCV.
"""

from __future__ import annotations

import argparse
import importlib.util
import time

import cv2
import numpy as np
from turns import serve


def main(peers_file: str) -> None:
    """Load the tracker's class, then answer until stdin ends."""
    spec = importlib.util.spec_from_file_location("peers", peers_file)
    assert spec is not None
    assert spec.loader is not None
    peers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peers)
    cv2.setNumThreads(1)
    tracker = peers.Nano3(1)

    def milliseconds(path: str, max_frames: int | None) -> list[float]:
        boxes = np.loadtxt(path + "/groundtruth.txt", delimiter=",", ndmin=2)[:max_frames]
        capture = cv2.VideoCapture(path + "/video.mp4")
        tracker.init(capture.read()[1], tuple(boxes[0]))
        times = []
        for _ in boxes[1:]:
            image = capture.read()[1]
            started_ns = time.perf_counter_ns()
            tracker.update(image)
            times.append((time.perf_counter_ns() - started_ns) / 1e6)
        return times

    def found(image: str, box: list[float] | None) -> list[float]:
        if box is not None:
            tracker.init(np.load(image), tuple(box))
            return box
        return [float(value) for value in tracker.update(np.load(image))]

    serve(lambda **request: milliseconds(**request) if "path" in request else found(**request))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", help="the file peers.py")
    main(parser.parse_args().peers)
