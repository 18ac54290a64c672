"""The tables of DMV's paper at our scale: rows trained alike and measured by multi-start on the development set.

  python benchmarks/dmv_tables.py --table reads --data ../shared/data --out tables \\
      --start-encoder stm_tracker_ros/weights/stmtrack_lite.safetensors

Every row is `dmv_lite` with one thing changed, trained on the same features in the same few steps (`--steps`, which the
paper's rows are not), then flown over the 62 development sequences, two starts of 100 frames each. `capacity`
(Table 5), `background` (Fig. 4), `first` and `labels` change how given weights are flown. What is finished is not done
again.
"""

from __future__ import annotations

import program
import tables
from tables import Row

BASE = "vote"
_VOTE = Row(BASE, "voting, K = 4, memory (the base)", ".699 (K = 4: .658)")
_FIRST = {"memory.policy": "first"}
TABLES = {
    "reads": [  # Table 1
        Row("softmax", "softmax (STM)", ".535", {"network.read.kind": "softmax"}),
        Row("mlp", "top-K and MLP (CPNet)", ".612", {"network.read.kind": "mlp"}),
        _VOTE,
    ],
    "values": [  # the two readings of the hard top-K
        Row("printed", "picked values as they are", "", {"network.read.values": "printed"}),
        _VOTE,
    ],
    "memory": [  # Table 2
        Row("alone", "no memory: trained and flown on the first frame", ".651", {"longest": 2}, _FIRST),
        _VOTE,
    ],
    "candidates": [  # Table 4
        Row("k1", "K = 1", ".636", {"network.read.candidates": 1}),
        Row("k2", "K = 2", ".626", {"network.read.candidates": 2}),
        _VOTE,
        Row("k8", "K = 8", ".666", {"network.read.candidates": 8}),
        Row("k16", "K = 16", ".687", {"network.read.candidates": 16}),
        Row("k32", "K = 32", ".692", {"network.read.candidates": 32}),
    ],
}
CAPACITIES, INTERVALS = (2, 4, 8, 16, 32), (1, 2, 5, 10, 20, 30, 50)
FLOWN = {
    "capacity": [  # Table 5
        Row(
            f"c{slots}_i{interval}",
            f"{slots} frames, one in {interval}",
            flown={"memory.slots": slots, "memory.interval": interval},
        )
        for slots in CAPACITIES
        for interval in INTERVALS
    ],
    "background": [  # Fig. 4
        Row("c32_i30", "with background"),
        Row("no_background", "cells beside the target are zero", "", {}, {"memory.background": "false"}),
    ],
    "first": [  # what the memory is worth to the same weights
        Row("c32_i30", "full memory"),
        Row("first", "the first frame only", "", {}, _FIRST),
    ],
    "labels": [
        Row("c32_i30", "scores of what is followed"),
        Row("printed_labels", "all scores from 0.5 on", "", {}, {"memory.label": "printed"}),
    ],
}
BASES = {**dict.fromkeys(TABLES, BASE), **dict.fromkeys(FLOWN, "c32_i30")}

if __name__ == "__main__":
    program.run(__file__, lambda: tables.main(__doc__, tables.Tables("dmv_lite", TABLES, FLOWN, BASES)))
