"""Names of devices: what is there is given, what is not is refused with the way out."""

from __future__ import annotations

import pytest
import torch

from stm_tracker_ros.core.errors import DeviceError
from stm_tracker_ros.parts.device import resolve

pytestmark = pytest.mark.torch


def with_devices(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_the_cpu_is_always_there() -> None:
    assert resolve("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("count", "expected"), [(0, "cpu"), (2, "cuda:0")])
def test_auto_takes_the_first_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch, count: int, expected: str) -> None:
    with_devices(monkeypatch, count)
    assert resolve("auto") == torch.device(expected)


def test_a_gpu_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    with_devices(monkeypatch, 2)
    assert resolve("cuda:1") == torch.device("cuda:1")
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    assert resolve("cuda") == torch.device("cuda:1")


@pytest.mark.parametrize("count", [0, 1])
def test_an_absent_gpu_is_refused_with_what_there_is(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    with_devices(monkeypatch, count)
    with pytest.raises(DeviceError, match="cuda:1.*(no CUDA device|1 CUDA device).*try auto or cpu"):
        resolve("cuda:1")


def test_cuda_without_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_devices(monkeypatch, 0)
    with pytest.raises(DeviceError, match="'cuda' is not there: torch .* finds no CUDA device"):
        resolve("cuda")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(DeviceError, match="allowed are auto, cpu, cuda and cuda:N"):
        resolve(name)
