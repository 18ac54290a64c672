"""Results against each other: what is paired, what is refused, what comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.metrics import paired_bootstrap
from stm_tracker_ros.evaluation import compare, compare_report
from stm_tracker_ros.evaluation.results import Case, Evaluated, read_evaluated

pytestmark = pytest.mark.pure

SETTINGS = {"tracker": "some", "settings": {}, "data": "../eval", "fps": 30.0, "init": "box", "max_frames": None}
# Three recordings: the two of Jogging are one.
BEFORE = {"OTB2015/Jogging-1": 0.5, "OTB2015/Jogging-2": 0.6, "VOT/bag": 0.4, "UAVDT/S1": 0.8}
AFTER = {"OTB2015/Jogging-1": 0.7, "OTB2015/Jogging-2": 0.85, "VOT/bag": 0.4, "UAVDT/S1": 0.58}


def evaluated(label: str, values: dict[str, float], **settings: object) -> Evaluated:
    cases = {
        name: Case(
            recording=name.split("-")[0],
            frames=100,
            groups=("aerial", "tiny") if "UAV" in name else ("tiny",) if "bag" in name else (),
            figures={"success_auc": value, "ao": value / 2},
        )
        for name, value in values.items()
    }
    return Evaluated(
        label=label,
        path=Path(label),
        kind="sequences",
        figures=("success_auc",),
        settings={**SETTINGS, **settings},
        cases=cases,
    )


@pytest.fixture
def pairing() -> compare.Pairing:
    return compare.pair([evaluated("before", BEFORE), evaluated("after", AFTER)])


def test_the_difference_is_drawn_by_recording(pairing: compare.Pairing) -> None:
    found = pairing.compare("success_auc")
    assert found.means == pytest.approx([0.575, 0.6325])
    names = sorted(BEFORE)
    sides = [[side[name] for name in names] for side in (AFTER, BEFORE)]
    expected = paired_bootstrap(*sides, [name.split("-")[0] for name in names])
    assert found.minus_first(1) == expected
    assert expected != paired_bootstrap(*sides, names), "drawn by sequence it would be another interval"


def test_another_figure_is_compared_by_its_name(pairing: compare.Pairing) -> None:
    assert pairing.figures == ("success_auc", "ao")
    assert pairing.compare("ao").means == pytest.approx([0.2875, 0.31625])
    with pytest.raises(DataError, match=r"figure 'j_mean' .* allowed is one of success_auc, ao"):
        pairing.compare("j_mean")


@pytest.mark.parametrize(
    ("figures", "held"),
    [
        ({"looks": 30, "overlap": 0.7}, "looks, overlap"),
        ({"success_auc": "0.61", "ao": float("nan"), "frames": 310}, "none that is a finite number"),
    ],
    ids=["of one step", "text and NaN"],
)
def test_no_figure_in_common_is_a_sentence_that_says_what_each_has(figures: dict, held: str, tmp_path: Path) -> None:
    ours = write(tmp_path / "ours", {"sequences": {"VOT/bag": {"success_auc": 0.5, "ao": 0.6}}})
    other = write(tmp_path / "other", {"sequences": {"VOT/bag": figures}})
    pairing = compare.pair(read_evaluated([ours, other]))
    assert pairing.figures == ()
    words = (
        rf"no figure in common \(ours: success_auc, ao; other: {held}\); needed is one in all, of the same sequences$"
    )
    with pytest.raises(DataError, match=words):
        pairing.compare("success_auc")


def test_a_figure_that_no_sequence_has_in_all_results_is_none_to_choose_from() -> None:
    sides = [evaluated("before", BEFORE), evaluated("after", AFTER)]
    cases = [{**side.cases} for side in sides]
    for one, name in zip(cases, ("VOT/bag", "UAVDT/S1"), strict=True):
        one[name] = replace(one[name], figures={**one[name].figures, "j_mean": 0.5})
    pairing = compare.pair([replace(side, cases=one) for side, one in zip(sides, cases, strict=True)])
    with pytest.raises(DataError, match=r"figure 'j_mean' .* allowed is one of success_auc, ao$"):
        pairing.compare("j_mean")


def test_a_figure_that_some_cases_lack_is_compared_where_it_is() -> None:
    sides = [evaluated("before", BEFORE), evaluated("after", AFTER)]
    cases = {**sides[1].cases, "VOT/bag": Case(recording="VOT/bag", frames=100, figures={"success_auc": 0.1})}
    pairing = compare.pair([sides[0], replace(sides[1], cases=cases)])
    found = pairing.compare("ao")
    assert "VOT/bag" not in found.names
    assert len(found.names) == 3
    assert found.missing == ("VOT/bag",)
    assert "ao: left out, for not all results have it of them: 1\n  VOT/bag" in compare_report.text(pairing, [found])
    assert pairing.compare("success_auc").missing == ()


def test_the_largest_differences_come_first_and_none_is_no_difference(pairing: compare.Pairing) -> None:
    found = pairing.compare("success_auc")
    names, gaps = zip(*found.largest(1, 10), strict=True)
    assert names == ("OTB2015/Jogging-2", "UAVDT/S1", "OTB2015/Jogging-1")
    assert gaps == pytest.approx([0.25, -0.22, 0.2])
    assert len(found.largest(1, 2)) == 2


def test_groups_are_compared_on_their_own(pairing: compare.Pairing) -> None:
    assert pairing.groups == {"aerial": ("UAVDT/S1",), "tiny": ("UAVDT/S1", "VOT/bag")}
    rows = compare_report.content(pairing, [pairing.compare("success_auc")])["figures"]["success_auc"]
    assert [row["mean"] for row in rows["groups"]["aerial"]] == pytest.approx([0.8, 0.58])
    assert rows["groups"]["aerial"][1]["minus_first"]["mean"] == pytest.approx(-0.22)


def test_sequences_of_some_results_only_are_left_out_and_named() -> None:
    third = {name: value for name, value in BEFORE.items() if name != "VOT/bag"}
    sides = [evaluated("before", BEFORE), evaluated("after", AFTER), evaluated("third", {**third, "VOT/book": 0.3})]
    found = compare.pair(sides)
    assert found.names == tuple(sorted(third))
    assert found.left_out == {"VOT/bag": ("before", "after"), "VOT/book": ("third",)}
    text = compare_report.text(found, [found.compare("success_auc")])
    assert "VOT/bag (only in before, after)" in text
    assert found.compare("success_auc").values.shape == (3, 3)


@pytest.mark.parametrize(
    ("name", "value"), [("starts", 5), ("fps", 10.0), ("init", "mask"), ("max_frames", 60), ("data", "../other")]
)
def test_settings_that_make_a_pair_meaningless_are_refused(name: str, value: object) -> None:
    words = rf"before and after were run with other {name} .*{str(value).strip('./')}"
    with pytest.raises(DataError, match=words):
        compare.pair([evaluated("before", BEFORE), evaluated("after", AFTER, **{name: value})])


def test_the_same_data_by_another_path_is_the_same() -> None:
    sides = [evaluated("before", BEFORE), evaluated("after", AFTER, data="/elsewhere/eval/")]
    assert compare.pair(sides).names


def test_other_lengths_of_a_sequence_are_refused() -> None:
    cases = {name: replace(case, frames=60) for name, case in evaluated("after", AFTER).cases.items()}
    with pytest.raises(DataError, match=r"other frames \(100 in before, 60 in after\)"):
        compare.pair([evaluated("before", BEFORE), replace(evaluated("after", AFTER), cases=cases)])


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(DataError, match=r"none of their sequences in common \(before: .*; after: VOT/book\)"):
        compare.pair([evaluated("before", BEFORE), evaluated("after", {"VOT/book": 0.5})])


def test_one_result_alone_is_refused_twice_given_too() -> None:
    for given in (["before"], ["before", "before"]):
        with pytest.raises(DataError, match="needed are two different results or more"):
            compare.pair([evaluated(label, BEFORE) for label in given])


def test_sequences_and_made_scenes_are_no_pair() -> None:
    with pytest.raises(DataError, match="results of occlusions and of sequences"):
        compare.pair([evaluated("before", BEFORE), replace(evaluated("after", AFTER), kind="occlusions")])


def test_what_was_run_otherwise_is_told() -> None:
    first = evaluated("before", BEFORE, settings={"memory.policy": "full"}, weights_sha256="a" * 64)
    other = evaluated("after", AFTER, settings={"size.rate": 2}, weights_sha256="b" * 64, data="/elsewhere/eval")
    found = compare.settings_beside(first, other)
    assert found == {"weights_sha256": "b" * 64, "size.rate": 2, "memory.policy": None}
    pairing = compare.pair([first, other])
    line = compare_report.text(pairing, [pairing.compare("success_auc")]).splitlines()[2]
    assert line == "after   some     weights_sha256=bbbbbbbbbbbb, size.rate=2, memory.policy=None"


def test_the_table_says_which_side_of_zero_the_interval_lies() -> None:
    before = {f"VOT/{name}": 0.5 for name in "abcdef"}
    up, down = ({name: value + gain for name, value in before.items()} for gain in (0.1, -0.1))
    sides = [evaluated("before", before), evaluated("up", up), evaluated("down", down), evaluated("same", before)]
    found = compare.pair(sides)
    text = compare_report.text(found, [found.compare("success_auc")])
    assert "+0.1000  [+0.1000, +0.1000]  above zero\n" in text
    assert "-0.1000  [-0.1000, -0.1000]  below zero\n" in text
    assert "+0.0000  [+0.0000, +0.0000]\n" in text
    assert "same minus before: none at all" in text


def test_a_few_recordings_cannot_tell() -> None:
    before = {f"VOT/{name}": 0.5 for name in "abcde"}
    found = compare.pair([evaluated("before", before), evaluated("up", {name: 0.6 for name in before})])
    text = compare_report.text(found, [found.compare("success_auc")])
    assert "[+0.1000, +0.1000]  (above zero, of 5 only)\n" in text


def write(folder: Path, summary: dict, settings: dict | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(summary))
    if settings:
        (folder / "settings.json").write_text(json.dumps(settings))
    return folder


def test_a_folder_of_evaluate_is_read(tmp_path: Path) -> None:
    row = {"frames": 80, "success_auc": 0.5, "robustness": 0.9, "groups": ["tiny"], "ms_per_frame": {"p50": 3.0}}
    folder = write(tmp_path / "report", {"sequences": {"OTB2015/Jogging-1": row}}, SETTINGS)
    (found,) = read_evaluated([folder])
    assert (found.label, found.kind, found.settings) == ("report", "sequences", SETTINGS)
    figures = {"success_auc": 0.5, "robustness": 0.9}
    case = Case(recording="OTB2015/Jogging", frames=80, groups=("tiny",), figures=figures)
    assert found.cases == {"OTB2015/Jogging-1": case}


def test_figures_of_another_tracker_are_read(tmp_path: Path) -> None:
    """As tools outside of this package write them: no settings, no groups."""
    row = {"success_auc": 0.61, "ao": 0.62, "frames": 310, "ms_p20": 5.9, "ms_p50": 6.1}
    (tmp_path / "nano3.json").write_text(json.dumps({"VOT/bag": row}))
    ours = write(tmp_path / "ours", {"sequences": {"VOT/bag": {"frames": 310, "success_auc": 0.5}}}, SETTINGS)
    pairing = compare.pair(read_evaluated([ours, tmp_path / "nano3.json"]))
    assert pairing.figures == ("success_auc",)
    assert pairing.results[1].cases["VOT/bag"].figures == {"success_auc": 0.61, "ao": 0.62}
    text = compare_report.text(pairing, [pairing.compare("success_auc")])
    assert "(not noted)" in text
    assert "groups are noted by no result" in text


def seed(number: int, scene: str, tracking: int, to_find: int | None) -> dict:
    row = {"seed": number, "scene": scene, "occluder": "post", "covered": 20, "tracking_while_covered": tracking}
    return {**row, "frames_to_find": to_find, "mean_iou_before": 0.9}


def test_made_occlusions_are_compared_by_their_rates_and_drawn_by_scene(tmp_path: Path) -> None:
    before = [seed(0, "bus", 3, None), seed(1, "bus", 2, 16), seed(2, "dog", 0, 2), seed(3, "cat", 0, 15)]
    after = [seed(0, "bus", 0, 4), seed(1, "bus", 0, 3), seed(2, "dog", 0, 2), seed(3, "cat", 1, None)]
    folders = [
        write(tmp_path / name, {"seeds": rows}, SETTINGS) for name, rows in (("before", before), ("after", after))
    ]
    pairing = compare.pair(read_evaluated(folders))
    assert pairing.results[0].figures == ("found", "false_tracking")
    found, tracking = (pairing.compare(figure) for figure in pairing.results[0].figures)
    assert found.means == pytest.approx([0.5, 0.75])
    assert tracking.means == pytest.approx([0.5, 0.25])
    gaps = [1, 1, 0, -1]
    assert found.minus_first(1) == paired_bootstrap(gaps, np.zeros(4), ["bus", "bus", "dog", "cat"])
    text = compare_report.text(pairing, [found, tracking])
    assert "4 occlusions, 3 recordings" in text
    assert "groups" not in text


def absence(kind: str, number: int, found_s: float | None, tracking: int, *, returns: bool = True) -> dict:
    row = {
        "kind": kind,
        "seed": number,
        "scene": f"VOT/bag-{number}",
        "recording": "VOT/bag" if number < 2 else "VOT/c",
    }
    times = {"returns": returns, "found_s": found_s, "lost_s": 1.0, "tracking_absent": tracking + 3, "absent": 50}
    rates = {"tracking_absent_after_grace": tracking, "absent_after_grace": 40, "tracking_other": 2, "seen": 100}
    return {**row, **times, **rates, "conditions": {"away_s": 3}}


def test_made_absences_are_compared_by_kind_and_drawn_by_recording(tmp_path: Path) -> None:
    before = [absence("twins", 0, None, 20), absence("twins", 1, 5.1, 0), absence("border", 2, 0.4, 0)]
    after = [absence("twins", 0, 5.0, 0), absence("twins", 1, 2.1, 0), absence("border", 2, None, 4)]
    sides = [[*rows, absence("gone", 3, None, 0, returns=False)] for rows in (before, after)]
    folders = [write(tmp_path / str(index), {"kinds": {}, "seeds": rows}, SETTINGS) for index, rows in enumerate(sides)]
    pairing = compare.pair(read_evaluated(folders))
    found, tracking, _ = (pairing.compare(figure) for figure in pairing.results[0].figures)
    assert found.names == ("border 2", "twins 0", "twins 1"), "what never returns cannot be found"
    assert found.means == pytest.approx([1 / 3, 2 / 3])
    assert found.recordings == ("VOT/c", "VOT/bag", "VOT/bag")
    assert tracking.means == pytest.approx([0.125, 0.025])
    assert pairing.compare("found_within_1").means == pytest.approx([1 / 3, 0])
    assert pairing.groups == {"border": ("border 2",), "gone": ("gone 3",), "twins": ("twins 0", "twins 1")}


def test_two_folders_of_one_name_keep_their_paths(tmp_path: Path) -> None:
    summary = {"sequences": {"VOT/bag": {"frames": 5, "success_auc": 0.5}}}
    folders = [write(tmp_path / name / "report", summary) for name in "ab"]
    assert [one.label for one in read_evaluated(folders)] == [str(folder) for folder in folders]


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no summary\.json; allowed is a folder that `stm_tracker evaluate`"):
        read_evaluated([tmp_path])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "holds no figures by name"),
        ('{"sequences": 5}', "'sequences' is 5, which holds no figures by name; allowed is"),
        ('{"sequences": {"VOT/bag": 0.5}}', "'VOT/bag' is 0.5, which holds no figures by name; allowed is"),
        ('{"seeds": [{"seed": 1}]}', "'frames_to_find' is missing; allowed is"),
        ('{"kinds": {}, "seeds": [4]}', "'seeds' is 4, which holds no figures by name; allowed is"),
        ('{"seeds": 5}', "one of its values is of another kind; allowed is"),
    ],
)
def test_other_files_are_refused_by_name_and_in_words(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(content)
    with pytest.raises(DataError) as error:
        read_evaluated([tmp_path])
    assert str(error.value).startswith(f"{tmp_path / 'summary.json'} ")
    assert words in str(error.value)
    assert "Error" not in str(error.value)


def test_figures_of_bench_are_no_results_by_sequence(tmp_path: Path) -> None:
    report = {"tracker": "stmtrack_lite", "threads": 1, "ours": {"total": {"p50": 8.0}}, "ratio_total": 0.5}
    (tmp_path / "bench.json").write_text(json.dumps(report))
    words = (
        r"bench\.json .*: 'tracker' is 'stmtrack_lite', which holds no figures by name; allowed is what `stm_tracker"
    )
    with pytest.raises(DataError, match=words):
        read_evaluated([tmp_path / "bench.json"])
