"""Options that every command with a tracker takes, and the tracker that they ask for.

Only parsing happens on import: torch and the trackers are loaded when a command runs, so that --help is quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stm_tracker_ros.core.compute import PRECISIONS, default_threads
from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import HIGHEST_FPS, LEAST_FPS, Box
from stm_tracker_ros.engine.config import StateConfig, split

DEFAULT_TRACKER = "stmtrack_lite"
LONGEST_NUMBER = 9  # digits of a count or a seed


@dataclass(frozen=True, kw_only=True)
class LoadedTracker:
    """A tracker ready to run, and what a report says of it.

    weights: None for a tracker that has none; precision: the one in use, never `auto`.
    """

    tracker: Tracker
    name: str
    weights: Path | None
    device: str
    threads: int
    changes: Mapping[str, str]
    state_config: StateConfig
    precision: str = "auto"


def add_tracker_options(parser: argparse.ArgumentParser) -> None:
    """Add --tracker, --weights, --set, --device, --precision and --threads."""
    group = parser.add_argument_group("tracker")
    group.add_argument(
        "--tracker", default=DEFAULT_TRACKER, metavar="NAME", help="which one follows (default: %(default)s)"
    )
    group.add_argument("--weights", type=a_path, metavar="FILE", help="weights (default: those that came with it)")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="changes",
        help="change a setting by its dotted name, such as memory.history=32 or state.lost_score=0.3; may be repeated",
    )
    group.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ... or auto (default: %(default)s)")
    group.add_argument(
        "--precision",
        default="auto",
        choices=PRECISIONS,
        help="of convolutions and products; auto: the fastest that costs this tracker nothing (default: %(default)s)",
    )
    group.add_argument(
        "--threads", type=whole_number, metavar="N", help="threads of the network (default: all cores but one)"
    )


def load_tracker(args: argparse.Namespace, *, plain: bool = False) -> LoadedTracker:
    """The tracker that the options ask for; plain: its network as it is written, in fp32.

    Raises ConfigError, CheckpointError, DeviceError.
    """
    from stm_tracker_ros.trackers import registry

    entry = registry.load(args.tracker)
    tracker_changes, _ = split(parse_changes(args.changes))
    threads = args.threads or default_threads()
    registry.set_threads(threads)
    config = with_changes(entry.default_config, tracker_changes)
    precision = "fp32" if plain else entry.precision_on(args.device, args.precision)
    tracker = entry.from_checkpoint(args.weights, device=args.device, precision=precision, plain=plain, config=config)
    return LoadedTracker(
        tracker=tracker,
        name=args.tracker,
        weights=args.weights or entry.shipped_weights,
        device=args.device,
        threads=threads,
        changes=parse_changes(args.changes),
        state_config=state_config(args),
        precision=precision,
    )


def state_config(args: argparse.Namespace) -> StateConfig:
    """The configuration of the target's state that the options ask for. Raises ConfigError."""
    _, state_changes = split(parse_changes(args.changes))
    return with_changes(StateConfig(), state_changes)


def parse_changes(texts: list[str]) -> dict[str, str]:
    """NAME=VALUE texts as a mapping; the last one of a name counts. Raises ConfigError for a text without '='."""
    changes = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"--set {text!r} has no name and value; allowed is NAME=VALUE, such as memory.history=32")
        changes[name] = value
    return changes


def parse_box(text: str) -> Box:
    """The text x,y,width,height in pixels as a box; an argparse type."""
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no box; allowed is x,y,width,height in pixels") from None
    return Box(x, y, width, height)


def parse_seeds(text: str, option: str = "--seeds") -> tuple[int, ...]:
    """The seeds that a text such as 3,7,20-30 names, in its order, each once.

    Raises ConfigError if it is none, which names the option that it was given with.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        numbers = all(one.isdecimal() and len(one) <= LONGEST_NUMBER for one in ((low, high) if dash else (low,)))
        if not numbers or (dash and int(high) < int(low)):
            raise ConfigError(f"{option} {text!r}: {part!r} is not allowed; allowed are numbers and ranges: 3,7,20-30")
        seeds |= dict.fromkeys(range(int(low), int(high or low) + 1))
    return tuple(seeds)


def whole_number(text: str) -> int:
    """The text as a number from 1 on; an argparse type."""
    if not text.isdecimal() or len(text) > LONGEST_NUMBER or int(text) < 1:
        most = 10**LONGEST_NUMBER - 1
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed are whole numbers from 1 to {most}")
    return int(text)


def a_path(text: str) -> Path:
    """The text as a path; an argparse type. An empty one, of a variable that is not set, is not the present folder."""
    if not text:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed is a path, . for the present folder")
    return Path(text)


def not_empty(text: str) -> str:
    """The text as it is; an argparse type. An empty one, of a variable that is not set, does not mean all there is."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} names nothing; allowed is one or more, or to leave the option out")
    return text


def rate(text: str) -> float:
    """The text as frames a second; an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not LEAST_FPS <= value <= HIGHEST_FPS:
        allowed = f"frames a second from {LEAST_FPS:g} to {HIGHEST_FPS:g}"
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed are {allowed}")
    return value
