"""Table 4 of SiamSTM's paper at our scale, with the controls that it lacks: rows trained alike, by multi-start.

  python benchmarks/siamstm_tables.py --table parts --data ../shared/data --out tables \\
      --start-encoder stm_tracker_ros/weights/stmtrack_lite.safetensors

Every row is `siamstm_lite` without the label of its template, which the paper does not have, and with one thing
changed, trained on the same features in the same few steps (`--steps`, which the paper's rows are not), then flown over
the 62 development sequences, two starts of 100 frames each. The same samples serve all rows, a template and two pairs
of crops, so the row without ARM is the control "triplets, no ARM" as well. `repression` changes how given weights are
flown. What is finished is not done again.
"""

from __future__ import annotations

import program
import tables
from tables import Row

BASE = "svc_arm"
_OFF = {"arm.peaks": 1}
_PLAIN = {"network.labelled": "false"}
_DW = {"network.correlation": "dw"}
_ARM = {"loss.arm": 0.5}
TABLES = {
    "parts": [
        Row("fcos", "FCOS head, DW-XCorr", ".570", {**_PLAIN, **_DW, "network.head": "fcos"}, _OFF),
        Row("dw", "centre head, DW-XCorr", ".587", {**_PLAIN, **_DW}, _OFF),
        Row("svc", "centre head, SVC-Corr", ".603", _PLAIN, _OFF),
        Row("dw_arm", "centre head, DW-XCorr, ARM", ".610", {**_PLAIN, **_DW, **_ARM}),
        Row(BASE, "centre head, SVC-Corr, ARM (the base)", ".624", {**_PLAIN, **_ARM}),
        Row("loss_only", "ARM as a loss only", "", {}, _OFF, weights_of=BASE),
        Row("flown_only", "ARM at run time only", "", weights_of="svc"),
        Row(
            "channel",
            "attention of channels that is the same everywhere",
            "",
            {**_PLAIN, **_ARM, "network.correlation": "channel"},
        ),
        Row(
            "printed",
            "ARM's loss as printed",
            "",
            {**_PLAIN, **_ARM, "loss.divergence": "printed"},
            {"arm.divergence": "printed"},
        ),
        Row("weak", "ARM's loss at a tenth of the weight", "", {**_PLAIN, "loss.arm": 0.05}),
        Row("labelled", "the base, and a template that knows its box", "", _ARM),
    ],
}
FLOWN = {
    "repression": [
        Row("maxima_first", "local maxima, the first frame's heatmap moves along"),
        Row("none", "no ARM at run time", "", {}, _OFF),
        Row("maxima_last", "local maxima, the last frame's heatmap", "", {}, {"arm.keeps": "last"}),
        Row("cells_first", "the highest cells", "", {}, {"arm.candidates": "cells"}),
        Row(
            "cells_last",
            "the highest cells, the last heatmap",
            "",
            {},
            {"arm.candidates": "cells", "arm.keeps": "last"},
        ),
        Row("printed_first", "KL of maps as they are", "", {}, {"arm.divergence": "printed"}),
    ],
}
BASES = {"parts": BASE, "repression": "maxima_first"}

if __name__ == "__main__":
    program.run(__file__, lambda: tables.main(__doc__, tables.Tables("siamstm_lite", TABLES, FLOWN, BASES)))
