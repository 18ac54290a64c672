"""Every benchmark starts, and the commands that documents and docstrings quote exist, with their options."""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from stm_tracker_ros.cli.main import COMMANDS
from stm_tracker_ros.core.config import settings, with_changes
from stm_tracker_ros.core.ledger import LEDGER_NAME
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.trackers import registry
from stm_tracker_ros.training import recipes

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[1]
SOURCES = sorted(file for room in ("benchmarks", "docs", "scripts") for file in (ROOT / room).glob("*.py"))
PROGRAMS = [file for file in SOURCES if '__name__ == "__main__"' in file.read_text(encoding="utf-8")]
IN_TURNS = {"frame_worker", "nanotrack_worker", "tracker_worker"}  # started by others, with no usage of their own
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "training" / "README.md"]
COMMAND = re.compile(r"(?<![/\w])stm_tracker ([a-z]+)\b|\b((?:benchmarks|docs|scripts)/[\w/]+\.py|scripts/\w+)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
SETTING = re.compile(r"--set ([a-z_.]+)=")
OUR_FILE = re.compile(r"(?<![\w/.])(?:bench|benchmarks|config|docs|launch|scripts|stm_tracker_ros|test)/[\w/]+\.\w+")
# Of pip, venv, rosdep, ros2, ruff and whoever else is quoted.
OF_OTHERS = {"--index-url", "--system-site-packages", "--from-paths", "--ignore-src", "--share", "--check"}
OF_OTHERS |= {"--against", "--help", "--version"}


class Parsed(Exception):  # noqa: N818
    """A program has come to its arguments."""


def is_of_ros(file):
    """Whether a program imports rclpy, itself or by another one."""
    return "rclpy" in file.read_text(encoding="utf-8") or file.stem == "late_targets_simulated"


def marked(files):
    return [pytest.param(file, id=file.stem, marks=[pytest.mark.ros] if is_of_ros(file) else []) for file in files]


@pytest.fixture(scope="module")
def parser_of():
    """Gives the parser that a program makes when it is started; nothing of it runs behind that."""
    known = {}

    def parser(file):
        if file not in known:
            with pytest.MonkeyPatch.context() as patch:
                patch.syspath_prepend(str(file.parent))
                patch.setattr("sys.argv", [str(file)])
                patch.setattr(argparse.ArgumentParser, "parse_args", arrive)
                with pytest.raises(Parsed) as arrived:
                    runpy.run_path(str(file), run_name="__main__")
            known[file] = arrived.value.args[0]
        return known[file]

    return parser


def arrive(self, *_):
    raise Parsed(self)


def docstring(file):
    """As the program itself sees it."""
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")), clean=False) or ""


def usages(file):
    """The commands of a program's docstring that start it; what may be left out is given."""
    lines = re.sub(r" *\\\n *", " ", docstring(file)).splitlines()
    found = [re.sub(r"[][]", "", line) for line in lines if line.startswith("  ") and f"/{file.name}" in line]
    return [shlex.split(line)[2:] for line in found]


@pytest.mark.parametrize("file", marked(PROGRAMS))
def test_a_program_starts_and_has_a_help(file, parser_of):
    parser = parser_of(file)
    assert parser.description == docstring(file)
    assert "--help" in parser.format_help()


@pytest.mark.parametrize("file", marked(file for file in PROGRAMS if file.stem not in IN_TURNS))
def test_the_usage_in_its_docstring_is_what_it_takes(file, parser_of):
    assert usages(file), "its docstring says how it is started"
    for words in usages(file):
        parser_of(file).parse_args(words)


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("answered_boxes", "--data nowhere nowhere", "nowhere holds no settings.json"),
        ("expected_place", "--data nowhere --out out --max-frames 1", "--max-frames 1 is not allowed"),
        ("long_run", "--video nowhere --frames 300", "--frames 300 is not allowed; allowed are more than 300"),
        (
            "memory_policies",
            "--data nowhere --out out --tracker siamstm_lite",
            "siamstm_lite has no setting memory.policy",
        ),
        ("nanotrack_by_starts", "--data . --peers no.py --peers-python no --out out", "--peers no.py is no file"),
        ("same_trajectories", "--data nowhere --work out", "there is no folder nowhere/eval"),
        ("speed_against_commit", "--data nowhere --other nowhere --out out", "nowhere holds no stm_tracker_ros"),
        ("speed_against_nanotrack", "--data . --peers no.py --peers-python no --out out", "--peers no.py is no file"),
        ("state_thresholds", "nowhere --states .8,.7", "--states '.8,.7' is not allowed"),
        ("state_thresholds", "nowhere --states .8,.7,.5", "nowhere holds no sights.json"),
        ("two_threads", "--frames 9999", "--frames 9999 is not allowed"),
        pytest.param("abuse", "--log FILE", "exists; give another name", marks=pytest.mark.ros),
        pytest.param("found_again", "--data . --kinds never_returns", "does not come back", marks=pytest.mark.ros),
        pytest.param("found_again", "--data . --modes of", "mode 'of' is unknown", marks=pytest.mark.ros),
        pytest.param("late_targets", "--data . --size 640", "'640' is not allowed", marks=pytest.mark.ros),
        pytest.param("transport", "--size 640", "'640' is not allowed", marks=pytest.mark.ros),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(name, words, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "FILE").write_text("the user's")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setenv("ROS_DOMAIN_ID", "1")  # which some choose: the other tests keep theirs
    monkeypatch.setattr("sys.argv", [name, *words.split()])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "benchmarks" / f"{name}.py"), run_name="__main__")
    assert (ended.value.code, said in capsys.readouterr().err) == (2, True)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["the user's"]


def snippets(text):
    """Pieces of code: lines of blocks, and what stands between backticks; of a docstring its indented lines."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    lines = [line for block in blocks for line in re.sub(r" *\\\n *", " ", block).splitlines()]
    return [*lines, *(" ".join(span.split()) for span in spans)]


def quoted(snippet):
    """(command, its options) for each command of a snippet; options before the first one belong to no command."""
    code = re.sub(r"(^|\s)#.*", "", snippet)
    matches = list(COMMAND.finditer(code))
    names = ["", *(match[1] or match[2] for match in matches)]
    bounds = [0, *(match.start() for match in matches), len(code)]
    for name, start, end in zip(names, bounds, bounds[1:], strict=False):
        yield name, set(OPTION.findall(re.split(r" && | \| |;", code[start:end])[0]))


def options(parser):
    return set(OPTION.findall(parser.format_usage())) | {"--help"}


@pytest.fixture(scope="module")
def known(parser_of):
    """Options by command: `track`, `benchmarks/turns.py`, `scripts/demo`."""
    commands = argparse.ArgumentParser().add_subparsers()
    for command in COMMANDS:
        command.add_parser(commands)
    found = {name: options(parser) for name, parser in commands.choices.items()}
    found |= {str(file.relative_to(ROOT)): options(parser_of(file)) for file in PROGRAMS}
    return found | {"scripts/demo": found["demo"], "scripts/setup": set(), "scripts/test": set()}


@pytest.mark.ros
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_documents_exist(document, known):
    assert list(faults(document.read_text(encoding="utf-8"), known)) == []


@pytest.mark.ros
@pytest.mark.parametrize("command", COMMANDS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_commands_in_a_commands_help_exist(command, known):
    assert list(faults(f"```\n{command.EPILOG}\n```", known)) == []


@functools.cache
def setting_names():
    """All that `--set` takes somewhere."""
    configs = [EngineConfig(), *(recipes.load(name).DEFAULTS for name in recipes.names())]
    configs += [registry.load(name).default_config for name in registry.names()]
    return {one.name for config in configs for one in settings(config)}


def faults(text, known):
    """In words, what of the quoted commands, settings and files there is not."""
    everything = OF_OTHERS.union(*known.values())
    for snippet in snippets(text):
        for name, given in quoted(snippet):
            if name and name not in known:
                yield f"{snippet}: no command {name}"
            allowed = known.get(name, everything) | {"--help"}
            if not given <= allowed:
                yield f"{snippet}: {name} has no {', '.join(sorted(given - allowed))}"
        if not set(SETTING.findall(snippet)) <= setting_names():
            yield f"{snippet}: no such setting"
        yield from (
            f"{snippet}: there is no {file}" for file in OUR_FILE.findall(snippet) if not (ROOT / file).exists()
        )


@pytest.mark.parametrize("name", ["dmv_tables", "siamstm_tables"])
def test_the_rows_of_tables_change_settings_that_there_are(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    tables, tracker = importlib.import_module(name), f"{name.partition('_')[0]}_lite"
    rows = [row for some in (tables.TABLES, tables.FLOWN) for table in some.values() for row in table]
    assert rows
    for row in rows:
        with_changes(recipes.load(tracker).DEFAULTS, row.trained)
        with_changes(registry.load(tracker).default_config, row.flown)


def test_rows_of_tables_share_their_samples_and_note_for_themselves_what_they_write(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    tables, weights, folders = importlib.import_module("tables"), "dmv_lite.safetensors", ("pack", "features")
    finished, begun = tmp_path / "k1", tmp_path / "k2"
    for folder in folders:
        OutputFolder(finished / folder).write("samples.bin", b"samples")
    (finished / weights).touch()
    tables.share(begun / weights, begun)
    for folder in folders:
        OutputFolder(begun / folder).check(["samples.bin"])
        assert (begun / folder / "samples.bin").samefile(finished / folder / "samples.bin")
        OutputFolder(begun).below(folder).write("more.bin", b"")
        assert "more.bin" not in (finished / folder / LEDGER_NAME).read_text()


NANO3 = """
class Nano3:
    def __init__(self, threads): pass
    def init(self, image, box): self.box = box
    def update(self, image): return [side + int(image[0, 0, 2]) for side in self.box]
"""


def test_nanotrack_starts_at_the_box_and_sees_each_image_as_it_is(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    by_starts, nanotrack = (importlib.import_module(name) for name in ("nanotrack_by_starts", "nanotrack"))
    peers, first = tmp_path / "peers.py", Box(1, 2, 3, 4)
    peers.write_text(NANO3)
    worker = nanotrack.worker(argparse.Namespace(peers=peers, peers_python=Path(sys.executable)))
    tracker = by_starts.NanoTrack(worker, tmp_path / "image.npy")
    frames = [Frame(image=np.full((5, 5, 3), (9, 9, red), np.uint8), stamp_ns=red) for red in (7, 20)]
    answers = [
        tracker.init(frames[0], Target(box=first)),
        *map(tracker.track, frames),
        tracker.init(frames[0], Target(box=Box(5, 5, 5, 5))),
        tracker.track(frames[1]),
    ]
    worker.close()
    assert [tuple(answer.box) for answer in answers] == [first, (8, 9, 10, 11), (21, 22, 23, 24), (5,) * 4, (25,) * 4]
