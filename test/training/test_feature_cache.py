"""Samples of a cache that are made anew beside the training."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from stm_tracker_ros.core.errors import TrainingError  # noqa: E402
from stm_tracker_ros.training import feature_cache  # noqa: E402
from stm_tracker_ros.training.config import LoopConfig  # noqa: E402

CONFIG = LoopConfig(workers=1)
PATIENCE_S = 60.0


def numbered(seed: int) -> feature_cache.Draw:
    """Samples that tell where they come from: the seed, and how many were drawn before."""
    numbers = count()
    return lambda: {"seed": np.array([seed]), "number": np.array([next(numbers)])}


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Chosen:
    """In place of a random generator: the shard, and the sample in it."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = iter(numbers)

    def integers(self, _: int) -> int:
        return next(self._numbers)


def seeds(folder: Path) -> list[int]:
    return [int(np.load(path)["seed"][0, 0]) for path in sorted(folder.glob("features_*.npy"))]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "SHARD", 3)


def test_the_oldest_shard_is_replaced_first_and_no_sample_comes_twice(tmp_path: Path) -> None:
    folder, allowed = tmp_path / "features", multiprocessing.get_context("fork").Semaphore(9)

    def allowing(seed: int) -> feature_cache.Draw:
        draw = numbered(seed)

        def allowed_one() -> Mapping[str, np.ndarray]:
            allowed.acquire()
            return draw()

        return allowed_one

    feature_cache.build(folder, 9, 1, 1, numbered)
    (folder / "features_0000.npy").unlink()
    feature_cache.build(folder, 9, 1, 1, numbered)  # that is the newest now
    for _ in range(9):
        allowed.acquire()
    with feature_cache.made(tmp_path, 9, True, CONFIG, allowing) as cache:
        assert cache is not None
        for number, wanted in ((1, [1, None, 3]), (2, [1, None, None]), (0, [None, None, None])):
            for _ in range(3):
                allowed.release()
            wait_for(lambda number=number: seeds(folder)[number] == seeds(folder)[1] > 3)  # type: ignore[misc]
            assert [seed if seed <= 3 else None for seed in seeds(folder)] == wanted
        seen = np.array([cache.draw(np.random.default_rng(n))["number"][0] for n in range(200)])
        assert sorted(set(seen)) == list(range(9))
        for _ in range(3):
            allowed.release()
        wait_for(lambda: int(np.load(cache.paths[1])["number"].min()) == 9)
        assert cache.draw(Chosen(1, 2))["number"] == 11  # what was replaced is not drawn again
    assert multiprocessing.active_children() == []
    with feature_cache.made(tmp_path, 9, False, CONFIG, numbered) as still:
        assert still is not None
        assert multiprocessing.active_children() == []
        assert still.draw(Chosen(0, 0))["number"] == 6


def test_a_training_without_new_samples_does_not_go_on(tmp_path: Path) -> None:
    with feature_cache.made(tmp_path, 3, True, CONFIG, numbered) as cache:
        assert cache is not None
        cache.draw(np.random.default_rng(0))
        (renewing,) = multiprocessing.active_children()
        assert renewing.pid is not None
        os.kill(renewing.pid, signal.SIGKILL)
        renewing.join(PATIENCE_S)
        with pytest.raises(TrainingError, match=r"features are no longer renewed.*exit code -9"):
            cache.draw(np.random.default_rng(0))


def test_what_renews_them_ends_with_the_training_however_that_ends(tmp_path: Path) -> None:
    """A parent that was killed ends nothing itself; a process then has another one."""
    with feature_cache.made(tmp_path, 3, False, CONFIG, numbered):
        pass
    before = seeds(tmp_path / "features")
    orphan = multiprocessing.get_context("fork").Process(target=feature_cache._renew, args=(tmp_path / "features", -1))
    orphan.start()
    orphan.join(PATIENCE_S)
    assert orphan.exitcode == 0
    assert seeds(tmp_path / "features") == before


def test_without_samples_there_is_no_cache(tmp_path: Path) -> None:
    with feature_cache.made(tmp_path, 0, True, CONFIG, numbered) as cache:
        assert cache is None
    assert not list(tmp_path.iterdir())
