from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytestmark = pytest.mark.torch

from stm_tracker_ros.training.config import SamplerConfig  # noqa: E402
from stm_tracker_ros.training.pack import Pack  # noqa: E402
from stm_tracker_ros.training.sampler import ABSENT, FRAMES, PRESENT, Sampler  # noqa: E402

PLAIN = SamplerConfig(
    area_factor=4.0,
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
    looking_away = dataclasses.replace(PLAIN, elsewhere_share=1.0, video_share=1.0, area_factor=1.5)
    samples = [Sampler(drawn_pack, looking_away, 64, s).sample() for s in range(20)]
    states = np.concatenate([s.states for s in samples])
    boxes = np.concatenate([s.boxes for s in samples])
    assert (states == ABSENT).any()
    outside = (boxes[:, 2] <= 0) | (boxes[:, 0] >= 64)
    assert outside[states == ABSENT].all()


def test_the_first_frame_always_shows_the_target(drawn_pack: Pack) -> None:
    hard = SamplerConfig(occluder_share=1.0, occluded_frame_share=1.0, full_cover_share=1.0, elsewhere_share=1.0)
    assert all(Sampler(drawn_pack, hard, 64, seed).sample().states[0] == PRESENT for seed in range(12))


def test_frames_of_a_video_come_in_the_order_of_time_or_against_it(drawn_pack: Pack) -> None:
    sampler = Sampler(drawn_pack, PLAIN, 64, 4)
    steps = [np.sign(np.diff(sampler._pick_frames(drawn_pack.tracks[0]))) for _ in range(30)]
    assert all((step >= 0).all() or (step <= 0).all() for step in steps)
    assert {int(step.sum() > 0) for step in steps} == {0, 1}
