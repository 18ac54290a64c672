"""The spatial memory at work on one target: where it sees it, how sure it is, when it learns (sections III-D, E)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from stm_tracker_ros.core.matching import Crop, Look
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.parts.crop import cut
from stm_tracker_ros.trackers.dmb.config import TrackConfig
from stm_tracker_ros.trackers.dmb.lite_network import STRIDE
from stm_tracker_ros.trackers.dmb.sight import Sight, guide
from stm_tracker_ros.trackers.dmb.spatial import Place, SpatialMemory, peak, second_peak
from stm_tracker_ros.trackers.dmb.steps import OneCrop, Steps
from stm_tracker_ros.trackers.dmb.uncertainty import Uncertainty
from stm_tracker_ros.trackers.dmb.variations import variations

SECOND_PEAK_REACH = 1.1  # over the target's size: what lies further away is something else


class Seen(NamedTuple):
    """A look as the networks see it.

    crop, encoded: what is segmented; sight: what the filter sees; guide: of it what enters the decoder; doubt: how
    uncertain the filter is; peak: the target's centre by the filter, in image pixels.
    """

    crop: Crop
    encoded: Any
    sight: Sight
    guide: Tensor
    doubt: float
    peak: tuple[float, float]


class TargetFilter:
    """Filter and uncertainty of the present target; `seen` of the latter is counted by whoever settles a frame."""

    def __init__(self, stepper: Steps, config: TrackConfig, look: Look) -> None:
        """Learned from the first look and its variations."""
        self.stepper, self.config = stepper, config
        size = stepper.spatial_size or stepper.crop_size
        self.factor = config.spatial.scale if stepper.spatial_size else config.search.scale
        varied = variations(look.frame, look.expected.center, self.factor * _extent(look.expected), size, look.fill)
        with torch.inference_mode():
            features = torch.cat([stepper.spatial_of(one.patch) for one in varied])
            places = [Place(one.x / STRIDE, one.y / STRIDE, size / self.factor / STRIDE) for one in varied]
            self.memory = SpatialMemory(config.spatial, features, places)
        self.uncertainty = Uncertainty(config.uncertainty)
        self.learned = 1  # number of the frame after which the filter was improved

    def first(self, look: Look) -> Seen:
        """The first look: its peak is the first of the queue, and its crop lies about the target."""
        seen = self._seen(look, follows=False)
        self.uncertainty.add(float(seen.sight.response.max()))
        return seen

    def look(self, look: Look) -> Seen:
        """A later look; where the filter has a crop of its own, its peak is the middle of what is segmented."""
        return self._seen(look, follows=True)

    @torch.inference_mode()
    def learn(self, number: int, seen: Seen, box: Box) -> None:
        """Give the filter the frame as a sample, labelled by the box's centre; improve it at once if it is hard."""
        config, response = self.config.spatial, seen.sight.response.cpu().numpy()
        self.uncertainty.add(float(response.max()))
        place = _place(seen.sight.crop, box)
        other = second_peak(response, place.x, place.y, SECOND_PEAK_REACH * place.size)
        is_hard = other > config.second_peak * max(float(response.max()), 0.0)
        self.memory.add(seen.sight.features, place, config.hard_rate if is_hard else config.rate)
        if is_hard or number - self.learned >= config.interval:
            self.memory.learn()
            self.learned = number

    @torch.inference_mode()
    def _seen(self, look: Look, *, follows: bool) -> Seen:
        stepper, crop, patch = self.stepper, look.crop, look.patch
        if stepper.spatial_size:
            side = self.factor * _extent(look.expected) * look.search_factor
            wide, place = cut(look.frame, look.expected.center, side, stepper.spatial_size, look.fill)
            sight = self._sight(place, stepper.spatial_of(wide))
        else:
            encoded = stepper.encode(patch)
            sight = self._sight(crop, cast(OneCrop, stepper).spatial(encoded))
        height, x, y = peak(sight.response.cpu().numpy())
        doubt = self.uncertainty.of(height)
        found = sight.crop.to_image(Box(x * STRIDE, y * STRIDE, 0.0, 0.0)).center
        if stepper.spatial_size:
            if follows and doubt < self.config.uncertainty.learn:
                side = self.config.search.scale * _extent(look.expected) * look.search_factor
                patch, crop = cut(look.frame, found, side, stepper.crop_size, look.fill)
            encoded = stepper.encode(patch)
        entering = guide(self.config.spatial.guide, sight, crop, stepper.cells)
        return Seen(crop, encoded, sight, entering, doubt, found)

    def _sight(self, crop: Crop, features: Tensor) -> Sight:
        return Sight(crop, features, self.memory.respond(features))


def _place(crop: Crop, box: Box) -> Place:
    """A box in cells of a crop: its geometric centre, from the mask (section III-E)."""
    inside = crop.to_crop(box)
    x, y = inside.center
    return Place(x / STRIDE, y / STRIDE, _extent(inside) / STRIDE)


def _extent(box: Box) -> float:
    return math.sqrt(box.width * box.height)
