from __future__ import annotations

import inspect

import pytest

from stm_tracker_ros.core import errors

pytestmark = pytest.mark.pure

OURS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_one_except_catches_all_that_we_refuse(kind):
    assert issubclass(kind, errors.StmTrackerError)
    assert str(kind("width is 0; allowed is at least 1")) == "width is 0; allowed is at least 1"


def test_wrong_values_are_value_errors_and_wrong_moments_runtime_errors():
    assert issubclass(errors.ConfigError, ValueError)
    assert issubclass(errors.NotInitialisedError, RuntimeError)
    assert not issubclass(errors.DeviceError, ValueError)
