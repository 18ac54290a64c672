"""NanoTrack v3 by the ruler of our trackers: the same runs of the development set, for `stm_tracker compare`.

  python benchmarks/nanotrack_by_starts.py --data ../shared/data --starts 2 --max-frames 100 \\
      --peers ../shared/tools/peers.py --peers-python PEERS_VENV/bin/python --out nanotrack
  stm_tracker compare nanotrack OURS

OURS: the results of `stm_tracker evaluate --development` with the same --starts and --max-frames. NanoTrack has no
states and its score is no probability: compare boxes alone. PEERS_VENV: as of speed_against_nanotrack.py.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import nanotrack
import numpy as np
import program
from tqdm import tqdm
from turns import Worker

from stm_tracker_ros.cli.options import whole_number
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.data.sequence import read_development
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation import multi_start, run_files
from stm_tracker_ros.evaluation.one_pass import Options
from stm_tracker_ros.evaluation.run_settings import claim
from stm_tracker_ros.evaluation.work import work_off


class NanoTrack:
    """NanoTrack in its worker, as one of our trackers: what it answers is always taken for the target."""

    def __init__(self, worker: Worker, file: Path) -> None:
        """file: where an image is handed over; of a folder in memory if there is one."""
        self._worker, self._file = worker, file

    def init(self, frame: Frame, target: Target) -> Result:
        """Start anew."""
        assert target.box is not None
        self._send(frame, list(target.box))
        return Result(box=target.box, score=1.0)

    def track(self, frame: Frame) -> Result:
        """Where it is now."""
        return Result(box=Box(*self._send(frame, None)), score=1.0)

    def memorize(self) -> None:
        """It remembers the first frame alone."""

    def confirm(self, box: Box) -> None:
        """Nobody does."""

    def reconfigure(self, config: object) -> None:
        """It has nothing to set."""

    def _send(self, frame: Frame, box: list[float] | None) -> list[float]:
        np.save(self._file, np.asarray(frame.image))
        return self._worker.send(image=str(self._file), box=box)


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of eval/ and train_video/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results; goes on where it was")
    parser.add_argument("--starts", type=whole_number, default=2)
    parser.add_argument("--max-frames", type=whole_number, default=100)
    return nanotrack.parsed(parser)


def main() -> None:
    """Follow, score, and write summary.json."""
    args = parse()
    sequences = read_development(args.data)
    options = Options(state_config=StateConfig(), max_frames=args.max_frames)
    measured = multi_start.measurement(sequences, args.starts, options)
    settings = {
        "tracker": "NanoTrack v3",
        "data": str(args.data.resolve()),
        **{"starts": args.starts, "max_frames": args.max_frames, "fps": options.fps, "init": options.init},
    }
    names = [item.name for item in measured.items]
    run_files.check(args.out, args.data, names, [args.peers], measured.read_from, settings=settings)
    claim(args.out, settings)
    worker = nanotrack.worker(args)
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        tracker = NanoTrack(worker, Path(folder) / "image.npy")
        total, before = sum(item.frames for item in measured.items), dict[str, int]()
        with tqdm(total=total, unit="frame", mininterval=10) as bar:
            for name, done in work_off(measured.items, tracker, args.out):
                bar.update(done - before.get(name, 0))
                before[name] = done
    worker.close()
    summary = {**settings, **measured.summarise(args.out, measured.failed)}
    OutputFolder(args.out).write(run_files.SUMMARY_NAME, (json.dumps(summary, indent=1) + "\n").encode("utf-8"))
    print(measured.table(summary))


if __name__ == "__main__":
    program.run(__file__, main)
