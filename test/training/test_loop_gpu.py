"""What the loop does on a GPU only: half precision with a scaled loss, from one start to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.gpu

from stm_tracker_ros.core.config import with_changes  # noqa: E402
from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork  # noqa: E402
from stm_tracker_ros.training.loop import Loop  # noqa: E402
from stm_tracker_ros.training.stmtrack.config import PaperTrainConfig  # noqa: E402
from stm_tracker_ros.training.stmtrack.paper_task import PaperTask  # noqa: E402

STILLS = {f"sampler.weights.{name}": float(name == "masked") for name in ("videos", "clips", "masked", "boxed")}
SMALL = {"network.crop_size": 129, "network.channels": 16, "batch": 2, "samples": 4, "epochs": 2}


@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
def test_every_precision_trains_and_goes_on(pack_folder: Path, tmp_path: Path, precision: str) -> None:
    config = with_changes(PaperTrainConfig(), {**SMALL, **STILLS, "precision": precision, "clip": 10.0})
    device = torch.device("cuda:0")
    first = PaperTask(PaperNetwork(config.network), pack_folder, config, device)
    first.steps = 2
    before = first.network.head.si.item()
    loop = Loop(first, tmp_path, config, device)
    loop.run()
    assert loop.scaler.is_enabled() == (precision == "fp16")
    if precision != "fp16":  # there the first steps may be skipped, until the scale fits
        assert first.network.head.si.item() != before
    second = Loop(PaperTask(PaperNetwork(config.network), pack_folder, config, device), tmp_path, config, device)
    assert second.step == 2
    assert second.scaler.state_dict() == loop.scaler.state_dict()
    second.run()
    assert all(torch.isfinite(value).all() for value in second.weights.values())
