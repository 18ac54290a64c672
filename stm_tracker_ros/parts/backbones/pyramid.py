"""What backbones with maps at several strides have in common: how a crop passes them, whole or up to some block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn


class Pyramid(nn.Module):
    """A first layer, then blocks in a row; at the end of some of them a map is taken.

    channels: stride of each map that is given, the finest first -> its channels; stem: the first convolution.
    """

    stem: nn.Conv2d

    def __init__(self, strides: tuple[int, ...], channels: Mapping[int, int], ends: Mapping[int, int]) -> None:
        """ends: stride -> number of blocks up to the last one of that stride."""
        super().__init__()
        self.channels = {stride: channels[stride] for stride in strides}
        self._ends = tuple(ends[stride] for stride in strides)

    def in_order(self) -> Sequence[nn.Module]:
        """All blocks, the first one first."""
        raise NotImplementedError

    def first(self, image: Tensor) -> Tensor:
        """Everything before the blocks."""
        raise NotImplementedError

    @property
    def last_blocks(self) -> int:
        """How many there are behind the end of the finer maps."""
        return len(self.in_order()) - max((0, *self._ends[:-1]))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Normalised images B x 3 x H x W, multiples of the coarsest stride -> a map for each of `channels`."""
        return self.through(self.first(image))

    def up_to(self, image: Tensor, blocks: int) -> tuple[Tensor, ...]:
        """The same up to a number of blocks, for training with these frozen; all but `last_blocks` at least."""
        return self.through(self.first(image), blocks)

    def through(self, x: Tensor, blocks: int | None = None) -> tuple[Tensor, ...]:
        """What `first` gave -> the maps, up to that many blocks (all)."""
        maps, done, row = [], 0, self.in_order()[:blocks]
        for end in self._ends:
            for block in row[done:end]:
                x = block(x)
            maps.append(x)
            done = end
        return tuple(maps)
