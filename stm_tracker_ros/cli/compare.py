"""`stm_tracker compare`: results against each other, sequence by sequence."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stm_tracker_ros.cli.options import a_path, not_empty
from stm_tracker_ros.core.output_folder import OutputFolder

if TYPE_CHECKING:
    from stm_tracker_ros.evaluation.compare import Comparison

TABLE_NAME = "compare.json"
NO_MATPLOTLIB = (
    "no pictures: {python} has no matplotlib; get it by: {python} -m pip install matplotlib (or this package with its "
    "extra plots)"
)

EPILOG = """\
reads  two or more of these; the first is the one that the others are compared to:
  a folder of `stm_tracker evaluate`: of sequences, of --occlusions or of --absences, all of one kind
  a JSON file of another tracker's figures: {"source/sequence": {"success_auc": 0.61, "frames": 310}, ...}
Only what all of them have is compared, the rest is named. Results over other frames, from other starts, at another
rate, by another --init or of other data are refused.
The interval is a paired bootstrap: recordings are drawn with replacement, parts of one video (or made scenes over one)
together. An interval that does not hold zero is a difference that these sequences can tell.
writes to the folder of --out:
  compare.json          means, intervals, and the values of every sequence
  FIGURE_LABEL.png      of every result but the first, of sequences: its values beside the first one's, one by one

examples:
  stm_tracker compare before after
  stm_tracker compare before after other --figure robustness --out comparison
  stm_tracker compare report nanotrack.json csrt.json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "compare",
        help="compare results of evaluate, sequence by sequence",
        description="Which of these results is better, and can these sequences tell?",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", nargs="+", type=a_path, metavar="RESULT", help="folder of evaluate, or JSON file")
    parser.add_argument(
        "--figure",
        type=not_empty,
        metavar="NAME",
        help="what to compare (default: success_auc; of made scenes, their rates)",
    )
    parser.add_argument("--out", type=a_path, metavar="DIR", help="folder of the table as JSON and of the pictures")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare; 0. Raises DataError where the results cannot be compared."""
    from stm_tracker_ros.evaluation import compare, compare_report
    from stm_tracker_ros.evaluation.results import read_evaluated

    pairing = compare.pair(read_evaluated(args.results))
    figures = (args.figure,) if args.figure else pairing.results[0].figures
    comparisons = [pairing.compare(figure) for figure in figures]
    files = None if args.out is None else _files(args.out, comparisons, args.results)
    print(compare_report.text(pairing, comparisons))
    if files is not None:
        content = compare_report.content(pairing, comparisons)
        files.write(TABLE_NAME, (json.dumps(content, indent=1) + "\n").encode("utf-8"))
        names = [TABLE_NAME, *_draw(files, comparisons)]
        print(f"\n{args.out}: {', '.join(names)}")
    return 0


def _files(out: Path, comparisons: list[Comparison], read: list[Path]) -> OutputFolder:
    """The folder of the results. Raises OutputError where something of the user's would be overwritten."""
    pictures = [picture_name(one, index) for one, index in _drawn(comparisons)]
    return OutputFolder(out).check((TABLE_NAME, *pictures), inputs=read)


def _drawn(comparisons: list[Comparison]) -> list[tuple[Comparison, int]]:
    """What has a picture: every result but the first; rates of made scenes, found or not, are no picture."""
    pictured = [one for one in comparisons if one.kind == "sequences"]
    return [(one, index) for one in pictured for index in range(1, len(one.labels))]


def _draw(files: OutputFolder, comparisons: list[Comparison]) -> list[str]:
    """The names of the pictures; none, and a line on stderr, where matplotlib is missing."""
    drawn = _drawn(comparisons)
    if drawn and importlib.util.find_spec("matplotlib") is None:
        print(NO_MATPLOTLIB.format(python=sys.executable), file=sys.stderr)
        return []
    for comparison, index in drawn:
        from stm_tracker_ros.evaluation.compare_plot import draw

        with files.new(picture_name(comparison, index)) as file:
            draw(comparison, index, file)
    return [picture_name(comparison, index) for comparison, index in drawn]


def picture_name(comparison: Comparison, index: int) -> str:
    """Of the picture of that result against the first; letters that a file's name may not have become `_`."""
    label = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in comparison.labels[index])
    return f"{comparison.figure}_{label}.png"
