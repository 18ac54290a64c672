"""The network of the paper gives the tensors of the authors' code for the same weights and pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.trackers.stmtrack.config import PaperNetworkConfig
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork, without_border

pytestmark = pytest.mark.torch

# Float noise (threads, folding, memory layout, float64) stays ten times lower, every defect tried lies far above.
TOLERANCE_OF_DEVIATION = 3e-4
TOLERANCE_OF_BOX_PX = 0.003
Golden = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def tensors(golden: Golden, reference_network: PaperNetwork) -> Iterator[dict[str, Tensor]]:
    """Everything that the network makes of the golden pictures: three memory crops, one query crop."""
    made: dict[str, Tensor] = {}
    network = reference_network
    backbones = {"backbone_m_last": network.basemodel_m, "backbone_q": network.basemodel_q}
    for name, backbone in backbones.items():
        backbone.register_forward_hook(lambda _m, _i, output, name=name: made.update({name: without_border(output)}))
    pictures = torch.from_numpy(golden["images_bgr"]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        maps = [label_map(width, height) for _, _, width, height in golden["label_boxes_cxcywh"]]
        slots = [network.memory(pictures[i : i + 1], maps[i]) for i in range(3)]
        made["fm"] = torch.cat(slots, 1).view(1, 3, 25, 25, 512).permute(0, 4, 1, 2, 3)
        made["fq"] = network.query(pictures[3:])
        made["read"] = network.join(made["fq"], torch.cat(slots, 1))
        made["cls_logit"], made["ctr_logit"], raw = network.head(made["read"])
        made["reg_raw"] = raw.transpose(1, 2)
        prediction = network.respond(made["fq"], torch.cat(slots, 1))
        made["bbox_xyxy"] = prediction.box
        made["score"] = torch.sigmoid(prediction.cls_logit) * torch.sigmoid(prediction.ctr_logit)
    yield made
    for backbone in backbones.values():
        backbone._forward_hooks.clear()


def label_map(width: float, height: float) -> Tensor:
    from stm_tracker_ros.trackers.stmtrack.official import marked

    return torch.from_numpy(marked(width, height, 289))[None, None]


@pytest.mark.parametrize("name", ["backbone_m_last", "fm", "backbone_q", "fq", "read"])
def test_features_are_the_authors(name: str, tensors: dict[str, Tensor], golden: Golden) -> None:
    values = tensors[name].contiguous().numpy().ravel()
    mean, deviation = golden[f"{name}_stats"]
    sample = values[:: int(golden["sample_step"])]
    assert np.abs(sample - golden[f"{name}_sample"]).max() < TOLERANCE_OF_DEVIATION * deviation
    assert values.mean() == pytest.approx(mean, abs=TOLERANCE_OF_DEVIATION * deviation)
    assert values.std() == pytest.approx(deviation, rel=TOLERANCE_OF_DEVIATION)


@pytest.mark.parametrize("name", ["cls_logit", "ctr_logit", "reg_raw", "score"])
def test_outputs_are_the_authors(name: str, tensors: dict[str, Tensor], golden: Golden) -> None:
    expected = golden[name].ravel()
    error = np.abs(tensors[name].contiguous().numpy().ravel() - expected).max()
    assert error < TOLERANCE_OF_DEVIATION * expected.std()


def test_boxes_are_the_authors(tensors: dict[str, Tensor], golden: Golden) -> None:
    assert np.abs(tensors["bbox_xyxy"].numpy() - golden["bbox_xyxy"]).max() < TOLERANCE_OF_BOX_PX


def test_it_has_the_authors_size(reference_network: PaperNetwork) -> None:
    count = sum(parameter.numel() for parameter in reference_network.parameters())
    assert count == pytest.approx(39.175e6 - 4 * 0.591e6, rel=1e-3)
    assert reference_network.cells == 25


@pytest.mark.parametrize("crop_size", [280, 288, 290])
def test_crops_that_leave_no_grid_are_refused(crop_size: int) -> None:
    with pytest.raises(ConfigError, match="multiple of 8"):
        PaperNetworkConfig(crop_size=crop_size)
