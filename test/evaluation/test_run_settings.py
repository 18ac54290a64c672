from __future__ import annotations

import pytest

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.evaluation.run_settings import claim, refuse_others

pytestmark = pytest.mark.pure


def test_the_same_settings_go_on_and_others_are_refused_by_name(tmp_path):
    settings = {"tracker": "a", "threads": 1, "settings": {"memory.history": "6"}}
    claim(tmp_path, settings)
    claim(tmp_path, dict(settings))
    with pytest.raises(DataError, match="threads: 1 there, 2 now"):
        claim(tmp_path, {**settings, "threads": 2})


def test_of_some_settings_only_these_are_compared_and_nothing_is_noted(tmp_path):
    refuse_others(tmp_path, {"threads": 2})
    assert list(tmp_path.iterdir()) == []
    claim(tmp_path, {"tracker": "a", "threads": 1})
    refuse_others(tmp_path, {"threads": 1})
    with pytest.raises(DataError, match=r"other settings \(threads: 1 there, 2 now\)"):
        refuse_others(tmp_path, {"threads": 2})
    with pytest.raises(DataError, match=r"other settings \(tracker: 'a' there, None now\)"):
        claim(tmp_path, {"threads": 1})
