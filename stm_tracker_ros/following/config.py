"""What the following stage can be set to; every tracker's configuration has these settings beside its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from stm_tracker_ros.core.config import section, setting, validate

ConfigT = TypeVar("ConfigT", bound="FollowingConfig")


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Where the target is looked for."""

    camera_motion: bool = setting(True, "the search region moves as the picture does", formerly=("camera_motion",))
    largest: float = setting(
        2.0,
        "side of the search region at most, over the usual one, while the target is not seen",
        low=1.0,
        high=8.0,
        live=True,
        formerly=("presence.search_growth",),
    )
    growth: float = setting(
        0.0,
        "growth of the search region with each nominal frame, over the usual one, after which it begins anew; "
        "0 = it grows once, from the end of coasting on",
        low=0.0,
        high=1.0,
    )
    glance_score: float = setting(
        1.0, "what scores above this and is not trusted is looked at closely next; 1 = nothing is", low=0.0, high=1.0
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """How much the last answer counts against the network's scores."""

    window: float = setting(0.35, "weight of the Hann window about the last place", low=0.0, high=1.0, live=True)
    penalty: float = setting(0.15, "strength of the penalty on changes of size", low=0.0, high=2.0, live=True)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class SizeConfig:
    """How the size of the target follows what is seen."""

    rate: float = setting(
        0.25,
        "share of a new size that the search region takes over at full score",
        low=0.0,
        high=1.0,
        live=True,
        formerly=("prior.size_rate", "motion.size_rate"),
    )
    by_score: bool = setting(True, "that share falls with score and penalty")
    largest_change: float = setting(
        1000.0,
        "each side of the search region grows or shrinks at most by this in a frame",
        low=1.0,
        formerly=("motion.largest_change",),
    )
    filtered: bool = setting(True, "what is answered is filtered by itself; false: it has the search region's size")
    smallest_side: float = setting(
        2.0,
        "no side of a box gets smaller, pixels",
        low=1.0,
        high=100.0,
        formerly=("prior.smallest_side", "motion.smallest_side"),
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class PresenceConfig:
    """Shares are of the target's usual score; frames are nominal ones, 30 a second."""

    least_score: float = setting(
        0.0, "needed everywhere, whatever is usual", low=0.0, high=1.0, formerly=("motion.follow_score",)
    )
    near_share: float = setting(0.45, "needed at the expected place", low=0.0, high=2.0, live=True)
    alone_share: float = setting(
        0.2, "needed there where nothing else in the picture scores more", low=0.0, high=2.0, live=True
    )
    jump_share: float = setting(0.6, "needed elsewhere", low=0.0, high=2.0, live=True)
    far_share: float = setting(
        0.9, "needed elsewhere after a frame without the target; less later", low=0.0, high=2.0, live=True
    )
    far_frames: float = setting(60.0, "frames without the target in which that falls to nothing", low=1.0, live=True)
    least_share: float = setting(0.25, "never less than this is needed then", low=0.0, high=2.0, live=True)
    distractor_share: float = setting(
        0.95,
        "needed on a known distractor; 0 = none are known",
        low=0.0,
        high=2.0,
        live=True,
        formerly=("presence.rival_share",),
    )
    coast_frames: int = setting(
        10, "frames that the target is expected to move on for; 0 = it is expected where it was", low=0, live=True
    )
    least_trust: float = setting(0.5, "factor of the score after a jump; 1 = none", low=0.0, high=1.0, live=True)
    trust_frames: float = setting(45.0, "frames from no trust to all of it", low=1.0, live=True)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, kw_only=True)
class FollowingConfig:
    """Everything of the following stage; the defaults are those of `stmtrack_lite`."""

    area_factor: float = setting(3.5, "side of the search region over the size of the target", low=1.5, high=8.0)
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


STILL = SearchConfig(camera_motion=False, largest=1.0)
"""The search region stays where the last box was."""
CREDULOUS = PresenceConfig(
    near_share=0.0,
    alone_share=0.0,
    jump_share=0.0,
    far_share=0.0,
    least_share=0.0,
    distractor_share=0.0,
    coast_frames=0,
    least_trust=1.0,
)
"""The best candidate is the target, always: as trackers are published."""
