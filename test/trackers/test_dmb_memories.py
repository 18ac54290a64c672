"""The spatial memory, the queue of peaks, and masks between image and crop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.parts import crop_mask
from stm_tracker_ros.parts.crop import Crop, cut
from stm_tracker_ros.trackers.dmb import masks
from stm_tracker_ros.trackers.dmb.config import SpatialConfig, UncertaintyConfig
from stm_tracker_ros.trackers.dmb.spatial import Place, SpatialMemory, peak, second_peak
from stm_tracker_ros.trackers.dmb.uncertainty import Uncertainty
from stm_tracker_ros.trackers.dmb.variations import variations

pytestmark = pytest.mark.torch
CELLS = 16


def scene(place: Place, pattern: torch.Tensor, seed: int) -> torch.Tensor:
    """Noise features with the pattern of a target around a place."""
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, len(pattern), CELLS, CELLS, generator=random)
    y = torch.arange(CELLS) + 0.5 - place.y
    x = torch.arange(CELLS) + 0.5 - place.x
    near = torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * (0.4 * place.size) ** 2))
    return torch.relu(0.5 * noise + 3 * near * pattern[None, :, None, None])


def patterns() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(7)
    return torch.randn(24, generator=random), torch.randn(24, generator=random)


def learned(config: SpatialConfig | None = None) -> SpatialMemory:
    pattern, _ = patterns()
    places = [Place(8 + dx, 8 + dy, 4) for dx, dy in ((0, 0), (3, 3), (-3, 3), (3, -3), (-3, -3))]
    features = torch.cat([scene(place, pattern, seed) for seed, place in enumerate(places)])
    return SpatialMemory(config or SpatialConfig(samples=12, channels=8), features, places)


def test_the_filter_finds_what_it_was_taught_wherever_it_is() -> None:
    memory, (pattern, _) = learned(), patterns()
    for seed, (x, y) in enumerate(((5.0, 6.0), (11.0, 4.0), (8.0, 12.0))):
        height, found_x, found_y = peak(memory.respond(scene(Place(x, y, 4), pattern, 20 + seed)).numpy())
        assert abs(found_x - x) < 1.2
        assert abs(found_y - y) < 1.2
        assert height > 0.4


def test_learning_from_samples_lowers_what_looks_alike() -> None:
    memory, (pattern, other) = learned(), patterns()
    both = [
        torch.maximum(scene(Place(8, 8, 4), pattern, s), scene(Place(3, 3, 4), other + pattern, s)) for s in (30, 40)
    ]
    before = second_peak(memory.respond(both[1]).numpy(), 8, 8, 4.4)
    for _ in range(4):
        memory.add(both[0], Place(8, 8, 4), 0.1)
        memory.learn()
    assert second_peak(memory.respond(both[1]).numpy(), 8, 8, 4.4) < before


def test_samples_are_bounded_and_the_first_frame_keeps_its_share() -> None:
    memory, (pattern, _) = learned(), patterns()
    for seed in range(40):
        memory.add(scene(Place(7, 9, 4), pattern, 100 + seed), Place(7, 9, 4), 0.3)
        assert float(memory.weights.sum()) == pytest.approx(1, abs=1e-4)
    assert len(memory.weights) == 12
    assert (memory.weights > 0).all()
    assert float(memory.weights[:5].sum()) == pytest.approx(0.25, abs=1e-3)


def test_the_lightest_sample_goes_first() -> None:
    memory, (pattern, _) = learned(), patterns()
    for seed in range(7):
        memory.add(scene(Place(7, 9, 4), pattern, 100 + seed), Place(7, 9, 4), 0.2 if seed == 0 else 0.02)
    lightest = 5 + int(memory.weights[5:].argmin())
    memory.add(scene(Place(3, 3, 4), pattern, 200), Place(3, 3, 4), 0.02)
    assert int(memory.labels[lightest].argmax()) == 2 * CELLS + 2  # a label about the corner of four cells


def test_peaks_are_found_between_cells() -> None:
    y, x = np.mgrid[:CELLS, :CELLS] + 0.5
    bell = np.exp(-((x - 6.8) ** 2 + (y - 4.3) ** 2) / 8).astype(np.float32)
    height, found_x, found_y = peak(bell)
    assert (found_x, found_y) == pytest.approx((6.8, 4.3), abs=0.05)
    assert height == bell.max()
    assert second_peak(bell, 6.8, 4.3, 20) == 0
    bell[12, 13] = 0.5
    assert second_peak(bell, 6.8, 4.3, 5) == 0.5


@pytest.mark.parametrize(
    ("rule", "height", "expected"),
    [
        ("ratio", 0.25, 2.0),
        ("ratio", 1.0, 0.5),
        ("average", 0.6, 0.0),
        ("average", 0.4, float("inf")),
        ("none", 0.01, 0),
    ],
)
def test_uncertainty_by_its_rules(rule: str, height: float, expected: float) -> None:
    queue = Uncertainty(UncertaintyConfig(rule=rule, patience=2))
    for _ in range(3):
        queue.add(0.5)
    for queue.seen in (0, 1):
        assert queue.of(0.01) == 0  # too early to judge
    queue.seen = 2
    assert queue.of(height) == pytest.approx(expected)


def test_the_paper_drops_peaks_below_a_tenth_whatever_came_before() -> None:
    queue = Uncertainty(UncertaintyConfig(rule="average", patience=0))
    queue.add(0.05)
    assert queue.of(0.09) == float("inf")


def test_only_the_last_peaks_count_and_only_those_learned_from() -> None:
    queue = Uncertainty(UncertaintyConfig(rule="ratio", patience=0, queue=3))
    for height in (0.9, 0.9, 0.9, 0.6, 0.6, 0.6):
        queue.of(0.01)
        queue.add(height)
    assert list(queue.peaks) == [0.6, 0.6, 0.6]


def test_trust_falls_beyond_the_limit() -> None:
    queue = Uncertainty(UncertaintyConfig(doubtful=1.5))
    assert queue.trust(0.0) == queue.trust(1.5) == 1
    assert queue.trust(3.0) == pytest.approx(2**-6)
    assert queue.trust(float("inf")) == 0


def test_a_mask_goes_into_the_crop_and_back() -> None:
    mask = np.zeros((240, 320), np.uint8)
    mask[70:150, 110:200] = 255
    side = 256.0
    crop = Crop(left=155.0 - side / 2, top=110.0 - side / 2, scale=side / 128)
    share = masks.in_crop(mask, crop, side, 32)
    assert share.shape == (32, 32)
    assert float(share.sum()) * (side / 32) ** 2 == pytest.approx(80 * 90, rel=0.01)
    back = crop_mask.in_image((share - 0.5) * 10, crop, 4.0, 0.0, 240, 320)
    assert np.count_nonzero((back > 0) != (mask > 0)) / (80 * 90) < 0.08


def test_a_mask_beyond_the_image_is_cut_off() -> None:
    crop = Crop(left=300.0, top=-60.0, scale=1.0)
    found = crop_mask.in_image(np.full((32, 32), 5, np.float32), crop, 4.0, 0.0, 240, 320)
    assert (found[:68, 300:] == 255).all()
    assert np.count_nonzero(found) == 68 * 20
    nowhere = Crop(left=400.0, top=0.0, scale=1.0)
    assert not crop_mask.in_image(np.full((32, 32), 5, np.float32), nowhere, 4.0, 0.0, 240, 320).any()


def test_the_crop_in_its_own_pixels_ends_where_the_image_does() -> None:
    crop = Crop(left=-10.0, top=200.0, scale=0.5)
    fine = crop_mask.enlarged(np.full((32, 32), 5, np.float32), crop, 128, 240, 320)
    assert (fine[:80, 20:] == 5).all()
    assert (fine[80:] < 0).all()
    assert (fine[:, :20] < 0).all()


def test_a_box_fills_the_cells_whose_centres_it_holds() -> None:
    label = masks.filled(Box(4.0, 8.0, 9.0, 4.0), 8, 4.0)
    assert np.argwhere(label).tolist() == [[2, 1], [2, 2]]
    assert np.argwhere(masks.dilated(label)).tolist() == [[y, x] for y in range(5) for x in range(5)]


def test_parts_in_the_middle_of_a_box_are_left_out_where_others_reach_its_sides() -> None:
    box = np.zeros((40, 40), bool)
    box[5:35, 5:35] = True
    side, middle = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    side[8:33, 6:12] = True
    middle[15:25, 18:28] = True
    kept = masks.reaching(side | middle, box)
    assert kept[side].all()
    assert not kept[middle].any()
    assert kept[~(side | middle)].all()
    assert masks.reaching(middle, box).all()
    assert masks.reaching(np.zeros((40, 40), bool), box).all()


def test_variations_know_where_the_target_went() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    image[96:104, 96:104] = 255
    frame = Frame(image=image, stamp_ns=0)
    found = variations(frame, (100.0, 100.0), 80.0, 160, (0.0, 0.0, 0.0))
    assert len(found) == 9
    plain, _ = cut(frame, (100.0, 100.0), 80.0, 160, (0.0, 0.0, 0.0))
    assert np.array_equal(found[0].patch, plain)
    for variation in found:
        rows, columns = np.nonzero(variation.patch[..., 0] > 100)
        assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((variation.x, variation.y), abs=1.0)
