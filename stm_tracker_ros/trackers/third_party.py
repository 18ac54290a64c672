"""Third-party weights: files that others published, read without running anything that stands in them."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stm_tracker_ros.core.errors import CheckpointError

DAMAGED = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
)
PLAIN_NUMBERS = ("float64", "float32", "int64", "int32", "bool")
PARALLEL_PREFIX = "module."
ZIP_MARK = b"PK\x03\x04"
OLD_MARK = pickle.dumps(torch.serialization.MAGIC_NUMBER, 2)[2:]  # behind the pickle's protocol, which may be another
MARKED_BYTES = 32


def read_pickle(path: Path) -> Any:
    """Content of a file of `torch.save`: tensors, containers and plain values, numpy's numbers among them.

    Raises CheckpointError if the file is missing, damaged, or names anything else to be called.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist or is no file; give the published weights")
    is_torchs = True
    try:
        with path.open("rb") as file:
            start = file.read(MARKED_BYTES)
        is_torchs = start.startswith(ZIP_MARK) or OLD_MARK in start
        with _numpy_numbers(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # advice to programmers, as to report it to torch
            return torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED as error:  # what torch raises for a damaged file depends on where the damage is
        reason = _reason(error, is_torchs)
        raise CheckpointError(f"{path} {reason}; allowed is a whole file of tensors and plain values") from None


def state_of(content: Any, keys: tuple[str, ...] = ()) -> Mapping[str, Any] | None:
    """The mapping under the first of `keys` that is there, or `content` itself without keys; None if there is none.

    Where every name starts with `module.`, as of a network saved inside DataParallel, that is taken off.
    """
    found = next((content[key] for key in keys if key in content), None) if isinstance(content, Mapping) else None
    state = found if keys else content
    if not isinstance(state, Mapping):
        return None
    if state and all(isinstance(name, str) and name.startswith(PARALLEL_PREFIX) for name in state):
        return {name[len(PARALLEL_PREFIX) :]: value for name, value in state.items()}
    return state


def floats(name: str, value: Any) -> Tensor:
    """That tensor in float32 (counts stay whole). Raises CheckpointError if it is none or not finite."""
    if not isinstance(value, Tensor):
        raise CheckpointError(f"{name!r} is a {type(value).__name__}; allowed are tensors")
    if name.endswith("num_batches_tracked"):
        return value.long()
    if not value.is_floating_point():
        raise CheckpointError(f"{name!r} is of {value.dtype}; allowed are floating point numbers")
    value = value.float()
    if value.device.type != "meta" and not bool(value.isfinite().all()):
        raise CheckpointError(f"{name!r} holds numbers that are not finite; allowed are finite ones")
    return value


def _numpy_numbers() -> AbstractContextManager[Any]:
    """Lets numpy's numbers through, such as a learning rate: they are made of bytes and a type, nothing runs.

    Before torch 2.6 they are refused by name, as all that is not torch's own.
    """
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        return nullcontext()
    make = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")  # as numpy 1 and 2 write it
    kinds = [type(np.dtype(kind)) for kind in PLAIN_NUMBERS]
    allowed: list[Any] = [*((make, name) for name in names), np.dtype, *kinds]
    return torch.serialization.safe_globals(allowed)


def _reason(error: Exception, is_torchs: bool) -> str:
    """What is wrong with a file; is_torchs: it begins as a file of `torch.save`."""
    called = re.search(r"GLOBAL (\S+)", str(error))
    if called:
        return f"would call {called.group(1)}, which is not done"
    if not is_torchs:
        return "cannot be read (it is no checkpoint of PyTorch)"
    # Of what torch says only the reason: the rest advises to read the file without `weights_only`.
    *_, words = str(error).split("WeightsUnpickler error:")
    words = words.split(" In PyTorch 2.6")[0].split(" Re-running")[0].strip()
    return f"cannot be read ({words.splitlines()[0] if words else type(error).__name__})"
