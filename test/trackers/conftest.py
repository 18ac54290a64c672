"""What several tests of trackers share: the paper's network with reproducible weights, a DMB that sees a colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden" / "stmtrack.npz"


@pytest.fixture(scope="session")
def golden() -> dict[str, np.ndarray]:
    """Figures of a run of the authors' code; golden/make.py tells which."""
    with np.load(GOLDEN) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="session")
def reference_network():  # type: ignore[no-untyped-def]
    """The network of the paper, 289 px, with the weights of the run in golden/."""
    from reference_weights import fill

    from stm_tracker_ros.trackers.stmtrack.config import PaperNetworkConfig
    from stm_tracker_ros.trackers.stmtrack.paper_network import PaperNetwork

    return fill(PaperNetwork(PaperNetworkConfig())).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def stepper():  # type: ignore[no-untyped-def]
    """The lite steps of DMB that see one colour; see dmb_scene.py."""
    from dmb_scene import ColourStepper
    from made_weights import small_network

    from stm_tracker_ros.parts.inference import InferenceRuntime

    return ColourStepper(small_network("dmb_lite"), InferenceRuntime())  # type: ignore[arg-type]


@pytest.fixture
def tracker(stepper):  # type: ignore[no-untyped-def]
    """A `dmb_lite` of those steps that is sure of what it sees."""
    from dmb_scene import made

    stepper.score = 0.9
    return made(stepper)
