"""Tensors out of a TorchScript archive, which is a program: its code is left alone, its numbers are read.

The archive is a zip file. `data.pkl` in it describes the tree of modules as a pickle; the bytes of each tensor lie in
`data/N`. The pickle may name classes of the program, torch's tensors and lists only; none of them is ever made.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from stm_tracker_ros.core.errors import CheckpointError
from stm_tracker_ros.trackers.third_party import DAMAGED

STORAGES = {"FloatStorage": torch.float32, "HalfStorage": torch.float16, "DoubleStorage": torch.float64}
STORAGES |= {"LongStorage": torch.int64, "IntStorage": torch.int32}
LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")


def is_torchscript(path: Path) -> bool:
    """Whether the file is a zip archive with a program in it."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def tensors(path: Path) -> dict[str, Tensor]:
    """All tensors by the dotted name of the attribute that holds them. Raises CheckpointError for a damaged file."""
    try:
        with zipfile.ZipFile(path) as archive:
            pickled = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            root = _Reader(archive, pickled).load()
    except (*DAMAGED, StopIteration) as error:
        raise CheckpointError(f"{path} cannot be read as TorchScript ({error}); allowed is a whole archive") from None
    return dict(_walk(root, ""))


class _Storage(NamedTuple):
    dtype: torch.dtype
    content: bytes


class _Module(dict[str, Any]):
    """Attributes of one module of the program."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.update(state)


class _Reader(pickle.Unpickler):
    """Gives plain things for the few names that such a pickle needs, and refuses all others."""

    def __init__(self, archive: zipfile.ZipFile, pickled: str) -> None:
        super().__init__(archive.open(pickled))
        self._archive, self._folder = archive, pickled.rsplit("/", 1)[0]

    def find_class(self, module: str, name: str) -> Any:
        """What stands for the name."""
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("collections", "OrderedDict"): OrderedDict,
        }
        if module == "__torch__" or module.startswith("__torch__."):
            return _Module
        if module == "torch.jit._pickle" and name in LISTS:
            return list
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it would call {module}.{name}, which is not done")
        return known[module, name]

    def persistent_load(self, reference: Any) -> _Storage:
        """The bytes of one tensor."""
        _, dtype, key, *_ = reference
        return _Storage(dtype, self._archive.read(f"{self._folder}/data/{key}"))


def _tensor(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    flat = torch.frombuffer(bytearray(storage.content), dtype=storage.dtype)
    if offset < 0 or min(stride, default=0) < 0:
        raise ValueError("a tensor lies outside its bytes")
    return torch.as_strided(flat, size, stride, offset).clone()


def _walk(module: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, value in module.items() if isinstance(module, _Module) else ():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        else:
            yield from _walk(value, f"{prefix}{name}.")
