from __future__ import annotations

import dataclasses
from copy import copy
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch

from stm_tracker_ros.core.errors import DataError  # noqa: E402
from stm_tracker_ros.training import sampler as sampler_module  # noqa: E402
from stm_tracker_ros.training.config import SamplerConfig  # noqa: E402
from stm_tracker_ros.training.pack import Pack, Track  # noqa: E402
from stm_tracker_ros.training.sampler import ABSENT, FRAMES, IGNORE, POST_WIDTH, PRESENT, Sampler  # noqa: E402
from stm_tracker_ros.training.transforms import turned  # noqa: E402

PLAIN = SamplerConfig(
    search_scale=4.0,
    distractor_share=0.0,
    occluder_share=0.0,
    elsewhere_share=0.0,
    grey_share=0.0,
    low_resolution_share=0.0,
)


def test_the_same_seed_gives_the_same_samples(drawn_pack: Pack) -> None:
    first, second = (Sampler(drawn_pack, SamplerConfig(), 64, 5) for _ in range(2))
    for _ in range(4):
        a, b = first.sample(), second.sample()
        assert (a.crops == b.crops).all()
        assert (a.boxes == b.boxes).all()


def test_a_pack_without_videos_is_refused_only_where_they_are_asked_for(stills_pack: Pack) -> None:
    with pytest.raises(DataError, match=r"sampler\.video_share is 0\.55, and the pack has no videos; .*video_share=0"):
        Sampler(stills_pack, SamplerConfig(), 64, 1)
    drawn = Sampler(stills_pack, SamplerConfig(video_share=0.0), 64, 1)
    assert all(drawn.sample().states[0] == PRESENT for _ in range(10))


def test_a_pack_without_masks_is_refused_only_where_objects_are_cut_out(drawn_pack: Pack) -> None:
    boxed = copy(drawn_pack)
    boxed.stills = [still for still in boxed.stills if still.mask < 0]
    for config in (SamplerConfig(), dataclasses.replace(PLAIN, occluder_share=0.1, paste_share=0.0), PLAIN):
        with pytest.raises(DataError, match=r"no stills with masks, .* needed are some in train_images\.tar"):
            Sampler(boxed, config, 64, 1)
    whole = Sampler(boxed, dataclasses.replace(PLAIN, paste_share=0.0), 64, 1)
    assert all(whole.sample().states[0] == PRESENT for _ in range(10))


def test_frames_come_from_no_farther_than_is_said() -> None:
    assert SamplerConfig().spans == (10, 30, 60, 100, 200, 400)
    assert SamplerConfig(farthest=50).spans == (10, 30, 50)
    assert SamplerConfig(farthest=7).spans == (7,)
    assert SamplerConfig(farthest=1000).spans[-2:] == (400, 1000)


@pytest.mark.parametrize("video_share", [0.0, 1.0])
def test_the_box_holds_the_drawn_object(drawn_pack: Pack, video_share: float) -> None:
    """The object is plain and the rest is noise: inside the labelled box the picture varies far less."""
    config = dataclasses.replace(PLAIN, video_share=video_share, blur_share=0.0, wide_shift_share=0.0, paste_share=0.0)
    sampler = Sampler(drawn_pack, config, 96, 2)
    for _ in range(6):
        sample = sampler.sample()
        assert (sample.states == PRESENT).all()
        for crop, box in zip(sample.crops, sample.boxes, strict=True):
            x0, y0, x1, y1 = box
            inset_x, inset_y = (x1 - x0) / 4, (y1 - y0) / 4
            inner = crop[int(y0 + inset_y) : int(y1 - inset_y), int(x0 + inset_x) : int(x1 - inset_x)]
            assert inner.reshape(-1, 3).std(0).max() < 0.6 * crop.reshape(-1, 3).std(0).max()


def test_crops_have_the_target_at_about_a_quarter_of_their_side(drawn_pack: Pack) -> None:
    sampler = Sampler(drawn_pack, PLAIN, 64, 3)
    boxes = np.concatenate([sampler.sample().boxes for _ in range(30)])
    sizes = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    assert 14 < np.median(sizes) < 18


def test_covered_targets_are_labelled_absent(drawn_pack: Pack) -> None:
    always = dataclasses.replace(PLAIN, occluder_share=1.0, occluded_frame_share=1.0, full_cover_share=1.0)
    states = np.concatenate([Sampler(drawn_pack, always, 64, s).sample().states for s in range(12)])
    assert (states == ABSENT).mean() > 0.5
    assert len(states) == 12 * FRAMES


def test_a_crop_from_elsewhere_is_labelled_absent(drawn_pack: Pack) -> None:
    looking_away = dataclasses.replace(PLAIN, elsewhere_share=1.0, video_share=1.0, search_scale=1.5)
    samples = [Sampler(drawn_pack, looking_away, 64, s).sample() for s in range(20)]
    states = np.concatenate([s.states for s in samples])
    boxes = np.concatenate([s.boxes for s in samples])
    assert (states == ABSENT).any()
    outside = (boxes[:, 2] <= 0) | (boxes[:, 0] >= 64)
    assert outside[states == ABSENT].all()


def _with_sibling(pack_folder: Path, x: float, y: float) -> Pack:
    """The drawn pack's clip, and in its frames 1 and 3 another object of 8 x 8 pixels about a point."""
    pack = Pack(pack_folder)
    known = next(track for track in pack.tracks if track.name.startswith("walk/"))
    there = np.isin(known.numbers, (1, 3))
    boxes = np.array([[x - 4, y - 4, 8.0, 8.0]] * 2, np.float32)
    pack.tracks = [known, Track(known.images[there], known.numbers[there], boxes, name="walk/object_2")]
    return pack


@pytest.mark.parametrize(("place", "state"), [((92.0, 2.0), ABSENT), ((50.0, 32.0), PRESENT), ((72.0, 45.0), IGNORE)])
def test_a_crop_about_another_object_is_labelled_by_what_it_shows_of_the_target(pack_folder, place, state):
    """Crops are 40 pixels wide, the target 30 x 24 at (30 + frame, 20)."""
    still = dataclasses.replace(PLAIN, search_scale=1.5, scale_jitter=0.0, shift=0.0, wide_shift_share=0.0)
    at_sibling = dataclasses.replace(still, video_share=1.0, sibling_share=1.0)
    sampler = Sampler(_with_sibling(pack_folder, *place), at_sibling, 64, 5)
    sampler.track_weights = np.array([1.0, 0.0])
    picked = np.array([0, 1, 2, 3, 1])  # indexes into frames 0, 1, 3, 4, 5: frame 2 is not shown
    sampler._pick_frames = lambda track: picked  # type: ignore[method-assign]
    sample = sampler.sample()
    assert sample.states.tolist() == [PRESENT, state, state, PRESENT, state]


def test_only_objects_of_the_same_video_are_others(drawn_pack: Pack, pack_folder: Path) -> None:
    assert Sampler(drawn_pack, PLAIN, 64, 5).siblings == [[] for _ in drawn_pack.tracks]
    pack = _with_sibling(pack_folder, 92, 2)
    assert Sampler(pack, PLAIN, 64, 5).siblings == [[pack.tracks[1]], [pack.tracks[0]]]


@pytest.mark.parametrize(("posts", "expected"), [(0.0, {"cover"}), (1.0, {"post"})])
def test_what_stands_before_the_target_is_a_post_or_an_object(drawn_pack: Pack, posts: float, expected: set) -> None:
    hidden = dataclasses.replace(PLAIN, occluder_share=1.0, occluded_frame_share=1.0, post_share=posts)
    sampler, drawn = Sampler(drawn_pack, hidden, 64, 8), set()
    post, cover = sampler._post, sampler._covering
    sampler._post = lambda *given: drawn.add("post") or post(*given)  # type: ignore[method-assign]
    sampler._covering = lambda *given: drawn.add("cover") or cover(*given)  # type: ignore[method-assign]
    sampler.sample()
    assert drawn == expected


@pytest.mark.parametrize(("doubles", "others"), [(1.0, 0), (0.0, 2)])
def test_distractors_and_occluders_are_doubles_by_share(drawn_pack: Pack, doubles: float, others: int) -> None:
    both = dataclasses.replace(PLAIN, distractor_share=1.0, occluder_share=1.0, lookalike_share=doubles)
    sampler, drawn = Sampler(drawn_pack, both, 64, 9), []
    cut_out = sampler._cut_out
    sampler._cut_out = lambda still: drawn.append(1) or cut_out(still)  # type: ignore[method-assign]
    sampler.sample()
    assert len(drawn) == others


def test_the_double_has_the_target_s_shape_and_other_colours(drawn_pack: Pack) -> None:
    """The drawn target is plain, so its colour and its double's are one each."""
    sampler = Sampler(drawn_pack, dataclasses.replace(PLAIN, paste_share=0.0), 96, 6)
    differences = []
    for _ in range(8):
        first = sampler._from_still()[0]
        double = sampler._double(first)
        own, other = (np.median(c.picture[c.mask > 200], axis=0) for c in (first, double))
        differences.append(np.abs(own - other).max())
        rows, columns = np.nonzero(double.mask > 127)
        assert columns.min() >= double.low[0] - 2
        assert columns.max() <= double.high[0] + 2
        assert np.ptp(rows) == pytest.approx(np.ptp(np.nonzero(first.mask > 127)[0]), abs=0.15 * 96)
    assert np.median(differences) > 10


def test_a_double_without_an_outline_comes_without_the_corners_of_its_box(drawn_pack: Pack) -> None:
    sampler = Sampler(drawn_pack, dataclasses.replace(PLAIN, wide_shift_share=0.0), 224, 6)
    first = sampler._from_track()[0]
    assert not first.outlined
    double = sampler._double(first)
    x0, y0, x1, y1 = np.concatenate([double.low, double.high]).round().astype(int)
    assert (double.mask[y0:y1, x0:x1] > 127).mean() == pytest.approx(np.pi / 4, abs=0.05)


def test_a_post_stands_before_the_target_from_edge_to_edge(drawn_pack: Pack) -> None:
    sampler = Sampler(drawn_pack, PLAIN, 96, 7)
    for _ in range(20):
        crop = sampler._from_still()[0]
        width = crop.box[2] - crop.box[0]
        shape = sampler._post(crop)
        thickness = np.count_nonzero(shape, 1)
        whole = thickness[(shape[:, 0] == 0) & (shape[:, -1] == 0)]  # rows where it is not cut by the crop's sides
        assert (whole <= max(POST_WIDTH[1] * width, 3) + 2).all()
        assert (whole >= POST_WIDTH[0] * width - 2).all()
        if 0.7 * width < crop.box[0] and crop.box[2] < 96 - 0.7 * width:
            assert thickness.min() > 0


def test_the_first_frame_always_shows_the_target(drawn_pack: Pack) -> None:
    hard = SamplerConfig(occluder_share=1.0, occluded_frame_share=1.0, full_cover_share=1.0, elsewhere_share=1.0)
    assert all(Sampler(drawn_pack, hard, 64, seed).sample().states[0] == PRESENT for seed in range(12))


def test_frames_of_a_video_come_in_the_order_of_time_or_against_it(drawn_pack: Pack) -> None:
    sampler = Sampler(drawn_pack, PLAIN, 64, 4)
    steps = [np.sign(np.diff(sampler._pick_frames(drawn_pack.tracks[0]))) for _ in range(30)]
    assert all((step >= 0).all() or (step <= 0).all() for step in steps)
    assert {int(step.sum() > 0) for step in steps} == {0, 1}


def test_a_turned_surface_slides_within_its_outline() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 20:40] = 255
    picture[10:30, 20:40] = 100
    picture[10:30, 29:31] = 250  # a stripe in the middle
    right = turned(picture, mask, np.deg2rad(-30))
    assert (right[mask == 0] == 0).all()
    stripe = np.flatnonzero(right[20, :, 0] > 200)
    # half of the half width is the sine of 30 degrees
    assert abs(stripe.mean() - (29.5 + 5)) <= 1
    assert (right[12:28, 21:32] < 120).all()


@pytest.mark.parametrize(("share", "varied"), [(0.0, False), (1.0, True)])
def test_surfaces_turn_by_share(drawn_pack: Pack, monkeypatch: pytest.MonkeyPatch, share: float, varied: bool) -> None:
    angles = []
    monkeypatch.setattr(sampler_module, "turned", lambda picture, mask, angle: angles.append(angle) or picture)
    sampler = Sampler(drawn_pack, dataclasses.replace(PLAIN, video_share=0.0, turn_share=share), 96, 2)
    for _ in range(3):
        sampler.sample()
    assert bool(angles) == varied
    assert len(set(angles)) == len(angles)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_only_the_first_frame_is_seen_badly(drawn_pack: Pack, share: float) -> None:
    """Noise that is made coarse keeps little of its contrast from pixel to pixel."""
    config = dataclasses.replace(PLAIN, video_share=0.0, poor_first_share=share, blur_share=0.0, paste_share=0.0)
    sampler = Sampler(drawn_pack, config, 96, 2)
    steps = []
    for _ in range(8):
        crops = sampler.sample().crops.astype(np.float32).mean(-1)
        steps.append(np.abs(np.diff(crops, axis=2)).mean((1, 2)))
    first, others = np.mean(steps, 0)[0], np.mean(steps, 0)[1:].mean()
    assert (first < 0.6 * others) == bool(share)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_boxes_of_a_sample_differ_from_the_object_alike(drawn_pack: Pack, share: float) -> None:
    """Where the box lies in the object's own, which its mask spans: by sides, as corners in 0 to 1."""
    config = dataclasses.replace(PLAIN, video_share=0.0, paste_share=1.0, other_box_share=share, search_scale=6.0)
    sampler, means = Sampler(drawn_pack, dataclasses.replace(config, wide_shift_share=0.0), 256, 3), []
    for _ in range(6):
        relative = []
        for crop in sampler._crops():
            rows, columns = np.nonzero(crop.mask > 127)
            low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
            relative.append((crop.box.reshape(2, 2) - low) / (high - low))
        assert np.ptp(relative, axis=0).max() < 0.15
        means.append(np.mean(relative, 0))
    off = np.abs(means - np.array([[0, 0], [1, 1]])).max((1, 2))
    assert (off > 0.15).any() == bool(share)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_boxes_of_a_video_differ_from_the_annotated_ones_alike(drawn_pack: Pack, share: float) -> None:
    """Their shape: the object's is 30 x 24."""
    sampler, shapes = Sampler(drawn_pack, dataclasses.replace(PLAIN, video_share=1.0, other_box_share=share), 96, 4), []
    for _ in range(8):
        sides = np.diff(sampler.sample().boxes.reshape(-1, 2, 2), axis=1)[:, 0]
        shapes.append(sides[:, 0] / sides[:, 1])
        assert np.ptp(shapes[-1]) < 0.05
    assert (np.abs(np.array(shapes) - 30 / 24) > 0.1).any() == bool(share)
