"""To the device: pictures, without waiting where it allows that, and boxes."""

from __future__ import annotations

import torch
from torch import Tensor

from stm_tracker_ros.core.types import Box, Pixels


class Upload:
    """Carries crops of one size to the device; on CUDA through pinned memory, so that the copy runs by itself."""

    def __init__(self, size: int, device: torch.device) -> None:
        self._device = device
        self._pinned: Tensor | None = None
        if device.type == "cuda":
            self._pinned = torch.empty((size, size, 3), dtype=torch.uint8, pin_memory=True)
            self._copied = torch.cuda.Event()

    def __call__(self, patch: Pixels) -> Tensor:
        """Crop, size x size x 3 BGR -> the same on the device, 1 x 3 x size x size in channels-last memory."""
        picture = torch.from_numpy(patch)
        if self._pinned is not None:
            self._copied.synchronize()  # the last crop has left the pinned memory
            self._pinned.copy_(picture)
            picture = self._pinned.to(self._device, non_blocking=True)
            self._copied.record(torch.cuda.current_stream(self._device))
        return picture.permute(2, 0, 1)[None]


def corners_of(box: Box, device: torch.device) -> Tensor:
    """A box -> its corners, 1 x 4: left, top, right, bottom in fp32."""
    x, y, width, height = box
    return torch.tensor([[x, y, x + width, y + height]], dtype=torch.float32, device=device)
