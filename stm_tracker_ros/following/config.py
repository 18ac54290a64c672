"""What the following stage can be set to; every tracker's configuration has these settings beside its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from stm_tracker_ros.core.config import section, setting, validate

ConfigT = TypeVar("ConfigT", bound="FollowingConfig")


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Where the target is looked for."""

    WITHDRAWN: ClassVar = {
        "growth": "what is away is looked for in the whole image, see search.again and search.looks",
        "largest": "what is away is looked for in the whole image, see search.again and search.looks",
        "glance_score": "nothing is looked at twice; presence.* says what is followed",
    }

    scale: float = setting(
        3.5, "side of the search region over the size of the target", low=1.5, high=8.0, formerly=("area_factor",)
    )
    camera_motion: bool = setting(True, "the search region moves as the picture does", formerly=("camera_motion",))
    again: str = setting(
        "auto",
        "a target that is away is looked for in the whole image; auto: and followed where it is found; confirm: once "
        "the operator has said so; off: it is only waited for",
        choices=("auto", "confirm", "off"),
        live=True,
    )
    looks: int = setting(1, "looks elsewhere in each frame, while the target is away", low=1, high=8)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """How much the last answer counts against the network's scores."""

    WITHDRAWN: ClassVar = {"smallest_side": "no side gets smaller than 2 pixels"}

    window: float = setting(0.35, "weight of the Hann window about the last place", low=0.0, high=1.0, live=True)
    penalty: float = setting(0.15, "strength of the penalty on changes of size", low=0.0, high=2.0, live=True)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class SizeConfig:
    """How the size of the target follows what is seen."""

    WITHDRAWN: ClassVar = {
        "by_score": "size.rate always falls with score and penalty",
        "largest_change": "what changes much is believed less, by prior.penalty",
        "smallest_side": "no side gets smaller than 2 pixels",
    }

    rate: float = setting(
        0.25,
        "share of a new size that the search region takes over, at full score and without a penalty",
        low=0.0,
        high=1.0,
        live=True,
        formerly=("prior.size_rate", "motion.size_rate"),
    )
    filtered: bool = setting(True, "what is answered is filtered by itself; false: it has the search region's size")

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class PresenceConfig:
    """Shares are of the target's usual score."""

    WITHDRAWN: ClassVar = {
        "search_growth": "what is away is looked for in the whole image, see search.again and search.looks",
        "alone_share": "presence.near_share is needed, whatever else is in the picture",
        "jump_share": "of a target in sight .7 is needed elsewhere, or presence.far_share if that is less",
        "least_share": "what is elsewhere after presence.coast_frames must be found again, see search.again",
        "far_frames": "what is elsewhere after presence.coast_frames must be found again, see search.again",
        "least_trust": "after a jump the score falls by up to half of presence.far_share",
        "trust_frames": "after a jump a score is trusted again in two seconds",
    }

    least_score: float = setting(
        0.0, "needed everywhere, whatever is usual", low=0.0, high=1.0, formerly=("motion.follow_score",)
    )
    near_share: float = setting(
        0.2, "needed where the target is expected, .7 once it waits", low=0.0, high=2.0, live=True
    )
    far_share: float = setting(
        0.9,
        "needed elsewhere once it is not seen, and to be found again; a score after a jump falls by up to half of it",
        low=0.0,
        high=2.0,
        live=True,
    )
    distractor_share: float = setting(
        0.95,
        "needed on a known distractor; 0 = none are known",
        low=0.0,
        high=2.0,
        live=True,
        formerly=("presence.rival_share",),
    )
    coast_frames: int = setting(
        10,
        "nominal frames, 30 a second, that a target is expected to move on for; then it must be found again; 0 = none",
        low=0,
        live=True,
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class FollowingConfig:
    """Everything of the following stage; the defaults are those of `stmtrack_lite`."""

    search: SearchConfig = section(SearchConfig)
    prior: PriorConfig = section(PriorConfig)
    size: SizeConfig = section(SizeConfig)
    presence: PresenceConfig = section(PresenceConfig)

    def __post_init__(self) -> None:
        validate(self)

    @property
    def rules(self: ConfigT) -> ConfigT:
        """What is in force: this configuration, or what one of its settings makes of the others."""
        return self


STILL = SearchConfig(camera_motion=False, again="off")
"""The search region stays where the last box was."""
FOLLOW_BEST = PresenceConfig(near_share=0.0, far_share=0.0, distractor_share=0.0, coast_frames=0)
"""The best candidate is the target, always: as trackers are published."""
