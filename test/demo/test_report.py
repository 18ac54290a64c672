import math
from pathlib import Path

import pytest

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.demo import report
from stm_tracker_ros.demo.sample import Sample
from stm_tracker_ros.ros.demo_record import Answer, CameraRecord, ClientRecord, Heartbeat, Shot

pytestmark = pytest.mark.pure

MS = 1_000_000
PERIOD_NS = 33_333_333
BOX = Box(10, 20, 30, 40)


def stamp(frame):
    return 10**18 + (frame + 5) * PERIOD_NS


def shots(played, waiting=5):
    still = [Shot(frame=0, stamp_ns=stamp(index - waiting), playing=False) for index in range(waiting)]
    return still + [Shot(frame=frame, stamp_ns=stamp(frame), playing=True) for frame in range(played)]


def answer(frame, box=BOX, latency_ms=12):
    score = None if box is None else 0.9
    return Answer(stamp_ns=stamp(frame), arrival_ns=stamp(frame) + latency_ms * MS, box=box, score=score)


def heartbeat(frame, state, *, tracked=0, drops=None):
    return Heartbeat(
        image_stamp_ns=stamp(frame),
        state=state,
        confidence=0.5,
        received=tracked,
        tracked=tracked,
        drops=drops or {},
        message="",
    )


def sample(boxes, first_absent, partly_hidden=()):
    return Sample(video=Path("some.mp4"), true_boxes=boxes, first_absent=first_absent, partly_hidden=partly_hidden)


def good_run(played=100, absent=40, lost=50, missing=()):
    answers = [answer(f, BOX if f < lost else None) for f in range(played) if f not in missing]
    drops = {"no_target": 5, "superseded": len(missing)}
    beats = [
        heartbeat(0, "TRACKING"),
        heartbeat(lost, "LOST"),
        heartbeat(played - 1, "LOST", tracked=len(answers), drops=drops),
    ]
    truth = sample({frame: BOX for frame in range(0, absent, 10)}, absent)
    return truth, CameraRecord(shots=shots(played)), ClientRecord(rmw="some_rmw", answers=answers, heartbeats=beats)


def failed(run, fps=30.0):
    return [check.name for check in report.checks(report.summarise(*run, fps)) if check.passed is False]


def test_a_good_run_passes_every_line():
    summary = report.summarise(*good_run(), 30.0)
    assert [check.passed for check in report.checks(summary)].count(True) == 8
    assert failed(good_run()) == []
    assert summary["frames"]["played"] == 100
    assert summary["frames"]["waiting_for_target"] == 5
    assert summary["latency_ms"] == {"p50": 12.0, "p95": 12.0, "p99": 12.0, "count": 100}
    assert summary["truth"]["lost_frame"] == 50


def test_frames_that_nothing_accounts_for_fail():
    truth, camera, client = good_run(missing=(98, 99))
    silent = [*client.heartbeats[:-1], heartbeat(97, "LOST", tracked=98, drops={"no_target": 5})]
    run = truth, camera, ClientRecord(rmw="r", answers=client.answers, heartbeats=silent)
    assert failed(run) == ["frames without an account"]


def test_frames_counted_twice_fail():
    truth, camera, client = good_run()
    twice = [*client.heartbeats[:-1], heartbeat(99, "LOST", tracked=100, drops={"no_target": 6})]
    run = truth, camera, ClientRecord(rmw="r", answers=client.answers, heartbeats=twice)
    assert failed(run) == ["frames without an account"]


def test_images_shown_before_the_node_listened_are_no_loss():
    truth, camera, client = good_run()
    late = [*client.heartbeats[:-1], heartbeat(99, "LOST", tracked=100, drops={"no_target": 3})]
    summary = report.summarise(truth, camera, ClientRecord(rmw="r", answers=client.answers, heartbeats=late), 30.0)
    assert summary["frames"]["before_the_reader"] == 2
    assert summary["frames"]["unaccounted"] == 0
    assert "2 of them before the node listened" in report.checks(summary)[0].value


@pytest.mark.parametrize(("reason", "reached"), [("middleware_lost", False), ("superseded_in_reader", True)])
def test_only_what_the_middleware_lost_did_not_reach_the_reader(reason, reached):
    truth, camera, client = good_run(missing=tuple(range(60, 66)))
    drops = {"no_target": 5, reason: 6}
    beats = [*client.heartbeats[:-1], heartbeat(99, "LOST", tracked=94, drops=drops)]
    run = truth, camera, ClientRecord(rmw="r", answers=client.answers, heartbeats=beats)
    assert failed(run) == ([] if reached else ["reached the node's reader"])


def test_less_than_four_of_five_tracked_fails():
    assert failed(good_run(missing=tuple(range(60, 80)))) == []
    assert failed(good_run(missing=tuple(range(60, 81)))) == ["tracked"]


def test_latency_is_held_against_the_cameras_period():
    slow = "capture to answer, p50 / p95 / p99"
    assert failed(good_run(), fps=80.0) == []
    assert failed(good_run(), fps=90.0) == [slow]


def moved_at(run, frames, box):
    """The run with another box answered on those frames."""
    truth, camera, client = run
    answers = [answer(f, box) if (f := (a.stamp_ns - stamp(0)) // PERIOD_NS) in frames else a for a in client.answers]
    return truth, camera, ClientRecord(rmw="r", answers=answers, heartbeats=client.heartbeats)


MEAN, LOWEST = "IoU with 3 true boxes, mean", "IoU with 3 true boxes, lowest"
# Of BOX, of which they are parts: .5, .49, and .7.
HALF, LESS, MOST = Box(10, 20, 15, 40), Box(10, 20, 14.7, 40), Box(10, 20, 21, 40)


def test_the_lowest_overlap_counts():
    assert failed(moved_at(good_run(), [20], HALF)) == []
    assert failed(moved_at(good_run(), [20], LESS)) == [LOWEST]
    assert failed(moved_at(good_run(), [20], Box(200, 200, 30, 40))) == [MEAN, LOWEST]


def test_the_mean_counts_too():
    assert failed(moved_at(good_run(), [10, 20], MOST)) == []
    assert failed(moved_at(good_run(), [10, 20, 30], MOST)) == [MEAN]


def test_the_given_box_is_no_merit():
    """Frame 0 raises no mean, and lowers none."""
    mean = report.summarise(*moved_at(good_run(), [10, 20, 30], MOST), 30.0)["truth"]["mean_iou"]
    assert mean == pytest.approx(0.7)
    elsewhere = moved_at(good_run(), [0], Box(200, 200, 30, 40))
    assert failed(elsewhere) == []
    assert report.summarise(*elsewhere, 30.0)["truth"]["iou"][0] == 0


def test_where_it_is_partly_hidden_the_overlap_is_reported_and_not_barred():
    truth, *heard = moved_at(good_run(), [20], LESS)
    run = sample(truth.true_boxes, truth.first_absent, [(16, 22)]), *heard
    summary = report.summarise(*run, 30.0)
    assert failed(run) == []
    assert summary["truth"]["scored"] == [10, 30]
    assert summary["truth"]["mean_iou"] == summary["truth"]["lowest_iou"] == 1
    (line,) = [one for one in report.checks(summary) if one.name == "IoU where it is partly hidden"]
    assert (line.value, line.bar, line.passed) == ("0.49 (frame 20)", "", None)


def test_a_truth_of_hidden_frames_alone_bars_nothing():
    truth, *heard = good_run()
    run = sample(truth.true_boxes, truth.first_absent, [(10, 30)]), *heard
    assert failed(run) == []
    assert not any("mean" in check.name for check in report.checks(report.summarise(*run, 30.0)))


def test_late_lost_fails():
    assert failed(good_run(lost=70)) == []
    assert failed(good_run(lost=71)) == ["LOST after leaving at frame 40"]


def test_lost_is_asked_for_after_leaving_even_if_it_came_before():
    assert report.summarise(*good_run(lost=35), 30.0)["truth"]["lost_frame"] == 40


def test_a_box_after_lost_fails():
    truth, camera, client = good_run()
    answers = [answer(90) if a.stamp_ns == stamp(90) else a for a in client.answers]
    run = truth, camera, ClientRecord(rmw="r", answers=answers, heartbeats=client.heartbeats)
    assert failed(run) == ["valid boxes after that"]


def test_never_lost_fails_both_lines():
    truth, camera, client = good_run()
    beats = [heartbeat(0, "TRACKING"), heartbeat(99, "TRACKING", tracked=100, drops={"no_target": 5})]
    run = truth, camera, ClientRecord(rmw="r", answers=client.answers, heartbeats=beats)
    assert failed(run) == ["LOST after leaving at frame 40", "valid boxes after that"]


def test_a_video_without_truth_is_judged_without_it():
    _, camera, client = good_run()
    summary = report.summarise(sample({0: BOX}, None), camera, client, 30.0)
    assert summary["truth"] is None
    assert not any("IoU" in check.name for check in report.checks(summary))


def test_no_answers_at_all_fail_without_a_crash():
    truth, camera, _ = good_run()
    names = failed((truth, camera, ClientRecord(rmw="r")))
    assert {"tracked", "capture to answer, p50 / p95 / p99", MEAN, LOWEST} <= set(names)


def test_dropped_frames_are_interpolated_over_two_at_most():
    boxes = {8: Box(0, 0, 10, 10), 11: Box(30, 0, 10, 40)}
    answers = {frame: answer(frame, box) for frame, box in boxes.items()}
    assert report.box_at(10, answers) == pytest.approx(Box(20, 0, 10, 30))
    assert report.box_at(9, answers) == pytest.approx(Box(10, 0, 10, 20))
    too_far = {8: answers[8], 12: answers[11]}
    assert report.box_at(10, too_far) is None
    assert report.box_at(11, too_far) is None


def test_a_frame_answered_without_a_box_is_not_interpolated():
    answers = {9: answer(9), 10: answer(10, None), 11: answer(11)}
    assert report.box_at(10, answers) is None
    assert report.box_at(9, {8: answer(8, None), 10: answer(10)}) is None


def test_a_dropped_first_frame_is_interpolated_from_the_same_image_shown_before():
    truth, camera, client = good_run(missing=(0,))
    run = truth, camera, ClientRecord(rmw="r", answers=client.answers, heartbeats=client.heartbeats)
    assert report.summarise(*run, 30.0)["truth"]["iou"][0] == 0
    before = [answer(-1), *client.answers]
    beats = [*client.heartbeats[:-1], heartbeat(99, "LOST", tracked=100, drops={"no_target": 4, "superseded": 1})]
    run = truth, camera, ClientRecord(rmw="r", answers=before, heartbeats=beats)
    assert failed(run) == []
    assert report.summarise(*run, 30.0)["truth"]["iou"][0] == 1


def test_the_state_of_the_first_frame_is_known_from_the_images_shown_before():
    truth, camera, client = good_run()
    beats = [heartbeat(-1, "TRACKING"), *client.heartbeats[1:]]
    summary = report.summarise(truth, camera, ClientRecord(rmw="r", answers=client.answers, heartbeats=beats), 30.0)
    assert summary["states"] == [(0, "TRACKING"), (50, "LOST")]


def test_the_table_is_aligned_and_marks_every_line():
    text = report.table(
        [report.Check(name="a", value="1", bar="> 2", passed=False), report.Check(name="bb", value="22")]
    )
    assert text.splitlines() == ["a   1   > 2  FAIL", "bb  22"]


def test_percentiles_are_those_of_the_latencies():
    _, camera, _ = good_run()
    answers = [answer(frame, latency_ms=frame) for frame in range(1, 100)]
    latency = report.summarise(sample({}, None), camera, ClientRecord(rmw="r", answers=answers), 30.0)["latency_ms"]
    assert latency["p50"] == 50
    assert math.isclose(latency["p95"], 94.1, abs_tol=0.01)
