"""Masks through an evaluation: on disk, in the trajectory, in the figures."""

from __future__ import annotations

from itertools import count

import cv2
import numpy as np
import pytest
from masked_tracker import MaskedTracker
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.mask_metrics import boundary_f, jaccard
from stm_tracker_ros.core.output_folder import OutputFolder
from stm_tracker_ros.core.types import Box, Frame, RotatedBox, Target
from stm_tracker_ros.data.readers import read_mask, stamp_of
from stm_tracker_ros.data.sequence import read_sequences
from stm_tracker_ros.data.synthetic import Cover, OcclusionSequence
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation import occlusions
from stm_tracker_ros.evaluation.mask_files import MaskWriter, has_masks, mask_path
from stm_tracker_ros.evaluation.one_pass import Options, measurement
from stm_tracker_ros.evaluation.realtime import fly
from stm_tracker_ros.evaluation.report import summarise, table
from stm_tracker_ros.evaluation.trajectory import BOX_COLUMNS, COLUMNS, Row, read_trajectory, write_trajectory
from stm_tracker_ros.evaluation.work import work_off

pytestmark = pytest.mark.pure

WIDTH, HEIGHT, FRAMES = 96, 80, 5
STEP_PX = 4


def truth(number: int) -> np.ndarray:
    """A tall block that moves to the right."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:60, 10 + STEP_PX * number : 26 + STEP_PX * number] = 255
    return mask


def write_sequence(folder, *, masks: bool, shown=truth) -> None:
    folder.mkdir(parents=True)
    writer = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (WIDTH, HEIGHT))
    for number in range(FRAMES):
        writer.write(np.repeat(shown(number)[..., None], 3, axis=2))
        if masks:
            (folder / "mask").mkdir(exist_ok=True)
            cv2.imwrite(str(folder / f"mask/{number + 1:06d}.png"), truth(number), (cv2.IMWRITE_PNG_BILEVEL, 1))
    writer.release()
    (folder / "groundtruth.txt").write_text("".join(f"{10 + STEP_PX * n},20,16,40\n" for n in range(FRAMES)))


@pytest.fixture
def data(tmp_path):
    write_sequence(tmp_path / "data/DAVIS/masked", masks=True)
    write_sequence(tmp_path / "data/OTB/boxed", masks=False)
    return tmp_path / "data"


def run(tracker, data, out, names=None, **options):
    sequences = read_sequences(data, names)
    measured = measurement(sequences, Options(state_config=StateConfig(), **options))
    list(work_off(measured.items, tracker, out))
    return measured.summarise(out, {})


def is_one_bit(path) -> bool:
    """Bit depth 1 and colour type grey, by the header of the PNG."""
    return path.read_bytes()[24:26] == bytes((1, 0))


def test_masks_lie_beside_the_trajectory_numbered_like_its_frames(data, tmp_path):
    run(MaskedTracker(), data, tmp_path / "out")
    for name in ("DAVIS/masked", "OTB/boxed"):
        paths = sorted((tmp_path / "out" / name / "masks").iterdir())
        assert [path.name for path in paths] == [f"{number:06d}.png" for number in range(FRAMES)]
        assert all(is_one_bit(path) for path in paths)
        for number, path in enumerate(paths):
            assert jaccard(read_mask(path), truth(number)) > 0.9


def test_j_and_f_are_those_of_the_masks_on_disk_without_the_first_frame(data, tmp_path):
    summary = run(MaskedTracker(), data, tmp_path / "out")
    # What the first frame says does not count.
    cv2.imwrite(str(mask_path(tmp_path / "out/DAVIS/masked", 0)), np.zeros((HEIGHT, WIDTH), np.uint8))
    answers = [read_mask(mask_path(tmp_path / "out/DAVIS/masked", number)) for number in range(FRAMES)]
    pairs = [(answers[number], truth(number)) for number in range(1, FRAMES)]
    assert summary["sequences"]["DAVIS/masked"]["j_mean"] == pytest.approx(np.mean([jaccard(*p) for p in pairs]))
    assert summary["sequences"]["DAVIS/masked"]["f_mean"] == pytest.approx(np.mean([boundary_f(*p) for p in pairs]))
    again = summarise(tmp_path / "out", sequences=read_sequences(data))
    assert again["j_mean"] == summary["j_mean"] > 0.9
    assert again["f_mean"] == summary["f_mean"] > 0.9


def test_sequences_without_true_masks_do_not_count_for_j_and_f(data, tmp_path):
    summary = run(MaskedTracker(), data, tmp_path / "out")
    assert "j_mean" not in summary["sequences"]["OTB/boxed"]
    assert summary["j_mean"] == summary["sequences"]["DAVIS/masked"]["j_mean"]
    assert summary["mask_sequence_count"] == 1
    assert summary["sequence_count"] == 2
    lines = table(summary).splitlines()
    assert "j_mean" in lines[0]
    assert next(line for line in lines if "OTB/boxed" in line).split()[8:10] == ["-", "-"]


def test_a_tracker_without_masks_has_neither_masks_nor_j(data, tmp_path):
    summary = run(ScriptedTracker([(Box(10, 20, 16, 40), 0.9)]), data, tmp_path / "out")
    assert not {"j_mean", "f_mean", "mask_sequence_count"} & set(summary)
    assert "j_mean" not in summary["sequences"]["DAVIS/masked"]
    assert "j_mean" not in table(summary)
    assert not (tmp_path / "out/DAVIS/masked/masks").exists()


def test_a_target_that_is_gone_is_an_empty_mask_and_counts_as_missed(data, tmp_path):
    write_sequence(
        tmp_path / "more/DAVIS/gone", masks=True, shown=lambda number: truth(number) * np.uint8(number not in (2, 3))
    )
    summary = run(MaskedTracker(), tmp_path / "more", tmp_path / "out")
    assert not read_mask(mask_path(tmp_path / "out/DAVIS/gone", 2)).any()
    assert summary["j_mean"] == pytest.approx(0.5, abs=0.05)
    assert np.isnan(read_trajectory(tmp_path / "out/DAVIS/gone/trajectory.csv").rotations[2]).all()


def test_the_first_mask_starts_the_tracker_where_it_is_asked_for(data, tmp_path):
    tracker = MaskedTracker()
    run(tracker, data, tmp_path / "out", ["masked"], init="mask")
    assert tracker.given[0].box is None
    assert (tracker.given[0].mask == truth(0)).all()
    assert (read_mask(mask_path(tmp_path / "out/DAVIS/masked", 0)) == truth(0)).all()
    assert read_trajectory(tmp_path / "out/DAVIS/masked/trajectory.csv").boxes[0].tolist() == [10, 20, 16, 40]
    run(tracker, data, tmp_path / "out2", ["masked"])
    assert tracker.given[1].box == Box(10, 20, 16, 40)


def test_a_sequence_without_masks_cannot_start_from_one(data, tmp_path):
    with pytest.raises(DataError, match="OTB/boxed has no masks"):
        run(MaskedTracker(), data, tmp_path / "out", ["boxed"], init="mask")
    empty = data / "DAVIS/masked/mask/000001.png"
    cv2.imwrite(str(empty), np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(DataError, match=r"000001\.png is empty"):
        run(MaskedTracker(), data, tmp_path / "out", ["masked"], init="mask")


def test_fewer_frames_are_scored_as_such(data, tmp_path):
    summary = run(MaskedTracker(), data, tmp_path / "out", max_frames=2)
    assert summary["j_mean"] > 0.9
    assert len(list((tmp_path / "out/DAVIS/masked/masks").iterdir())) == 2


def test_a_missing_mask_of_a_run_is_named(data, tmp_path):
    run(MaskedTracker(), data, tmp_path / "out")
    mask_path(tmp_path / "out/DAVIS/masked", 3).unlink()
    failed = summarise(tmp_path / "out", sequences=read_sequences(data))["failed"]
    assert "000003.png" in failed["DAVIS/masked"]


def test_masks_of_a_run_before_are_removed(tmp_path):
    first = MaskWriter(OutputFolder(tmp_path))
    for number in range(4):
        first.write(number, truth(number))
    MaskWriter(OutputFolder(tmp_path)).write(0, truth(2))
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["000000.png"]
    MaskWriter(OutputFolder(tmp_path)).write(0, None)
    assert not has_masks(tmp_path)


def test_a_trajectory_tells_how_the_box_is_turned_and_old_ones_are_read(tmp_path):
    turned = RotatedBox(20, 30, 8, 1 / 3, -0.7)
    rows = [
        Row(frame=0, stamp_ns=0, box=Box(1, 2, 3, 4), score=1.0, state="TRACKING", rotated=turned),
        Row(frame=1, stamp_ns=33, box=Box(1, 2, 3, 4), score=0.5, state="LOST"),
    ]
    path = tmp_path / "trajectory.csv"
    write_trajectory(OutputFolder(tmp_path), rows)
    header, first, second = path.read_text().splitlines()
    assert header == "frame,stamp_ns,x,y,width,height,score,state,theta,size_x,size_y" == ",".join(COLUMNS)
    assert first.endswith(f",TRACKING,-0.7,8.0,{1 / 3!r}")
    assert second == "1,33,1.0,2.0,3.0,4.0,0.5,LOST,nan,nan,nan"
    read = read_trajectory(path)
    np.testing.assert_array_equal(read.rotations, [(-0.7, 8, 1 / 3), (np.nan,) * 3])
    assert read.boxes[0].tolist() == [1, 2, 3, 4]

    path.write_text(",".join(BOX_COLUMNS) + "\n0,0,1.0,2.0,3.0,4.0,1.0,TRACKING\n")
    old = read_trajectory(path)
    assert old.boxes.tolist() == [[1, 2, 3, 4]]
    assert old.states == ("TRACKING",)
    assert np.isnan(old.rotations).all()


def frames(count_, shown=truth):
    images = (np.repeat(shown(number)[..., None], 3, axis=2) for number in range(count_))
    return (Frame(image=image, stamp_ns=stamp_of(number)) for number, image in enumerate(images))


def test_in_real_time_a_dropped_frame_holds_the_last_mask_and_rotated_box():
    """Work takes two periods of the camera by a clock that ticks one period a reading: every other frame is dropped."""
    noted = {}
    ticks = count()
    run = fly(
        MaskedTracker(),
        frames(9),
        Target(box=Box(10, 20, 16, 40)),
        state_config=StateConfig(),
        clock_ns=lambda: next(ticks) * stamp_of(1),
        note_mask=noted.__setitem__,
    )
    assert sorted(noted) == list(range(9))
    assert sum(run.drops.values()) > 2
    for number in range(9):
        x = int(np.flatnonzero(noted[number].any(0))[0])
        assert run.rows[number].box.x == x
        assert run.rows[number].rotated.center_x == pytest.approx(x + 8)
    assert any(run.rows[number].box.x < 10 + STEP_PX * number for number in range(9))


def test_real_time_runs_write_masks_too(data, tmp_path):
    summary = run(MaskedTracker(), data, tmp_path / "out", fps=0.1, real_time=True, init="box")
    assert summary["j_mean"] > 0.9
    started = run(MaskedTracker(), data, tmp_path / "out2", ["masked"], fps=0.1, real_time=True, init="mask")
    assert started["j_mean"] > 0.9


def test_synthetic_occlusions_leave_masks_where_the_tracker_has_some_and_are_not_run_again(monkeypatch, tmp_path):
    cover = np.array([Cover.FREE] * 3 + [Cover.PARTLY] + [Cover.FULL] * 15 + [Cover.PARTLY] + [Cover.FREE] * 3)
    images = tuple(np.repeat(truth(0 if c != Cover.FULL else 17)[..., None], 3, axis=2) for c in cover)
    boxes = np.tile(np.array((10.0, 20, 16, 40)), (len(cover), 1))
    made = OcclusionSequence(seed=3, scene="a/b", occluder="c/d", images=images, boxes=boxes, cover=cover)
    monkeypatch.setattr(occlusions, "occlusion_sequences", lambda root, seeds: [made] if seeds == [3] else [])
    monkeypatch.setattr(occlusions, "frame_count", lambda root, seed: len(cover))
    measured = occlusions.measurement(tmp_path, [3], StateConfig())
    for tracker, masks in ((MaskedTracker(), True), (ScriptedTracker([(Box(10, 20, 16, 40), 0.9)]), False)):
        out = tmp_path / str(masks)
        assert list(work_off(measured.items, tracker, out)) == [("occlusion/003", n + 1) for n in range(len(cover))]
        assert measured.summarise(out, {})["seeds"][0]["covered"] == 15
        assert list(work_off(measured.items, tracker, out)) == [("occlusion/003", len(cover))]
        assert has_masks(out / "occlusion/003") is masks
    assert len(list((tmp_path / "True/occlusion/003/masks").iterdir())) == len(cover)
