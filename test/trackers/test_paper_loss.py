"""Labels and loss of the paper's network against loops over points and numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.trackers.stmtrack.config import PaperNetworkConfig  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.lite_network import Prediction  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.paper_loss import IGNORE, labels, overlaps, paper_loss  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork  # noqa: E402

GRID = torch.tensor([[48.0 + 8 * x, 48.0 + 8 * y] for y in range(5) for x in range(5)])
BOX = torch.tensor([[50.0, 48.0, 72.0, 90.0]])  # points at 56 and 64 across, 56 to 80 down: 48 lies on the edge
NO, YES = torch.tensor([False]), torch.tensor([True])


def _by_hand() -> dict[int, float]:
    """Number of each positive point -> its centre-ness."""
    found = {}
    x1, y1, x2, y2 = BOX[0].tolist()
    for number, (x, y) in enumerate(GRID.tolist()):
        left, top, right, bottom = x - x1, y - y1, x2 - x, y2 - y
        if min(left, top, right, bottom) > 0:
            ratio = min(left, right) / max(left, right) * min(top, bottom) / max(top, bottom)
            found[number] = math.sqrt(ratio)
    return found


def test_the_grid_of_the_test_is_the_network_s() -> None:
    assert torch.equal(PaperNetwork(PaperNetworkConfig(crop_size=129, channels=16)).grid, GRID)


def test_points_strictly_inside_the_box_are_positive() -> None:
    state, centerness = labels(GRID, BOX, NO)
    expected = _by_hand()
    assert len(expected) == 8
    assert {n for n, s in enumerate(state[0].tolist()) if s == 1} == set(expected)
    assert set(state[0].tolist()) == {0, 1}
    for number, value in enumerate(centerness[0].tolist()):
        assert value == pytest.approx(expected.get(number, 0.0), abs=1e-6)


def test_a_negative_pair_is_background_on_the_box_and_unknown_elsewhere() -> None:
    state, centerness = labels(GRID, BOX, YES)
    inside = set(_by_hand())
    assert all((s == 0) == (n in inside) for n, s in enumerate(state[0].tolist()))
    assert (state[0] == IGNORE).sum() == 25 - len(inside)
    assert torch.equal(centerness, labels(GRID, BOX, NO).centerness)


def _prediction(seed: int = 0) -> Prediction:
    draw = torch.Generator().manual_seed(seed)
    sides = torch.rand(1, 25, 4, generator=draw) * 20 + 4
    box = torch.cat([GRID - sides[..., :2], GRID + sides[..., 2:]], -1)
    return Prediction(torch.randn(1, 25, generator=draw), torch.randn(1, 25, generator=draw), box)


def _iou(a: list[float], b: list[float]) -> float:
    """Counts whole pixels of boxes given by their first and last pixel; boxes on whole numbers only."""
    cells = [
        {(x, y) for x in range(int(x1), int(x2) + 1) for y in range(int(y1), int(y2) + 1)} for x1, y1, x2, y2 in (a, b)
    ]
    return len(cells[0] & cells[1]) / len(cells[0] | cells[1])


def test_overlaps_count_the_last_pixel() -> None:
    pairs = [([0, 0, 9, 9], [5, 5, 14, 14]), ([0, 0, 0, 0], [0, 0, 1, 1]), ([2, 3, 8, 9], [2, 3, 8, 9])]
    pairs.append(([0, 0, 3, 3], [4, 0, 7, 3]))
    found = overlaps(*(torch.tensor([pair[i] for pair in pairs], dtype=torch.float32) for i in range(2)))
    assert found.tolist() == pytest.approx([_iou(*pair) for pair in pairs])
    assert found[3] == 0


def _expected_cls(prediction: Prediction, points: range | set[int], positive: set[int]) -> float:
    total = 0.0
    for number in points:
        p = 1 / (1 + math.exp(-prediction.cls_logit[0, number].item()))
        total += -0.75 * (1 - p) ** 2 * math.log(p) if number in positive else -0.25 * p**2 * math.log(1 - p)
    return total / max(len(positive), 1)


def _expected_ctr(prediction: Prediction) -> float:
    terms = []
    for number, target in _by_hand().items():
        p = 1 / (1 + math.exp(-prediction.ctr_logit[0, number].item()))
        crossed = -target * math.log(p) - (1 - target) * math.log(1 - p)
        own = -target * math.log(target) - (1 - target) * math.log(1 - target) if target < 1 else 0.0
        terms.append(crossed - own)
    return sum(terms) / len(terms)


def test_the_terms_are_those_of_a_loop_over_the_points() -> None:
    prediction, positive = _prediction(), set(_by_hand())
    terms = paper_loss(prediction, GRID, BOX, NO, 0.75, 2.0)
    ious = [overlaps(prediction.box[0, n][None], BOX).item() for n in positive]
    assert terms.cls.item() == pytest.approx(_expected_cls(prediction, range(25), positive), rel=1e-5)
    assert terms.ctr.item() == pytest.approx(_expected_ctr(prediction), rel=1e-5)
    assert terms.reg.item() == pytest.approx(-sum(math.log(i) for i in ious) / len(ious), rel=1e-5)
    assert terms.iou.item() == pytest.approx(sum(ious) / len(ious), rel=1e-5)


def test_a_negative_pair_teaches_no_box_but_background_and_centre_ness() -> None:
    prediction = _prediction()
    terms = paper_loss(prediction, GRID, BOX, YES, 0.75, 2.0)
    assert terms.cls.item() == pytest.approx(_expected_cls(prediction, set(_by_hand()), set()), rel=1e-5)
    assert terms.ctr.item() == pytest.approx(_expected_ctr(prediction), rel=1e-5)
    assert terms.reg.item() == 0
    assert terms.iou.isnan()


def test_positives_are_counted_over_the_batch() -> None:
    both = Prediction(*(torch.cat([part, part]) for part in _prediction()))
    alone = paper_loss(_prediction(), GRID, BOX, NO, 0.75, 2.0)
    mixed = paper_loss(both, GRID, BOX.repeat(2, 1), torch.tensor([False, True]), 0.75, 2.0)
    negative = _expected_cls(_prediction(), set(_by_hand()), set())
    assert mixed.cls.item() == pytest.approx(alone.cls.item() + negative / len(_by_hand()), rel=1e-5)
    assert mixed.reg.item() == pytest.approx(alone.reg.item(), rel=1e-5)


def test_the_right_answer_costs_nothing_and_a_box_without_points_is_no_error() -> None:
    state, centerness = labels(GRID, BOX, NO)
    logits = torch.where(state == 1, 30.0, -30.0)
    right = Prediction(logits, torch.logit(centerness.clamp(1e-6, 1 - 1e-6)), BOX[:, None].repeat(1, 25, 1))
    assert sum(t.item() for t in paper_loss(right, GRID, BOX, NO, 0.75, 2.0)[:3]) == pytest.approx(0.0, abs=1e-5)
    terms = paper_loss(_prediction(), GRID, torch.tensor([[49.0, 49.0, 55.0, 55.0]]), NO, 0.75, 2.0)
    assert terms.ctr == 0
    assert terms.reg == 0
    assert torch.isfinite(terms.cls)
