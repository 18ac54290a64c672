"""What both networks of SiamSTM are trained for, from features on: heatmap, box, ARM and mask.

Features in, loss out: whoever has the features of a frozen encoder needs no encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from stm_tracker_ros.trackers.siamstm.arm import arm_loss
from stm_tracker_ros.trackers.siamstm.correlation import Template
from stm_tracker_ros.trackers.siamstm.head import Head, Prediction
from stm_tracker_ros.trackers.siamstm.loss import PRESENT, Target, loss, mask_loss, target_of
from stm_tracker_ros.trackers.siamstm.mask import SIDE, window
from stm_tracker_ros.training.siamstm.config import ExampleConfig, LossConfig
from stm_tracker_ros.training.siamstm.sampler import MASK_SHARE

Terms = dict[str, Tensor]


class Searching(Protocol):
    """A network of SiamSTM behind its encoder; features are a tuple of maps, of which the last one is correlated."""

    head: Head
    mask: Any

    def template(self, coarse: Tensor, boxes: Tensor) -> Template:
        """Features of first crops and the targets' boxes, corners in crop pixels -> what is kept of them."""

    def correlate(self, template: Template, coarse: Tensor) -> Tensor:
        """Templates and features of as many crops -> what the heads want."""

    def answer(self, correlated: Tensor) -> Prediction:
        """A box and a score for each cell."""

    def windows(self, correlated: Tensor, features: Any, rows: list[int], columns: list[int]) -> tuple[Tensor, ...]:
        """What the mask branch wants of a cell of each crop."""

    def window_edge(self, place: int) -> float:
        """Where the mask's window about that row or column begins, in crop pixels."""


class Searched(NamedTuple):
    """Crops that are searched, S of them, two neighbours a pair of frames.

    features: of S crops; boxes: S x 4 corners; states: S; masks: S x size / 2 x size / 2 in 0..255; is_mask: S.
    """

    features: Any
    boxes: Tensor
    states: Tensor
    masks: Tensor
    is_mask: Tensor


def objective(
    network: Searching, templates: Template, searched: Searched, examples: ExampleConfig, weights: LossConfig
) -> tuple[Tensor, Terms]:
    """The weighted sum and its terms.

    templates: of B objects, each of which is searched in S / B crops that follow each other.
    """
    states, source = with_negatives(searched.states, len(templates.kernel), examples.negative_share)
    correlated = network.correlate(Template(*(part[source] for part in templates)), searched.features[-1])
    prediction, target = network.answer(correlated), target_of(network.head, searched.boxes, states)
    found = loss(prediction, network.head, target, weights.reach)
    total = found.heat + weights.offset * found.offset + weights.size * found.size
    terms = found._asdict()
    if weights.arm:
        terms["arm"] = paired(prediction, target, states, network.head.count, weights.divergence)
        total = total + weights.arm * terms["arm"]
    if weights.mask:
        terms |= _outlines(network, correlated, searched, target, states, examples.box_noise)
        total = total + weights.mask * (terms["mask"] + terms["mask_overlap"])
    return total, terms


def of_samples(
    network: Searching, first: Tensor, searched: Any, truth: Sequence[Tensor], examples: ExampleConfig, loss: LossConfig
) -> tuple[Tensor, Terms]:
    """The objective of B samples from the features of their first crops and of the 4 B others.

    truth: boxes B x 5 x 4, states B x 5, masks B x 5 x S/2 x S/2 and is_mask B, as `sampler.Outlined` has them.
    """
    boxes, states, masks, is_mask = truth
    many = is_mask[:, None].expand_as(states)
    asked = Searched(searched, *later((boxes, states, masks, many)))
    return objective(network, network.template(first, boxes[:, 0]), asked, examples, loss)


def with_negatives(states: Tensor, objects: int, share: float) -> tuple[Tensor, Tensor]:
    """States S, some now 0, and which template each crop is searched with: there that of the next object."""
    own = torch.arange(len(states), device=states.device) // (len(states) // objects)
    negative = torch.rand(len(states), device=states.device) < share * (objects > 1)
    return torch.where(negative, 0, states), torch.where(negative, (own + 1) % objects, own)


def paired(prediction: Prediction, target: Target, states: Tensor, count: int, form: str) -> Tensor:
    """The loss of ARM over the pairs of crops that both show the target."""
    shown = (states == PRESENT).unflatten(0, (-1, 2)).all(1)
    maps = [
        part.float().unflatten(0, (-1, 2)).unflatten(2, (count, count)) for part in (target.label, prediction.score)
    ]
    labels, heatmaps = ((part[shown, 0], part[shown, 1]) for part in maps)
    return arm_loss(labels, heatmaps, form).sum() / shown.sum().clamp(min=1)


def _outlines(
    network: Searching, correlated: Tensor, searched: Searched, target: Target, states: Tensor, noise: float
) -> Terms:
    """The mask branch asked about the targets' cells, or a neighbour."""
    chosen = ((states == PRESENT) & searched.is_mask).nonzero()[:, 0]
    if not len(chosen):
        return dict.fromkeys(("mask", "mask_overlap"), correlated.sum() * 0)
    beside = torch.randint(-1, 2, (len(chosen), 2), device=chosen.device)
    columns, rows = (target.cell[chosen] + beside).clamp(0, network.head.count - 1).T.tolist()
    features = type(searched.features)(*(part[chosen] for part in searched.features))
    windows = network.windows(correlated[chosen], features, rows, columns)
    corner = torch.tensor([[network.window_edge(place) for place in places] for places in (columns, rows)]).T
    boxes = noisy(searched.boxes[chosen], noise) - corner.to(chosen.device).repeat(1, 2)
    logit = network.mask(*windows, boxes)
    truth = truth_windows(searched.masks[chosen], corner)
    entropy, overlap = mask_loss(doubled(logit), truth)
    return {"mask": entropy, "mask_overlap": overlap}


def doubled(logit: Tensor) -> Tensor:
    """Logits B x H x W -> B x 2 H x 2 W."""
    return functional.interpolate(logit[:, None].float(), scale_factor=2.0, mode="bilinear", align_corners=False)[:, 0]


def truth_windows(masks: Tensor, corner: Tensor) -> Tensor:
    """Masks S x H x W in 0..255 -> S x 64 x 64 in [0, 1], from left and top, S x 2 in crop pixels, on."""
    columns, rows = torch.floor(corner / MASK_SHARE + 0.5).int().T.tolist()
    return window(masks[:, None], rows, columns, SIDE // MASK_SHARE)[:, 0].float() / 255


def noisy(boxes: Tensor, noise: float) -> Tensor:
    """Corners S x 4, their centres and sides off by a share of the sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    center = (boxes[:, :2] + boxes[:, 2:]) / 2 + torch.randn_like(sides) * noise * sides
    half = sides / 2 * torch.exp(torch.randn_like(sides) * noise)
    return torch.cat([center - half, center + half], 1)


def later(parts: Sequence[Tensor]) -> list[Tensor]:
    """Of B x 5 x ... what is of the crops after the first, 4 B x ..."""
    return [part[:, 1:].flatten(0, 1) for part in parts]
