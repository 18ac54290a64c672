"""DMV's anchors, labels, loss and lite network."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from made_weights import small_network  # noqa: E402

from stm_tracker_ros.parts.overlap import overlaps  # noqa: E402
from stm_tracker_ros.parts.soft_label import of_followed, soft_label  # noqa: E402
from stm_tracker_ros.trackers.dmv.anchors import RATIOS, anchors, corners, displaced, displacement  # noqa: E402
from stm_tracker_ros.trackers.dmv.lite_network import LiteNetwork  # noqa: E402
from stm_tracker_ros.trackers.dmv.loss import FEWEST_NEGATIVES, exact_label, labels, loss  # noqa: E402
from stm_tracker_ros.trackers.dmv.network import Prediction  # noqa: E402

ANCHORS = anchors(8, 16)
BOX = torch.tensor([[40.0, 30.0, 104.0, 94.0]])
PRESENT, ABSENT, UNCLEAR = (torch.tensor([state]) for state in (1, 0, -1))


@pytest.fixture(scope="module")
def network() -> LiteNetwork:
    return small_network("dmv_lite").eval().requires_grad_(False)  # type: ignore[no-any-return]


def test_anchors_stand_in_the_middle_of_each_cell_with_one_area() -> None:
    assert ANCHORS.shape == (8 * 8 * 5, 4)
    assert ANCHORS[5 * 9 + 2].tolist() == [24, 24, 64, 64]  # second row, second column, the square one
    assert torch.allclose(ANCHORS[:, 2] * ANCHORS[:, 3], torch.tensor(4096.0))
    assert torch.allclose(ANCHORS[:5, 3] / ANCHORS[:5, 2], torch.tensor(RATIOS))


def test_a_displacement_takes_every_anchor_to_the_box() -> None:
    there = displaced(displacement(BOX, ANCHORS), ANCHORS)
    assert torch.allclose(there, BOX.expand(1, len(ANCHORS), 4), atol=1e-3)
    assert displacement(corners(ANCHORS[7:8]), ANCHORS[7:8]).abs().max() < 1e-6


def test_positive_anchors_overlap_by_what_is_needed_and_the_best_one_is_always_one() -> None:
    for box in (BOX, torch.tensor([[20.0, 20, 116, 116]]), torch.tensor([[60.0, 60, 68, 68]])):
        truth = labels(box, PRESENT, ANCHORS)
        overlap = overlaps(corners(ANCHORS), box)[0]
        best = overlap.argmax()
        assert truth.positive[0, best]
        assert (overlap[truth.positive[0]] >= min(0.6, 0.85 * float(overlap[best])) - 1e-6).all()
        assert (overlap[truth.negative[0]] < 0.3).all()
        assert not (truth.positive & truth.negative).any()


def test_of_an_absent_target_every_anchor_is_negative_and_of_an_unclear_one_none_counts() -> None:
    assert labels(BOX, ABSENT, ANCHORS).negative.all()
    assert not labels(BOX, ABSENT, ANCHORS).positive.any()
    unclear = labels(BOX, UNCLEAR, ANCHORS)
    assert not unclear.positive.any()
    assert not unclear.negative.any()


def test_the_exact_label_is_one_at_the_boxs_anchors_with_their_displacement_and_zero_elsewhere() -> None:
    score, away = exact_label(BOX, ANCHORS)
    assert set(score.unique().tolist()) == {0.0, 1.0}
    there = score[0] > 0
    assert torch.allclose(displaced(away, ANCHORS)[0, there], BOX.expand(int(there.sum()), 4), atol=1e-3)
    assert away[0, ~there].abs().max() == 0


def perfect(box: torch.Tensor, sure: float = 9.0) -> Prediction:
    score, _ = exact_label(box, ANCHORS)
    return Prediction((2 * score - 1) * sure, displacement(box, ANCHORS))


def test_the_loss_is_nothing_for_the_truth_and_more_for_every_error() -> None:
    right = loss(perfect(BOX), BOX, PRESENT, ANCHORS)
    assert right.score.item() < 1e-4
    assert right.box.item() < 1e-4
    assert right.iou.item() == pytest.approx(1.0, abs=1e-3)
    beside = loss(perfect(BOX + 6.0), BOX, PRESENT, ANCHORS)
    assert beside.box > 0.01
    assert loss(perfect(BOX), BOX, ABSENT, ANCHORS).score > 1.0
    assert loss(perfect(BOX), BOX, UNCLEAR, ANCHORS).score == 0
    assert loss(perfect(BOX), BOX, ABSENT, ANCHORS).iou.isnan()


def test_only_as_many_negatives_as_positives_count_the_hardest_first() -> None:
    """Eq. 3: what an easy negative says changes nothing, what a hard one says does."""
    prediction = perfect(BOX, sure=1.0)
    truth = labels(BOX, PRESENT, ANCHORS)
    counted = max(int(truth.positive.sum()), FEWEST_NEGATIVES)
    easy, hard = truth.negative[0].nonzero()[:counted, 0], truth.negative[0].nonzero()[counted, 0]
    logit = prediction.score_logit.clone()
    logit[0, truth.negative[0]] = -3.0
    logit[0, easy] = -1.0  # as many as count: these are the hardest
    before = loss(prediction._replace(score_logit=logit), BOX, PRESENT, ANCHORS).score
    logit[0, hard] = -2.0
    assert torch.equal(loss(prediction._replace(score_logit=logit), BOX, PRESENT, ANCHORS).score, before)
    logit[0, hard] = 2.0
    assert loss(prediction._replace(score_logit=logit), BOX, PRESENT, ANCHORS).score > before


def test_the_focal_loss_is_that_of_equation_4() -> None:
    prediction = Prediction(torch.linspace(-3, 3, len(ANCHORS))[None], torch.zeros(1, len(ANCHORS), 4))
    truth, share = labels(BOX, PRESENT, ANCHORS), torch.sigmoid(prediction.score_logit[0])
    positive = truth.positive[0]
    count = int(positive.sum())
    negatives = sorted(share[truth.negative[0]].tolist(), reverse=True)[: max(count, FEWEST_NEGATIVES)]
    hard = torch.tensor(negatives)
    expected = -(((1 - share[positive]) ** 2) * share[positive].log()).sum() - (hard**2 * (1 - hard).log()).sum()
    assert loss(prediction, BOX, PRESENT, ANCHORS).score.item() == pytest.approx(float(expected) / count, rel=1e-4)


def test_a_soft_label_keeps_sure_scores_and_those_of_what_is_followed() -> None:
    score = torch.tensor([[0.2, 0.49, 0.5, 0.9]])
    assert soft_label(score).tolist() == [[0.0, 0.0, 0.5, pytest.approx(0.9)]]
    boxes = torch.tensor([[[0.0, 0, 10, 10], [50, 50, 60, 60], [1, 1, 11, 11], [8, 8, 18, 18]]])
    followed = of_followed(torch.ones(1, 4), boxes, torch.tensor([[0.0, 0, 10, 10]]))
    assert followed.tolist() == [[1.0, 0.0, 1.0, 0.0]]


def asked(network: LiteNetwork, label_of: torch.Tensor, seed: int = 0) -> Prediction:
    """A crop asked for with the memory of another one that shows the target at `label_of`."""
    random = torch.Generator().manual_seed(seed)
    crops = torch.randint(0, 256, (2, 3, 128, 128), generator=random).to(torch.uint8)
    features = network.encode(crops)
    values = network.values(features[:1], *exact_label(label_of, network.anchors))
    return network.respond(features[1:], network.keys(features[:1]), values)


def test_another_label_in_memory_is_another_answer(network: LiteNetwork) -> None:
    right, wrong = asked(network, BOX), asked(network, BOX + 24.0)
    assert (right.score_logit - wrong.score_logit).abs().max() > 1e-4
    assert (right.displacement - wrong.displacement).abs().max() > 1e-4


def test_maps_of_the_label_lie_where_their_anchors_do(network: LiteNetwork) -> None:
    """What is said of an anchor reaches the cells around it and no others: two 3 x 3 convolutions."""
    features = torch.zeros(1, 32, 8, 8)
    score = torch.zeros(1, len(ANCHORS))
    before = network.values(features, score, torch.zeros(1, len(ANCHORS), 4))
    score[0, 5 * (3 * 8 + 6)] = 1.0  # row 3, column 6
    changed = (network.values(features, score, torch.zeros(1, len(ANCHORS), 4)) - before).abs().amax(-1).view(8, 8)
    rows, columns = (changed > 1e-7).nonzero(as_tuple=True)
    assert (rows.min(), rows.max()) == (1, 5)
    assert columns.min() >= 4
    assert changed[3, 6] > 0
