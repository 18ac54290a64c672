"""`stm_tracker bench`: where a tracker's time goes, beside its plain network, frame by frame in turn."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain, cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stm_tracker_ros.cli.options import (
    LoadedTracker,
    a_path,
    add_tracker_options,
    load_tracker,
    parse_box,
    whole_number,
)
from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.core.matching import NOMINAL_PERIOD_NS
from stm_tracker_ros.core.output_folder import refuse_existing, write_new
from stm_tracker_ros.core.types import Frame, Target

if TYPE_CHECKING:
    from stm_tracker_ros.evaluation.bench import Runner

MOST_IMAGES = 120  # kept in memory; longer runs play them to and fro

EPILOG = """\
stages, those that the tracker has: crop; query backbone (encode the search region); memory backbone (encode what is
remembered); read (attention over the memory); head; search (a template's: backbone, correlation and head); mask; post
(all that is left). latency: image in to box out; memorize comes after it. total: both. plain: the same network run
module by module, batch norms unfused, in NCHW, fp32. Ratios are of 20th percentiles.

examples:
  stm_tracker bench                                                the default tracker on the packaged video
  stm_tracker bench --tracker stmtrack --weights paper.safetensors --precision bf16 --out bench.json
  stm_tracker bench --video flight.mp4 --box 120,80,40,30 --frames 1000 --device cuda:0
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "bench",
        help="time a tracker stage by stage, beside its plain network",
        description="Time a tracker stage by stage, and its plain network in turn with it, frame by frame.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--frames", type=whole_number, default=300, metavar="N", help="frames (default: %(default)s)")
    parser.add_argument(
        "--video", type=a_path, metavar="FILE|DIR", help="video or images (default: the packaged sample)"
    )
    parser.add_argument("--box", type=parse_box, metavar="X,Y,W,H", help="target on the first frame of --video")
    parser.add_argument(
        "--out", type=a_path, metavar="FILE", help="write all figures as JSON, to a file that does not exist yet"
    )
    add_tracker_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Time, print the table, and write it; 0 at the end."""
    from stm_tracker_ros.evaluation import bench
    from stm_tracker_ros.trackers import registry

    if args.out is not None:
        refuse_existing(args.out)
    args.device = registry.device_name(args.device)
    images, target = _scene(args)
    loaded = load_tracker(args)
    ours = _started(loaded, images, target)
    facts = _facts(loaded) | {"memory": _memory(loaded.device)}
    plain = _started(load_tracker(args, plain=True), images, target)
    bench.take_turns(ours, plain, islice(_to_and_fro(images), bench.FILL_FRAMES, bench.FILL_FRAMES + args.frames))
    report = {**facts, **bench.summary(ours.times, plain.times)}
    print(_text(report))
    if args.out is not None:
        write_new(args.out, (json.dumps(report, indent=1) + "\n").encode("ascii"))
    return 0


def _scene(args: argparse.Namespace) -> tuple[list[Frame], Target]:
    from stm_tracker_ros.data.readers import frames
    from stm_tracker_ros.demo import sample

    if (args.video is None) != (args.box is None):
        raise ConfigError("--video and --box belong together: give both, or neither for the packaged sample")
    scene = sample.packaged() if args.video is None else sample.own(args.video, args.box)
    with closing(frames(str(scene.video))) as stream:
        # decoded before the clock starts, for the decoder must not warm or cool the caches of either
        images = [Frame(image=frame.bgr(), stamp_ns=frame.stamp_ns) for frame in islice(stream, _count(scene))]
    if not images:
        raise DataError(f"{scene.video} has no frames; allowed are videos with one or more")
    return images, Target(box=scene.first_box)


def _count(scene: Any) -> int:
    return MOST_IMAGES if scene.first_absent is None else min(MOST_IMAGES, scene.first_absent)


def _to_and_fro(images: list[Frame]) -> Iterator[Frame]:
    """The images forwards and backwards for ever, so that the target never jumps; stamps at 30 Hz."""
    order = cycle(chain(images, images[-2:0:-1]))
    for index, frame in enumerate(order):
        yield replace(frame, stamp_ns=round(index * NOMINAL_PERIOD_NS))


def _started(loaded: LoadedTracker, images: list[Frame], target: Target) -> Runner:
    from stm_tracker_ros.evaluation import bench

    runner = bench.Runner(loaded.tracker, _synchronize(loaded.device))
    runner.start(list(islice(_to_and_fro(images), bench.FILL_FRAMES)), target)
    return runner


def _synchronize(device: str) -> Callable[[], None]:
    import torch

    return torch.cuda.synchronize if device.startswith("cuda") else lambda: None


def _facts(loaded: LoadedTracker) -> dict[str, Any]:
    import torch

    on_gpu = loaded.device.startswith("cuda")
    return {
        "tracker": loaded.name,
        "device": f"{loaded.device} ({torch.cuda.get_device_name(loaded.device)})" if on_gpu else loaded.device,
        "precision": loaded.precision,
        "threads": loaded.threads,
        "torch": torch.__version__,
    }


def _memory(device: str) -> dict[str, float]:
    """MiB in use with the tracker at work: by the process, torch included, and of the GPU at most."""
    import torch

    taken = {"host_mib": _resident_mib()}
    if device.startswith("cuda"):
        taken["device_mib"] = torch.cuda.max_memory_allocated(device) / 2**20
    return taken


def _resident_mib() -> float:
    """Memory of this process that is in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def _text(report: dict[str, Any]) -> str:
    from stm_tracker_ros.evaluation.bench import table

    memory = ", ".join(f"{name[:-4]} {value:.0f} MiB" for name, value in report["memory"].items())
    rates = ", ".join(f"{who} {report[who]['frames_per_second']:.1f}" for who in ("ours", "plain"))
    return "\n".join(
        [
            f"{report['tracker']} on {report['device']}, {report['precision']}, {report['threads']} thread(s), "
            f"{report['frames']} frames",
            table(report),
            f"frames a second: {rates}",
            f"memory in use, torch and images included: {memory}",
            f"ours over plain, total: {report['ratio_total']:.3f}",
            f"our latency over plain's total: {report['ratio_latency_over_plain_total']:.3f}",
        ]
    )
