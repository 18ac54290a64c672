"""What the memory is worth: success AUC with all of it, with the first frame, and with first and previous frame.

  python benchmarks/memory_policies.py --data ../shared/data/eval --out memory --threads 1

Takes the options of a tracker, as `stm_tracker evaluate` does; results of an interrupted run are gone on with.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import program

from stm_tracker_ros.cli.main import main as stm_tracker
from stm_tracker_ros.cli.options import add_tracker_options
from stm_tracker_ros.core.config import settings
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.trackers import registry

SETTING = "memory.policy"


def policies(tracker: str) -> tuple[str, ...]:
    """Those that it has. Raises ConfigError if it has none."""
    known = {one.name: one for one in settings(registry.load(tracker).default_config)}
    if SETTING not in known:
        raise ConfigError(f"{tracker} has no setting {SETTING}: what it remembers cannot be left out")
    return known[SETTING].rule.choices


def evaluate(args: argparse.Namespace, policy: str) -> dict:
    """The summary of an evaluation with that policy."""
    out = args.out / policy
    command = ["evaluate", "--data", str(args.data), "--out", str(out), "--tracker", args.tracker]
    command += ["--device", args.device, "--precision", args.precision, "--set", f"{SETTING}={policy}"]
    command += [word for change in args.changes for word in ("--set", change)]
    command += ["--weights", str(args.weights)] if args.weights else []
    command += ["--threads", str(args.threads)] if args.threads else []
    status = stm_tracker(command)
    if status:
        raise SystemExit(status)
    summary: dict = json.loads((out / "summary.json").read_text())
    return summary


def main() -> None:
    """Evaluate with every policy, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    add_tracker_options(parser)
    args = parser.parse_args()
    summaries = {policy: evaluate(args, policy) for policy in policies(args.tracker)}
    print(f"| `{SETTING}` | success AUC, all | over 300 frames |\n|---|---|---|")
    for policy, summary in summaries.items():
        long = summary["groups"].get("long", {}).get("success_auc", float("nan"))
        print(f"| `{policy}` | {summary['success_auc']:.4f} | {long:.4f} |")


if __name__ == "__main__":
    program.run(__file__, main)
