from __future__ import annotations

import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.evaluation.run_settings import claim

pytestmark = pytest.mark.pure


def test_the_same_settings_go_on_and_others_are_refused_by_name(tmp_path):
    settings = {"tracker": "a", "threads": 1, "settings": {"memory.history": "6"}}
    claim(tmp_path, settings)
    claim(tmp_path, dict(settings))
    with pytest.raises(DataError, match="threads: 1 there, 2 now"):
        claim(tmp_path, {**settings, "threads": 2})
