"""Overlaps of boxes, counted by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.parts.overlap import overlaps  # noqa: E402

BOX = [0.0, 0.0, 4.0, 2.0]


@pytest.mark.parametrize(
    ("other", "iou", "giou"),
    [
        (BOX, 1.0, 1.0),
        ([2.0, 0.0, 6.0, 2.0], 1 / 3, 1 / 3),
        ([2.0, 1.0, 6.0, 3.0], 2 / 14, 2 / 14 - 4 / 18),
        ([8.0, 0.0, 12.0, 2.0], 0.0, -8 / 24),
    ],
)
def test_the_overlap_is_that_of_the_areas(other: list[float], iou: float, giou: float) -> None:
    found = overlaps(torch.tensor([BOX]), torch.tensor([other]))
    assert [part.item() for part in found] == pytest.approx([iou, giou])


def test_all_boxes_meet_all_others() -> None:
    boxes = torch.tensor([BOX, [2.0, 0.0, 6.0, 2.0]])
    table = overlaps(boxes[:, None], boxes[None])[0]
    assert torch.allclose(table, torch.tensor([[1, 1 / 3], [1 / 3, 1]]))
