"""Values that begin with a minus sign, where argparse would see an option."""

from __future__ import annotations

import re
import shlex

import pytest

from stm_tracker_ros import __version__
from stm_tracker_ros.cli import train
from stm_tracker_ros.cli.main import COMMANDS, make_parser
from stm_tracker_ros.cli.options import DEFAULT_TRACKER, parse_changes
from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.engine.config import STATE_PREFIX, StateConfig
from stm_tracker_ros.trackers import registry
from stm_tracker_ros.training.run_files import READ_OF_DATA

pytestmark = pytest.mark.pure

TRACK = ("track", "flight.mp4", "--out", "run")


@pytest.mark.parametrize("command", [TRACK, ("demo", "--video", "flight.mp4"), ("bench", "--video", "flight.mp4")])
@pytest.mark.parametrize("box", [("--box", "-5,100,20,40"), ("--box=-5,100,20,40",), ("--bo", "-5,100,20,40")])
def test_a_box_may_begin_left_of_the_image(command: tuple[str, ...], box: tuple[str, ...]) -> None:
    assert make_parser().parse_args([*command, *box, "--threads", "2"]).box == Box(-5, 100, 20, 40)


@pytest.mark.parametrize("text", ["-.5,1,2,3", "-1e1,1,2,3", "-5.5,-1,2,3", "-inf,1,2,3", "-5, 1, 2, 3"])
def test_all_that_can_be_a_number_is_a_value(text: str) -> None:
    expected = Box(*(float(part) for part in text.split(",")))
    assert make_parser().parse_args([*TRACK, "--box", text]).box == expected


def test_options_stay_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args([*TRACK, "--box", "--threads", "2"])
    assert "--box: expected one argument" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        make_parser().parse_args([*TRACK, "--box", "1,2,3,4", "-5"])
    assert "unrecognized arguments: -5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--out", "", "argument --out: '' is not allowed; allowed is a path"),
        ("--weights", "", "argument --weights: '' is not allowed; allowed is a path"),
        ("--fps", "1e308", "argument --fps: '1e308' is not allowed; allowed are frames a second from 0.001 to 100000"),
        ("--fps", "0", "from 0.001 to 100000"),
        ("--fps", "nan", "from 0.001 to 100000"),
    ],
)
def test_a_value_that_means_nothing_is_refused(
    option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args([*TRACK, "--box", "1,2,3,4", option, value])
    assert words in capsys.readouterr().err


EVALUATE = ("evaluate", "--data", "d", "--out", "o")
CALIBRATE = ("calibrate", "--data", "d", "--out", "o")


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        (EVALUATE, "--sequences"),
        ((*EVALUATE, "--absences"), "--kinds"),
        ((*EVALUATE, "--occlusions"), "--seeds"),
        ((*EVALUATE, "--absences"), "--seeds"),
        (CALIBRATE, "--sequences"),
        (CALIBRATE, "--absences"),
        (CALIBRATE, "--occlusions"),
        (("compare", "before", "after"), "--figure"),
    ],
)
def test_the_value_of_a_variable_that_is_not_set_does_not_mean_all(
    command: tuple[str, ...], option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        make_parser().parse_args([*command, option, value])
    assert f"argument {option}: {value!r} names nothing; allowed is one or more" in capsys.readouterr().err


def test_what_follows_two_dashes_is_left_alone() -> None:
    assert (
        str(make_parser().parse_args(["track", "--box", "1,2,3,4", "--out", "run", "--", "-5.mp4"]).source) == "-5.mp4"
    )


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        make_parser().parse_args(["--version"])
    assert capsys.readouterr().out == f"stm_tracker {__version__}\n"


EXAMPLES = [line for command in COMMANDS for line in re.findall(r"^  stm_tracker (.+)$", command.EPILOG, re.MULTILINE)]


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_of_the_help_is_understood(line: str) -> None:
    assert make_parser().parse_args(shlex.split(re.split("  +", line)[0])).run


@pytest.mark.parametrize("command", ["demo", "track", "evaluate", "bench", "calibrate"])
def test_every_setting_that_the_help_and_its_hint_name_is_allowed(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args([command, "--help"])
    with pytest.raises(ConfigError) as hint:
        parse_changes(["memory.history"])
    texts = re.findall(r"[a-z_]+\.[a-z_.]+=[\w.]+", capsys.readouterr().out + str(hint.value))
    assert len(texts) >= 3, "two in the help of --set, one in the hint"
    tracker = registry.load(DEFAULT_TRACKER).default_config
    for name, value in (text.split("=") for text in texts):
        is_state = name.startswith(STATE_PREFIX)
        assert with_changes(StateConfig() if is_state else tracker, {name.removeprefix(STATE_PREFIX): value})


def test_training_that_starts_anew_says_from_which_backbone() -> None:
    lines = [line for line in EXAMPLES if line.startswith("train ")]
    assert lines
    assert all("backbone_weights=" in line or "start_from=" in line for line in lines)


def test_training_says_all_that_it_reads_of_its_data() -> None:
    assert all(name in train.EPILOG for name in ("train_images.tar", *READ_OF_DATA))
