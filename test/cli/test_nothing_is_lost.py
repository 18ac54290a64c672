"""No command deletes or overwrites what this program did not write: refused first, and every byte is as it was."""

from __future__ import annotations

import importlib.util
import os

import pytest
from masked_tracker import MaskedTracker
from scripted_tracker import ScriptedTracker
from user_files import BOX, GIVEN, images, masks, sequences, state_of, video

from stm_tracker_ros.cli import evaluate, main, options, track
from stm_tracker_ros.core.ledger import LEDGER_NAME
from stm_tracker_ros.data.sequence import VALIDATION
from stm_tracker_ros.engine.config import StateConfig

pytestmark = pytest.mark.pure


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The commands run in a folder of their own."""
    pytest.importorskip("av")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def use(monkeypatch, tmp_path):
    """Let the commands run with this tracker."""

    def use(tracker):
        def load_tracker(args):
            return options.LoadedTracker(
                tracker=tracker, name=args.tracker, weights=None, device="cpu", threads=1, changes={},
                state_config=StateConfig(),
            )  # fmt: skip

        for command in (track, evaluate):
            monkeypatch.setattr(command, "load_tracker", load_tracker)
        return tracker

    return use


@pytest.fixture
def refused(here, monkeypatch, capsys):
    """Run a command that is to be refused before anything is loaded or written; gives its words."""

    def not_reached(*_, **__):
        pytest.fail("a tracker was loaded")

    def refused(*arguments):
        before = state_of(here.parent)
        with monkeypatch.context() as patch:
            for command in (track, evaluate):
                patch.setattr(command, "load_tracker", not_reached)
            assert main.main([str(argument) for argument in arguments]) == main.EXIT_REFUSED
        assert state_of(here.parent) == before
        return capsys.readouterr().err

    return refused


def own_annotations(here):
    images(here / "img"), masks(here / "masks")
    return "img", "--mask", "masks/000000.png", "--out", "."


def source_named_overlay(here):
    video(here / "overlay.mp4")
    return "overlay.mp4", "--box", BOX, "--out", "."


def among_the_images(here):
    images(here / "img")
    return "img", "--box", BOX, "--out", "img"


def among_the_images_by_a_link(here):
    images(here / "img")
    (here / "link").symlink_to("img")
    return "img", "--box", BOX, "--out", "link/../link"


def images_in_a_folder_called_masks(here):
    images(here / "masks", "{:06d}.png")
    return "masks", "--box", BOX, "--out", "."


def masks_is_a_link(here):
    video(here / "v.mp4"), masks(here / "mine"), (here / "out").mkdir()
    (here / "out/masks").symlink_to(here / "mine")
    return "v.mp4", "--box", BOX, "--out", "out"


def overlay_is_a_link_to_the_source(here):
    video(here / "v.mp4"), (here / "out").mkdir()
    (here / "out/overlay.mp4").symlink_to("../v.mp4")
    return "v.mp4", "--box", BOX, "--out", "out"


def overlay_is_the_source_by_a_hard_link(here):
    video(here / "v.mp4"), (here / "out").mkdir()
    os.link(here / "v.mp4", here / "out/overlay.mp4")
    return "v.mp4", "--box", BOX, "--out", "out"


def overlay_leads_nowhere(here):
    video(here / "v.mp4"), (here / "out").mkdir()
    (here / "out/overlay.mp4").symlink_to("later.mp4")
    return "v.mp4", "--box", BOX, "--out", "out"


def own_trajectory(here):
    video(here / "v.mp4"), (here / "out").mkdir()
    (here / "out/trajectory.csv").write_text("my notes")
    return "v.mp4", "--box", BOX, "--out", "out"


def weights_called_trajectory(here):
    video(here / "v.mp4"), (here / "out").mkdir()
    (here / "out/trajectory.csv").write_text("weights")
    return "v.mp4", "--box", BOX, "--out", "out", "--weights", "out/trajectory.csv"


def a_file_called_masks(here):
    video(here / "v.mp4"), (here / "out").mkdir()
    (here / "out/masks").write_text("mine")
    return "v.mp4", "--box", BOX, "--out", "out"


def out_is_the_source(here):
    video(here / "v.mp4")
    return "v.mp4", "--box", BOX, "--out", "v.mp4"


def a_foreign_list(here):
    video(here / "v.mp4"), (here / "out").mkdir()
    (here / "out" / LEDGER_NAME).write_text("mine")
    return "v.mp4", "--box", BOX, "--out", "out"


TRACKED = [
    own_annotations,
    source_named_overlay,
    among_the_images,
    among_the_images_by_a_link,
    images_in_a_folder_called_masks,
    masks_is_a_link,
    overlay_is_a_link_to_the_source,
    overlay_is_the_source_by_a_hard_link,
    overlay_leads_nowhere,
    own_trajectory,
    weights_called_trajectory,
    a_file_called_masks,
    out_is_the_source,
    a_foreign_list,
]


@pytest.mark.parametrize("case", TRACKED, ids=lambda case: case.__name__)
def test_track_is_refused(case, here, refused):
    words = refused("track", *case(here))
    assert words.startswith("stm_tracker: error: ")
    assert words.count("\n") == 1
    assert "give another" in words or "allowed is" in words


def tracked(source, out="out", *more):
    return main.main(["track", str(source), "--box", BOX, "--out", str(out), *more])


def test_a_run_again_replaces_its_own_files_and_touches_nothing_else(here, use):
    video(here / "v.mp4")
    (here / "out").mkdir()
    (here / "out/notes.txt").write_text("mine")
    use(MaskedTracker())
    assert tracked("v.mp4") == 0
    assert len(list((here / "out/masks").iterdir())) == 4
    os.link(here / "out/overlay.mp4", here / "kept.mp4")
    os.link(here / "out/masks/000003.png", here / "kept.png")
    kept = [(here / name).read_bytes() for name in ("kept.mp4", "kept.png", "v.mp4")]
    assert tracked("v.mp4", "out", "--max-frames", "2") == 0
    assert sorted(path.name for path in (here / "out/masks").iterdir()) == ["000000.png", "000001.png"]
    assert [(here / name).read_bytes() for name in ("kept.mp4", "kept.png", "v.mp4")] == kept
    assert (here / "out/overlay.mp4").read_bytes() != kept[0]
    use(ScriptedTracker([(GIVEN, 0.9)]))
    assert tracked("v.mp4") == 0
    assert list((here / "out/masks").iterdir()) == []
    assert (here / "out/notes.txt").read_text() == "mine"


def test_a_run_in_the_folder_of_the_source_is_allowed_where_nothing_is_touched(here, use):
    video(here / "v.mp4"), images(here / "img")
    use(MaskedTracker())
    before = state_of(here)
    for source, out in (("v.mp4", "."), ("img", "img/results"), ("v.mp4", ".")):
        assert tracked(source, out) == 0
    assert {name: now for name, now in state_of(here).items() if name in before} == before


@pytest.mark.parametrize("name", ["trajectory.csv", "overlay.mp4", "masks/000002.png"])
def test_what_the_user_edited_is_the_users(name, here, use, refused):
    video(here / "v.mp4")
    use(MaskedTracker())
    assert tracked("v.mp4") == 0
    with (here / "out" / name).open("ab") as file:
        file.write(b"edited")
    assert name in refused("track", "v.mp4", "--box", BOX, "--out", "out")


def test_results_of_before_are_not_read_and_cleared_at_once(here, use, refused):
    images(here / "img")
    use(MaskedTracker())
    assert tracked("img") == 0
    (here / "sheet.mp4").symlink_to("out/overlay.mp4")
    first = ("--mask", "out/masks/000000.png")
    for given in (
        ("out/overlay.mp4", "--box", BOX),
        ("sheet.mp4", "--box", BOX),
        ("out/masks", "--box", BOX),
        ("img", *first),
        ("img", "--box", BOX, "--weights", "out/trajectory.csv"),
    ):
        assert "is what is read" in refused("track", *given, "--out", "out")


def test_after_an_interrupt_the_run_goes_again(here, use):
    class Interrupting(MaskedTracker):
        def track(self, frame):
            raise KeyboardInterrupt

    video(here / "v.mp4")
    use(Interrupting())
    assert tracked("v.mp4") == main.EXIT_INTERRUPTED
    use(MaskedTracker())
    assert tracked("v.mp4") == 0
    assert len(list((here / "out/masks").iterdir())) == 4


def evaluated(data, out="out", *more):
    return main.main(["evaluate", "--data", str(data), "--out", str(out), "--threads", "1", *more])


@pytest.mark.parametrize(
    "out", ["data", "data/.", "link", "data/A", "data/A/one", "data/A/one/results", "data/B/results", "data/A/one/mask"]
)
def test_evaluate_does_not_write_among_the_sequences(out, here, refused):
    sequences(here / "data")
    (here / "link").symlink_to("data")
    assert "give a folder outside" in (words := refused("evaluate", "--data", "data", "--out", out)) or "read" in words
    # Those that are left out of this run are the user's as well.
    refused("evaluate", "--data", "data", "--out", out, "--sequences", "two")


def foreign_summary(here):
    (here / "out").mkdir()
    (here / "out/summary.json").write_text("mine")


def foreign_settings(here):
    (here / "out").mkdir()
    (here / "out/settings.json").write_text("{}")


def foreign_sequence(here):
    sequences(here / "out", "B/two")


def foreign_masks(here):
    masks(here / "out/B/two/masks")


def source_is_a_link(here):
    (here / "mine").mkdir()
    (here / "out").mkdir()
    (here / "out/B").symlink_to(here / "mine")


def sequence_is_a_link(here):
    (here / "out/B").mkdir(parents=True)
    (here / "out/B/two").symlink_to(here / "data/B/two")


@pytest.mark.parametrize(
    "case",
    [foreign_summary, foreign_settings, foreign_sequence, foreign_masks, source_is_a_link, sequence_is_a_link],
    ids=lambda case: case.__name__,
)
@pytest.mark.parametrize("mode", [(), ("--real-time",)], ids=["one pass", "real time"])
def test_evaluate_is_refused(case, mode, here, refused):
    sequences(here / "data")
    case(here)
    assert "out/" in refused("evaluate", "--data", "data", "--out", "out", *mode)


def test_runs_from_several_starts_are_refused_likewise(here, refused):
    sequences(here / "data")
    masks(here / "out/B/two/start_000003/masks")
    assert "out/B/two/start_000003" in refused("evaluate", "--data", "data", "--out", "out", "--starts", "2")


@pytest.mark.parametrize("out", ["data/eval/A", "data/train_video/A/one"])
def test_results_do_not_go_among_the_development_set(out, here, refused):
    sequences(here / "data/eval"), sequences(here / "data/train_video", "A/one", *VALIDATION)
    assert "among" in refused("evaluate", "--data", "data", "--out", out, "--development")


def test_synthetic_occlusions_are_refused_likewise(here, refused):
    sequences(here / "data/train_video")
    masks(here / "out/occlusion/003/masks")
    assert "occlusion/003" in refused("evaluate", "--data", "data", "--out", "out", "--occlusions")
    assert "among" in refused("evaluate", "--data", "data", "--out", "data/train_video/A", "--occlusions")
    masks(here / "other/occlusion/021/masks")
    other = ("--data", "data", "--out", "other", "--occlusions", "--seeds", "3,20-22")
    assert "occlusion/021" in refused("evaluate", *other)


def test_evaluate_beside_the_sources_goes_on_and_finds_what_was_changed(here, use, refused):
    before = state_of(sequences(here / "data"))
    use(MaskedTracker())
    for _ in range(2):
        assert evaluated("data", "data/results") == 0
    (here / "data/results/A/one/trajectory.csv").unlink()
    assert evaluated("data", "data/results") == 0
    assert {name: now for name, now in state_of(here / "data").items() if name in before} == before
    for name in ("A/one/trajectory.csv", "summary.json", "B/two/masks/000001.png", "B/two/milliseconds.csv"):
        path = here / "data/results" / name
        content, stamp = path.read_bytes(), path.stat().st_mtime_ns
        path.write_bytes(content + b" ")
        assert name in refused("evaluate", "--data", "data", "--out", "data/results")
        path.write_bytes(content)
        os.utime(path, ns=(stamp, stamp))
    assert evaluated("data", "data/results") == 0


@pytest.mark.parametrize("name", ["overlay.mp4", "contact_sheet.png", "summary.json"])
def test_the_demo_is_refused_before_a_process_starts(name, here, refused, monkeypatch):
    from stm_tracker_ros.demo import session

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(session, "_play", lambda *_: pytest.fail("a process was started"))
    video(here / name if name.endswith("mp4") else here / "v.mp4")
    if not name.endswith("mp4"):
        (here / name).write_text("mine")
    source = name if name.endswith("mp4") else "v.mp4"
    assert name in refused("demo", "--video", source, "--box", BOX, "--out", ".")


def test_the_demo_is_refused_among_its_images(here, refused, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    images(here / "img")
    assert "is what is read" in refused("demo", "--video", "img", "--box", BOX, "--out", "img")


def test_a_record_must_be_new(here):
    from stm_tracker_ros.core.errors import DataError
    from stm_tracker_ros.ros import demo_record as record

    for name in ("camera.json", "camera.part"):
        (here / name).write_text("mine")
    with pytest.raises(DataError, match="exists"):
        record.write(here / "camera.json", record.CameraRecord())
    record.write(here / "other.json", record.CameraRecord())
    assert {(here / name).read_text() for name in ("camera.json", "camera.part")} == {"mine"}


@pytest.mark.parametrize("target", ["source.pkl", "mine.safetensors", "link", "hard", "nowhere"])
def test_convert_writes_to_a_free_name_only(target, here, refused):
    pytest.importorskip("torch")
    for name in ("source.pkl", "mine.safetensors"):
        (here / name).write_text("mine")
    (here / "link").symlink_to("source.pkl")
    os.link(here / "source.pkl", here / "hard")
    (here / "nowhere").symlink_to("absent")
    for name in ("stmtrack", "backbone.resnet50"):
        assert "exists" in refused("convert", name, "source.pkl", target)


@pytest.mark.parametrize("target", ["v.mp4", "mine.json", "nowhere"])
def test_bench_writes_to_a_free_name_only(target, here, refused):
    pytest.importorskip("torch")
    video(here / "v.mp4")
    (here / "mine.json").write_text("mine")
    (here / "nowhere").symlink_to("absent")
    assert "exists" in refused("bench", "--video", "v.mp4", "--box", BOX, "--out", target)
