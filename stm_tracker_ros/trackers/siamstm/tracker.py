"""SiamSTM: what a template says of a look, and the last heatmap. Where to look and what to believe: `following/`.

| paper | here | effect |
|---|---|---|
| crops grow with the sides' sum (context) | with the square root of the area | a long target is seen larger |
| an aberrant heatmap rises to 2 (Alg. 1, line 14) | over what the chosen peak rose by | scores stay scores |
| KL of maps as they are | of normalised ones (`arm.divergence`) | the right peak has the least |
| K responses | local maxima (`arm.candidates`) | not one peak and its neighbours |
| every frame moves what is kept | those in which the target was found | an absent target leaves it alone |
| one search region | looks of another size are not compared | their peaks are of another width |
| answers as they are | less what they were off by in the first frame (`own_error`) | each target has its own size |
| box of VOT2020 from the mask | from the head; the mask beside it | the size is filtered (`following/size.py`) |

`lite_network.py` and `paper_network.py` have the networks' tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from stm_tracker_ros.core.matching import Candidates, Crop, Evidence, Floats, Look, Segment
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.parts import own_error
from stm_tracker_ros.parts.crop_mask import found_in, of_mask
from stm_tracker_ros.trackers.siamstm.arm import Past, Repressed, followed, repress
from stm_tracker_ros.trackers.siamstm.config import TrackConfig
from stm_tracker_ros.trackers.siamstm.label import gaussian_labels
from stm_tracker_ros.trackers.siamstm.mask import FINE_STRIDE
from stm_tracker_ros.trackers.siamstm.steps import Matched, Steps


class Payload(NamedTuple):
    """What is kept of a look. heatmap: the network's own; repressed: None where it was not compared."""

    look: Any
    heatmap: Tensor
    repressed: Repressed | None


@dataclass
class _Memory:
    """What is remembered of the present target. error: of the answers on its first frame, see `own_error.measured`."""

    template: Any
    past: Past
    error: Floats = field(default_factory=lambda: np.zeros(4))


class SiamStmMatcher:
    """See `core.protocol.Matcher`."""

    def __init__(self, stepper: Steps, config: TrackConfig) -> None:
        self.stepper, self.config, self.crop_size = stepper, config, stepper.crop_size
        self.memory: _Memory | None = None

    def start(self, look: Look, target: Target) -> Candidates:
        """Start anew: the template, the heatmap of its own frame, the label of its box (Algorithm 1, lines 1 to 4)."""
        box = look.crop.to_crop(look.expected)
        template = self.stepper.template(look.patch, box)
        matched = self.stepper.match(template, look.patch)
        row, column = self._cell(box)
        self.memory = _Memory(template, Past(self._label(box, row, column), self._heatmap(matched), (row, column)))
        if self.config.own_error.is_wanted:
            self.memory.error = own_error.measured(look, self._match)
        segment = self._segment(look, matched.look, row * self.stepper.cells + column, box)
        if target.mask is not None:
            given = of_mask(target.mask)
            segment = Segment(given.pixels, given.rotated)
        one = np.array([box])
        return Candidates(crop=look.crop, boxes=one, scores=np.ones(1), grid=(1, 1, 1), segment=segment)

    def match(self, looks: Sequence[Look]) -> list[Candidates]:
        """The candidates of each look: a cell each."""
        found, error, config = [self._match(look) for look in looks], self._started().error, self.config.own_error
        return [replace(one, boxes=own_error.corrected(one.boxes, error, config)) for one in found]

    def settle(self, look: Look, candidates: Candidates, chosen: int | None, rank: float) -> None:
        """What the next heatmap is compared with (line 15)."""
        memory, payload = self._started(), candidates.payload
        if chosen is None or payload.repressed is None:
            return
        if self.config.arm.keeps == "first":
            memory.past = followed(memory.past, payload.repressed)
            return
        row, column = divmod(chosen, self.stepper.cells)
        label = self._label(Box(*candidates.boxes[chosen].tolist()), row, column)
        memory.past = Past(label, payload.heatmap, (row, column))

    def anchor_scores(self, look: Look, candidates: Candidates) -> Floats:
        """The scores before they were reweighted: the template is the first frame's."""
        return candidates.payload.heatmap.flatten().numpy()  # type: ignore[no-any-return]

    def remember(self, look: Look, candidates: Candidates, chosen: int, box: Box, evidence: Evidence) -> None:
        """Nothing: the template stays the first frame's."""

    def reconfigure(self, config: TrackConfig) -> None:
        """Read by other settings from the next frame on."""
        self.config = config

    def _started(self) -> _Memory:
        assert self.memory is not None  # the following stage has started it
        return self.memory

    def _match(self, look: Look) -> Candidates:
        memory, cells = self._started(), self.stepper.cells
        matched = self.stepper.match(memory.template, look.patch)
        heatmap, arm, repressed = self._heatmap(matched), self.config.arm, None
        scores, boxes = matched.answer[:, 4], matched.answer[:, :4]
        if look.search_factor == 1:
            repressed = repress(heatmap, memory.past, arm.peaks, arm.candidates, arm.divergence)
            if repressed.is_aberrant:
                raised = 1 + float(memory.past.heatmap[memory.past.peak])
                scores = np.minimum(repressed.heatmap.flatten().numpy() / raised, 1.0)
        return Candidates(
            crop=look.crop,
            boxes=boxes,
            scores=scores,
            grid=(cells, cells, 1),
            outline=lambda cell: self._segment(look, matched.look, cell, Box(*boxes[cell].tolist())),
            payload=Payload(matched.look, heatmap, repressed),
        )

    def _heatmap(self, matched: Matched) -> Tensor:
        return torch.from_numpy(matched.answer[:, 4].reshape(self.stepper.cells, self.stepper.cells))

    def _cell(self, box: Box) -> tuple[int, int]:
        """Row and column of the cell that a target at `box`, in crop pixels, is labelled in."""
        column, row = (round((place - self.stepper.first) / self.stepper.stride) for place in box.center)
        return row, column

    def _label(self, box: Box, row: int, column: int) -> Tensor:
        sides = torch.tensor([box[2:]], dtype=torch.float64) / self.stepper.stride
        return gaussian_labels(torch.tensor([[column, row]]), sides, self.stepper.cells)[0]

    def _segment(self, look: Look, seen: Any, cell: int, box: Box) -> Segment:
        """The mask of the target in that cell; box: its box in crop pixels."""
        outlined, crop = self.stepper.outline(seen, cell, box), look.crop
        left, top = crop.left + outlined.left * crop.scale, crop.top + outlined.top * crop.scale
        square = Crop(left=left, top=top, scale=crop.scale)
        found = found_in(outlined.logit, square, FINE_STRIDE, look.frame, self.config.mask.threshold)
        return Segment(found.pixels, found.rotated)
