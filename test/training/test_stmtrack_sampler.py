from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytestmark = pytest.mark.torch

from stm_tracker_ros.core.config import with_changes  # noqa: E402
from stm_tracker_ros.core.errors import ConfigError, DataError  # noqa: E402
from stm_tracker_ros.training.pack import Pack, Track  # noqa: E402
from stm_tracker_ros.training.stmtrack.config import PaperSamplerConfig  # noqa: E402
from stm_tracker_ros.training.stmtrack.paper_sampler import PaperSampler, Sample, pick_frames  # noqa: E402

SIZE = 65
BOX = np.array([100.0, 80.0, 140.0, 100.0])  # 40 x 20: its size is 28.28, a crop's side 4 times that


def _config(**weights: float) -> PaperSamplerConfig:
    given = {"videos": 0.0, "clips": 0.0, "masked": 0.0, "boxed": 0.0, **weights}
    return with_changes(PaperSamplerConfig(), {f"weights.{name}": value for name, value in given.items()})


def _sampler(pack: Pack, config: PaperSamplerConfig, seed: int = 1) -> PaperSampler:
    return PaperSampler(pack, config, SIZE, seed)


def _shown(sample: Sample, frame: int) -> np.ndarray:
    """Mean colour of the middle of the labelled box, BGR."""
    x0, y0, x1, y1 = sample.boxes[frame]
    third_x, third_y = (x1 - x0) / 3, (y1 - y0) / 3
    patch = sample.crops[frame, int(y0 + third_y) : int(y1 - third_y) + 1, int(x0 + third_x) : int(x1 - third_x) + 1]
    return patch.reshape(-1, 3).mean(0)


def test_frames_lie_around_one_frame_in_any_order() -> None:
    numbers = np.array([0, 3, 10, 40, 60, 61, 99, 100, 130, 135, 140, 400])
    queries, draw = set(), np.random.default_rng(0)
    for _ in range(400):
        picks = pick_frames(draw, numbers, 50, 4)
        chosen = numbers[picks]
        assert any((np.abs(chosen - middle) <= 50).all() for middle in numbers)
        # only frame 400 has fewer than three neighbours: there frames repeat, elsewhere none does
        assert len(set(chosen.tolist())) == (1 if 400 in chosen else 4)
        queries.add(int(np.argsort(chosen).argmax()))
    assert queries == {0, 1, 2, 3}


def test_a_number_names_a_sample(drawn_pack: Pack) -> None:
    config = _config(masked=1.0)
    first, second = _sampler(drawn_pack, config), _sampler(drawn_pack, config)
    again = second.sample(7)
    for number in (3, 7):
        sample = first.sample(number)
    assert (sample.crops == again.crops).all()
    assert (sample.boxes == again.boxes).all()
    assert (first.sample(8).boxes != again.boxes).any()
    assert (_sampler(drawn_pack, config, seed=2).sample(7).boxes != again.boxes).any()


def test_a_still_is_cut_four_times_and_the_box_holds_its_object(drawn_pack: Pack) -> None:
    config = dataclasses.replace(_config(masked=1.0), negative_share=0.0)
    sampler = _sampler(drawn_pack, config)
    for number in range(8):
        sample = sampler.sample(number)
        assert sample.crops.shape == (4, SIZE, SIZE, 3)
        assert len({tuple(box) for box in sample.boxes.round(3).tolist()}) == 4
        colours = np.array([_shown(sample, frame) for frame in range(4)])
        assert np.abs(colours[:, 1] - 200).max() < 12  # the drawn object's green; around it is noise about 127
        assert np.ptp(colours, 0).max() < 12  # no change of colour from crop to crop


def test_negatives_show_another_object_of_the_source(drawn_pack: Pack) -> None:
    sampler = _sampler(drawn_pack, _config(masked=1.0))
    samples = [sampler.sample(number) for number in range(120)]
    share = np.mean([sample.negative for sample in samples])
    assert 0.2 < share < 0.46
    for sample in samples:
        memory, query = _shown(sample, 0)[2], _shown(sample, 3)[2]  # red: 40 in one picture, 90 in the other
        assert abs(_shown(sample, 1)[2] - memory) < 12
        assert (abs(memory - query) > 25) == sample.negative


def test_crops_are_resized_and_shifted_within_the_bounds(drawn_pack: Pack) -> None:
    sampler, draw = _sampler(drawn_pack, _config(masked=1.0)), np.random.default_rng(0)
    middle = (BOX[:2] + BOX[2:]) / 2
    sides, shifts = [], []
    for _ in range(300):
        affine = sampler.place(draw, BOX, 2000, 2000)
        side = SIZE / affine[0, 0]
        left, top = -affine[:, 2] / affine[0, 0]
        assert side == pytest.approx(round(side))
        assert min(left, top) > -1e-9
        sides.append(side / (4 * np.sqrt(40 * 20)))
        shifts.append((middle - (left + side / 2, top + side / 2)) / side)
    assert 1 / 1.3 <= min(sides) < 0.80
    assert 1.26 < max(sides) <= 1.3 + 1 / 113
    assert np.mean(sides) == pytest.approx((1 / 1.3 + 1.3) / 2, abs=0.04)
    assert 0.18 < np.abs(shifts).max() <= 0.2 + 1e-9
    assert np.mean(shifts) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("corner", [(0.0, 0.0), (280.0, 0.0), (0.0, 220.0), (280.0, 220.0)])
def test_a_crop_is_moved_into_the_image_where_it_fits(drawn_pack: Pack, corner: tuple[float, float]) -> None:
    sampler, draw = _sampler(drawn_pack, _config(masked=1.0)), np.random.default_rng(1)
    box = np.array([*corner, corner[0] + 40, corner[1] + 20])
    for _ in range(50):
        affine = sampler.place(draw, box, 320, 240)
        side = SIZE / affine[0, 0]
        left, top = -affine[:, 2] / affine[0, 0]
        assert min(left, top) > -1e-6
        assert left + side < 320 + 1e-6
        assert top + side < 240 + 1e-6


def test_a_crop_larger_than_the_image_shows_it_whole(drawn_pack: Pack) -> None:
    sampler, draw = _sampler(drawn_pack, _config(masked=1.0)), np.random.default_rng(1)
    for _ in range(50):
        affine = sampler.place(draw, np.array([10.0, 5.0, 50.0, 45.0]), 100, 60)
        side = SIZE / affine[0, 0]
        left, top = -affine[:, 2] / affine[0, 0]
        assert side > 100
        assert left < 1e-6 < 100 - 1e-6 < left + side
        assert top < 1e-6 < 60 - 1e-6 < top + side


def test_long_boxes_are_refused_and_areas_only_on_demand(drawn_pack: Pack) -> None:
    config = _config(masked=1.0)
    plain, strict = _sampler(drawn_pack, config), _sampler(drawn_pack, dataclasses.replace(config, filter_area=True))
    picture = np.zeros((100, 200, 3), np.uint8)
    long, short = np.array([0.0, 0.0, 100.0, 10.0]), np.array([0.0, 0.0, 99.0, 10.0])
    tiny, huge = np.array([0.0, 0.0, 4.0, 5.0]), np.array([0.0, 0.0, 150.0, 80.0])
    assert [plain.usable(box, picture) for box in (long, short, tiny, huge)] == [False, True, True, True]
    assert [strict.usable(box, picture) for box in (long, short, tiny, huge)] == [False, True, False, False]


def test_frames_with_unusable_boxes_are_drawn_again(drawn_pack: Pack) -> None:
    pack = Pack.__new__(Pack)
    pack.__dict__.update(drawn_pack.__dict__)
    track = drawn_pack.tracks[0]
    boxes = np.tile(np.array([10, 10, 20, 20], np.float32), (8, 1))
    boxes[:3] = 10, 10, 60, 5
    pack.tracks = [Track(np.repeat(track.images[:1], 8), np.arange(8), boxes, name="walk/object_1")]
    config = dataclasses.replace(_config(clips=1.0), negative_share=0.0)
    for number in range(10):
        sides = np.diff(_sampler(pack, config).sample(number).boxes.reshape(4, 2, 2), axis=1)
        assert np.allclose(sides[..., 0], sides[..., 1], rtol=1e-4)
    boxes[:] = 10, 10, 60, 5
    with pytest.raises(DataError, match="too long"):
        _sampler(pack, config).sample(0)


def test_sources_are_drawn_by_weight_and_must_hold_enough(drawn_pack: Pack) -> None:
    both = dataclasses.replace(_config(masked=1.0, clips=3.0), negative_share=0.0)
    assert _sampler(drawn_pack, both).shares == {"videos": 0, "clips": 0.75, "masked": 0.25, "boxed": 0}
    with pytest.raises(DataError, match=r"'clips' has 1 object.*needed are 2.*sampler\.weights\.clips=0"):
        _sampler(drawn_pack, _config(clips=1.0))
    with pytest.raises(ConfigError, match="weights of all sources are 0"):
        _config()
