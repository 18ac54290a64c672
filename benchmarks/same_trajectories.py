"""Does this checkout track exactly as another commit? Trajectories byte for byte, for code that is moved, not changed.

  python benchmarks/same_trajectories.py --against 5ec10c2 --data ../shared/data --work /tmp/same

The other commit is checked out into --work and run there with the same weights; what it answered is kept there for the
next comparison. Lite trackers run on --sequences development sequences, those of the papers' size on one, with random
weights of a fixed seed. Prints "identical", or the first frame that differs and by how much.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

DEFAULT = ("stmtrack_lite", "dmb_lite", "stmtrack", "dmb")
LITE = ("stmtrack_lite", "dmb_lite", "dmv_lite", "siamstm_lite")
EAGER = {
    "stmtrack": {"memory.store_score": 0.0, "memory.previous_score": 0.0},
    "dmb": {"memory.store_score": 0.0, "memory.previous_score": 0.0},
    "dmv": {"memory.store_score": 0.0},
    "siamstm": {},
}
"""Of those of the papers' size: a network of random weights would never learn, for it scores next to nothing."""
ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Record the other commit, record this one, compare."""
    args = _arguments()
    if args.record:
        _record(args)
        return 0
    old = args.work / args.against
    checkout = old / "checkout"
    if not checkout.is_dir():
        _check_out(args.against, checkout)
    names = [f"{tracker}-{precision}" for tracker in args.trackers for precision in args.precisions]
    status = 0
    for name in names:
        here, there = args.work / "here" / f"{name}.csv", old / f"{name}-{args.sequences}x{args.frames}.csv"
        if not there.is_file():
            _run(checkout, there, name, args)
        _run(ROOT, here, name, args)
        verdict = _compared(there.read_text().splitlines(), here.read_text().splitlines())
        print(f"{name}: {verdict}", flush=True)
        status |= verdict != "identical"
    return int(status)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", default="5ec10c2", metavar="COMMIT")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with eval/ and train_video/")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder for checkout and records")
    parser.add_argument("--trackers", type=lambda text: text.split(","), default=DEFAULT)
    parser.add_argument("--precisions", type=lambda text: text.split(","), default=["fp32"])
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--frames", type=int, default=60, help="of each sequence; 30 of the papers' size")
    parser.add_argument("--record", help=argparse.SUPPRESS)
    args = parser.parse_args()
    for folder in (args.data / "eval", args.data / "train_video"):
        if not folder.is_dir():
            parser.error(f"there is no folder {folder}")
    if unknown := set(args.trackers) - {*LITE, *EAGER}:
        parser.error(f"unknown trackers {', '.join(sorted(unknown))}; known: {', '.join((*LITE, *EAGER))}")
    return args


def _check_out(commit: str, folder: Path) -> None:
    """The files of a commit; no worktree, which git would go on to list when --work has been deleted."""
    archive = subprocess.run(["git", "archive", "--format=tar", commit], cwd=ROOT, stdout=subprocess.PIPE)
    if archive.returncode:
        raise SystemExit(f"--against {commit} is not allowed; allowed is a commit of {ROOT}")
    part = folder.with_suffix(".part")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(part)
    part.rename(folder)


def _run(checkout: Path, file: Path, name: str, args: argparse.Namespace) -> None:
    """Let the code of `checkout` answer; this file is the one that runs, so that both are asked the same."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shared = [f"--{key}={getattr(args, key)}" for key in ("data", "work", "sequences", "frames")]
    command = [sys.executable, __file__, "--record", name, *shared]
    with file.with_suffix(".part").open("w") as out:
        run = subprocess.run(command, stdout=out, env={**os.environ, "PYTHONPATH": str(checkout.resolve())})
    if run.returncode:
        raise SystemExit(f"{name} cannot be recorded with the code of {checkout}: see above")
    file.with_suffix(".part").rename(file)


def _record(args: argparse.Namespace) -> None:
    from stm_tracker_ros.core.config import with_changes
    from stm_tracker_ros.core.types import Target
    from stm_tracker_ros.data.sequence import VALIDATION, read_sequences
    from stm_tracker_ros.engine.config import StateConfig
    from stm_tracker_ros.evaluation.runner import follow
    from stm_tracker_ros.trackers import registry

    registry.set_threads(1)
    name, precision = args.record.rsplit("-", 1)
    entry = registry.load(name)
    known = read_sequences(args.data / "train_video", VALIDATION) + read_sequences(args.data / "eval")
    is_paper = name in EAGER
    count, frames = (1, min(args.frames, 30)) if is_paper else (args.sequences, args.frames)
    weights = _random_weights(name, args.work) if is_paper else None
    tracker = entry.from_checkpoint(
        weights, precision=precision, config=with_changes(entry.default_config, EAGER.get(name, {}))
    )
    for sequence in known[:: max(len(known) // count, 1)][:count]:
        # Stopped before it has ended, and started anew on the next one: what was before must be forgotten.
        for step in _first(follow(tracker, sequence.frames(), Target(box=sequence.first_box), StateConfig()), frames):
            print(sequence.name, step.index, *map(float, step.box), float(step.result.score), step.state.name)


def _first(steps: Iterator, count: int) -> Iterator:
    yield from islice(steps, count)


def _random_weights(name: str, work: Path) -> Path:
    """A checkpoint of the paper's network with weights of a fixed seed, made once: both commits read the same file."""
    import importlib

    import torch

    from stm_tracker_ros.trackers import checkpoint

    path = work / f"{name}.safetensors"
    if not path.is_file():
        torch.manual_seed(0)
        room = f"stm_tracker_ros.trackers.{name}"
        network = importlib.import_module(f"{room}.paper_network").PaperNetwork
        config = importlib.import_module(f"{room}.config").PaperNetworkConfig
        made = network(config())
        checkpoint.save(path, name, made.config, made.state_dict(), "random, seed 0")
    return path


def _compared(there: list[str], here: list[str]) -> str:
    if there == here:
        return "identical"
    if len(there) != len(here):
        return f"{len(there)} frames there, {len(here)} here"
    pairs = [(old.split(), new.split()) for old, new in zip(there, here, strict=True)]
    first = next(old for old, new in pairs if old != new)
    largest = max(abs(float(a) - float(b)) for old, new in pairs for a, b in zip(old[2:7], new[2:7], strict=True))
    changed = sum(old != new for old, new in pairs)
    states = sum(old[7] != new[7] for old, new in pairs)
    where = f"first {first[0]} {first[1]}"
    return f"{changed} of {len(pairs)} frames differ, by {largest:.3g} at most, {states} states; {where}"


if __name__ == "__main__":
    sys.exit(main())
