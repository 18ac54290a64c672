from __future__ import annotations

from pathlib import Path

import made_data_sets
import numpy as np
import pytest

from stm_tracker_ros.core.boxes import centers
from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.data.sequence import VALIDATION
from stm_tracker_ros.data.synthetic import OCCLUSION_SEEDS, SCENES, Cover, frame_count, occlusion_sequences

pytestmark = pytest.mark.pure
DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "train_video").is_dir(), reason=f"no synthetic occlusions without {DATA}")


def test_scenes_are_never_trained_on():
    assert set(SCENES) <= set(VALIDATION)
    assert len(OCCLUSION_SEEDS) == 10


def test_without_data_it_says_so(tmp_path):
    with pytest.raises(DataError, match="holds no sequences"):
        next(occlusion_sequences(tmp_path))


def test_a_sequence_that_cannot_be_read_costs_only_the_seeds_that_it_is_in(tmp_path):
    made_data_sets.development(tmp_path)
    (tmp_path / "train_video" / SCENES[3] / "groundtruth.txt").write_text("one,two\n")
    assert frame_count(tmp_path, 3) == 0
    assert frame_count(tmp_path, 4) > 100
    with pytest.raises(DataError, match=f"{SCENES[3]}/groundtruth.txt cannot be read"):
        next(occlusion_sequences(tmp_path, [3]))


@needs_data
def test_every_seed_keeps_its_promises():
    for made in occlusion_sequences(DATA):
        full, free = made.full, made.cover == Cover.FREE
        assert 15 <= len(full) <= 45
        assert free[:30].all()
        assert free[-30:].all()
        assert len(made.images) == len(made.boxes) == len(made.cover)
        size = np.sqrt(made.boxes[full.start - 1, 2:].prod())
        center = centers(made.boxes)
        assert np.linalg.norm(center[full.stop] - center[full.start - 1]) <= size


@needs_data
def test_the_target_is_hidden_and_the_rest_of_the_scene_is_not():
    made = next(occlusion_sequences(DATA, [4]))
    again = next(occlusion_sequences(DATA, [4]))
    middle = made.full[len(made.full) // 2]
    assert all(np.array_equal(a, b) for a, b in zip(made.images, again.images, strict=True))
    x, y, width, height = made.boxes[middle].astype(int)
    hidden, seen = made.images[middle], made.images[0]
    inside = np.s_[y : y + height, x : x + width]
    assert np.abs(hidden[inside].astype(int) - seen[inside]).mean() > 10
    assert hidden.shape == seen.shape
