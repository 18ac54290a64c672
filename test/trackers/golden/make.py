"""Recipe of stmtrack.npz: a digest of a run of the authors' code.

usage: make.py REFERENCE_FOLDER

The run: fzh0917/STMTrack, branch main, commit 61730c1, fp32 on a CPU (torch 2.13.0, opencv 4.12.0, numpy 2.2.6),
hyper-parameters of its GOT-10k configuration, weights by the rule of reference_weights.py, on 41 made frames of
320 x 240. Once with its gate of 0.6 for the previous frame and once without (`conf0.6`, `confNone`). REFERENCE_FOLDER
holds its outputs: stmtrack_network.npz (tensors for four crops), stmtrack_sequence.npz, stmtrack_tracker.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

MEMORY_FRAMES = 6
WHOLE = ("images_bgr", "label_boxes_cxcywh", "cls_logit", "ctr_logit", "reg_raw", "score", "bbox_xyxy")
SAMPLED = ("backbone_m_last", "fm", "backbone_q", "fq", "read")
STEP_OF_SOURCE, STEP = 7, 37


def digest(folder: Path) -> dict[str, np.ndarray]:
    """All arrays of the golden file."""
    network, sequence = np.load(folder / "stmtrack_network.npz"), np.load(folder / "stmtrack_sequence.npz")
    arrays = {name: network[name] for name in WHOLE}
    for name in SAMPLED:
        arrays[f"{name}_sample"] = network[f"{name}_every{STEP_OF_SOURCE}"][::STEP]
        arrays[f"{name}_stats"] = network[f"{name}_stats"]
    arrays |= {"sample_step": np.array(STEP_OF_SOURCE * STEP)}
    arrays |= {"frames_bgr": sequence["frames_bgr"], "first_box": sequence["gt_xywh"][0]}
    runs = json.loads((folder / "stmtrack_tracker.json").read_text())
    for run in ("conf0.6", "confNone"):
        for field in ("rect", "pscore", "scale", "best"):
            arrays[f"{run}_{field}"] = np.array([entry[field] for entry in runs[run]])
        padded = [entry["memory"] + [0] * (MEMORY_FRAMES - entry["T"]) for entry in runs[run]]
        arrays[f"{run}_memory"] = np.array(padded)
    return arrays


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).parent / "stmtrack.npz", **digest(Path(sys.argv[1])))
