"""`stm_tracker compare` as it is called."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import cv2
import pytest

from stm_tracker_ros.cli import compare, main

pytestmark = pytest.mark.pure

ROWS = 62
needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="PICTURE NOT CHECKED: no matplotlib; scripts/test brings it"
)


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Two results of 62 sequences: the later is better by .01 to .62, but for the last one, worse by .3."""
    for label, gain in (("before", 0.0), ("after", 0.01)):
        values = {f"VOT/sequence_{row:02d}": 0.1 + gain * (row + 1) for row in range(ROWS)}
        values["VOT/zz"] = 0.5 if label == "before" else 0.2
        rows = {name: {"frames": 9, "success_auc": value, "ao": value / 2} for name, value in values.items()}
        folder = tmp_path / label
        folder.mkdir()
        (folder / "summary.json").write_text(json.dumps({"sequences": rows}))
    return [str(tmp_path / "before"), str(tmp_path / "after")]


def test_the_table_is_printed_and_nothing_written(folders, tmp_path, capsys):
    there = sorted(tmp_path.rglob("*"))
    assert main.main(["compare", *folders]) == 0
    printed = capsys.readouterr().out
    assert "63 sequences, 63 recordings" in printed
    assert "+0.6200  VOT/sequence_61  0.1000 -> 0.7200" in printed
    assert "-0.3000  VOT/zz" not in printed, "there are ten larger ones"
    assert sorted(tmp_path.rglob("*")) == there


@needs_matplotlib
def test_table_and_picture_are_written(folders, tmp_path, capsys):
    out = tmp_path / "out"
    assert main.main(["compare", *folders, "--figure", "ao", "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir() if path.suffix) == ["ao_after.png", "compare.json"]
    content = json.loads((out / "compare.json").read_text())
    assert content["first"] == "before"
    figure = content["figures"]["ao"]
    assert len(figure["cases"]) == ROWS + 1
    worst = next(case for case in figure["cases"] if case["name"] == "VOT/zz")
    assert worst == {"name": "VOT/zz", "recording": "VOT/zz", "before": 0.25, "after": 0.1}
    gains = [0.005 * (row + 1) for row in range(ROWS)]
    assert figure["all"][1]["minus_first"]["mean"] == pytest.approx((sum(gains) - 0.15) / (ROWS + 1))
    assert capsys.readouterr().out.endswith("out: compare.json, ao_after.png\n")


@needs_matplotlib
def test_the_picture_shows_the_largest_gain_on_top(folders, tmp_path):
    """Blue bars are longest at the top, and the orange one is the lowest; a row a sequence."""
    main.main(["compare", *folders, "--out", str(tmp_path / "out")])
    picture = cv2.imread(str(tmp_path / "out" / "success_auc_after.png")).astype(int)
    assert picture.shape[0] > (ROWS + 1) * 15, "the names can be read"
    bars = picture[:, picture.shape[1] * 2 // 3 :]
    blue, orange = (abs(bars - color).sum(2) < 12 for color in ((178, 114, 0), (0, 94, 213)))
    lengths = blue.sum(1)[: picture.shape[0] * 3 // 4]
    rows = lengths[lengths > 20]
    assert rows[0] == pytest.approx(rows.max(), abs=4)
    assert rows[0] > 2 * rows[-1] > 0
    assert orange.sum(1).argmax() > picture.shape[0] * 0.85


def test_rates_of_made_scenes_are_a_table_without_a_picture(tmp_path, capsys):
    for label, tracking in (("before", 3), ("after", 0)):
        row = {"seed": 7, "scene": "bus", "covered": 20, "tracking_while_covered": tracking, "frames_to_find": 0}
        (tmp_path / label).mkdir()
        (tmp_path / label / "summary.json").write_text(json.dumps({"seeds": [row]}))
    folders = [str(tmp_path / label) for label in ("before", "after")]
    assert main.main(["compare", *folders, "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.endswith("out: compare.json\n")
    figures = json.loads((tmp_path / "out" / "compare.json").read_text())["figures"]
    assert [figures["false_tracking"]["all"][side]["mean"] for side in (0, 1)] == [1, 0]
    assert [figures["found"]["all"][side]["mean"] for side in (0, 1)] == [1, 1]


def test_without_matplotlib_the_table_is_there_and_the_way_to_get_it(folders, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(compare.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(main.libraries, "check", lambda: None)
    assert main.main(["compare", *folders, "--out", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    assert "above zero" in captured.out
    assert "pip install matplotlib" in captured.err
    assert [path.name for path in (tmp_path / "out").iterdir() if path.suffix] == ["compare.json"]


def test_what_the_user_has_there_is_not_overwritten(folders, tmp_path, capsys):
    mine = tmp_path / "out" / "compare.json"
    mine.parent.mkdir()
    mine.write_text("mine")
    assert main.main(["compare", *folders, "--out", str(mine.parent)]) == 2
    captured = capsys.readouterr()
    assert "compare.json would be overwritten" in captured.err
    assert captured.out == ""
    assert mine.read_text() == "mine"


def test_results_are_not_written_among_what_is_read(folders, capsys):
    assert main.main(["compare", *folders, "--out", folders[1]]) == 2
    assert "is what is read" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["before"], ["before", "nowhere"]])
def test_what_cannot_be_compared_is_one_line(given, folders, tmp_path, capsys):
    assert main.main(["compare", *(str(tmp_path / name) for name in given)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stm_tracker: error: ")


def test_labels_become_names_of_files(folders, tmp_path):
    (tmp_path / "after").rename(tmp_path / "with memory=5")
    names = [folders[0], str(tmp_path / "with memory=5")]
    assert main.main(["compare", *names, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "success_auc_with_memory_5.png").is_file()
