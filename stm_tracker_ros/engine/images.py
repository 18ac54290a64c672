"""Messages to images, and what is wrong with those that are none; told as soon as one comes, target or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, Union

import numpy as np

from stm_tracker_ros.core.errors import FrameError
from stm_tracker_ros.core.types import ImageView, Pixels
from stm_tracker_ros.engine.enlarged import EnlargedView
from stm_tracker_ros.engine.history import Offered

MessageT = TypeVar("MessageT")
# While no target needs the pixels, so often are they looked at all the same: a header may be good where they are not.
LOOK_EVERY_NS = 1_000_000_000


class Images(Generic[MessageT]):
    """The images of one stream, in its order. One thread at a time; others read `size` and `trouble` only.

    convert: message and the steady time of its arrival -> image; raises for one that cannot be used, at once or when
        its pixels are asked for.
    """

    def __init__(self, convert: Callable[[MessageT, int], Union[Pixels, ImageView]]) -> None:
        self._convert = convert
        self._looked_ns: int | None = None
        self.size = 0, 0
        """Width and height of the last image that could be used."""
        self.trouble = ""
        """Why the last image cannot be used; empty if it can."""

    def restart(self) -> None:
        """Know nothing of what came before."""
        self._looked_ns, self.trouble = None, ""

    def next(self, offered: Offered[MessageT], *, tracked: bool) -> Pixels | ImageView | None:
        """The image of the next message; None, and its trouble, for one that cannot be used.

        tracked: whether its pixels will be needed; they are looked at then, while there is trouble, and now and then.
        """
        try:
            image = self._convert(offered.message, offered.received_ns)
            if tracked or self.trouble or self._is_due(offered.received_ns):
                _look(image)
                self._looked_ns = offered.received_ns
        except Exception as error:  # noqa: BLE001  a bad image is not a dead thread
            self.trouble = str(error) if isinstance(error, FrameError) else f"{type(error).__name__}: {error}"
            return None
        self.size, self.trouble = (int(image.shape[1]), int(image.shape[0])), ""
        return image

    def whole(self, offered: Offered[MessageT]) -> Pixels | ImageView:
        """The image of a message that may be an older one, in its own size, though a smaller version may be all that
        is kept. Raises what `convert` and a look at its pixels raise.
        """
        image = self._convert(offered.message, offered.received_ns)
        _look(image)
        return image if offered.full_size is None else EnlargedView(image, *offered.full_size)

    def _is_due(self, now_ns: int) -> bool:
        return self._looked_ns is None or now_ns - self._looked_ns >= LOOK_EVERY_NS


def _look(image: Pixels | ImageView) -> None:
    """Ask for a pixel: what is decoded when somebody looks fails here, and not in the tracker as its error."""
    if not isinstance(image, np.ndarray):
        image.region(0, 0, 1, 1)
