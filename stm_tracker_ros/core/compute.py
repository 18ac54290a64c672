"""What a tracker's network runs on, as the user names it; `parts/` turns the names into what is there."""

from __future__ import annotations

from dataclasses import dataclass

from stm_tracker_ros.core.errors import ConfigError

PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Device and precision by name.

    device: auto, cpu or cuda:N. precision: of convolutions and matrix products; auto takes the fastest one that the
    tracker has been measured to lose nothing by and that the device can do. plain: run the modules one by one as they
    are written, in fp32: slow, there to be compared with. Raises ConfigError for an unknown precision.
    """

    device: str = "cpu"
    precision: str = "auto"
    plain: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision is {self.precision!r}; allowed are {', '.join(PRECISIONS)}")
        if self.plain and self.precision not in ("auto", "fp32"):
            raise ConfigError(f"precision is {self.precision!r}; allowed for the plain network is fp32")
