"""The settings of the following stage, those that had other names, and the defaults that the papers have of them."""

from __future__ import annotations

import argparse

import pytest
from renamed_settings import renamed, withdrawn

from stm_tracker_ros.cli.options import add_tracker_options, load_tracker
from stm_tracker_ros.core.config import settings, with_changes
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.trackers import registry

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("tracker", registry.names())
def test_every_renamed_setting_names_its_successor(tracker: str) -> None:
    config = registry.load(tracker).default_config
    known = {setting.name for setting in settings(config)}
    for old, new in renamed(tracker).items():
        assert new in known
        assert old not in known
        with pytest.raises(ConfigError) as refusal:
            with_changes(config, {old: 1})
        assert str(refusal.value) == f"setting {old!r} is now called {new!r}"


@pytest.mark.parametrize("tracker", registry.names())
def test_every_withdrawn_setting_names_what_does_its_work(tracker: str) -> None:
    for name in withdrawn(tracker):
        with pytest.raises(ConfigError, match=rf"^setting '{name}' is gone: \w+"):
            with_changes(registry.load(tracker).default_config, {name: 0.5})


@pytest.mark.torch
@pytest.mark.parametrize("tracker", registry.names())
def test_the_command_line_names_the_successor_too(tracker: str) -> None:
    """Before any weights are looked for."""
    parser = argparse.ArgumentParser()
    add_tracker_options(parser)
    for old, new in renamed(tracker).items():
        args = parser.parse_args(["--tracker", tracker, "--threads", "1", "--set", f"{old}=1"])
        with pytest.raises(ConfigError) as refusal:
            load_tracker(args)
        assert str(refusal.value) == f"setting {old!r} is now called {new!r}"


@pytest.mark.parametrize("tracker", registry.names())
@pytest.mark.parametrize("name", ["search.scale", "size.rate", "presence.near_share", "prior.window"])
def test_every_tracker_has_the_stages_settings_and_they_are_checked(tracker: str, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name.split('.')[-1]} is -1.* at least"):
        with_changes(registry.load(tracker).default_config, {name: -1.0})


@pytest.mark.parametrize(
    ("tracker", "compat"),
    [
        ("stmtrack", ""),
        ("dmb", ""),
        ("dmv", ""),
        ("dmb_lite", "paper"),
        ("siamstm", "paper"),
        ("siamstm_lite", "paper"),
    ],
)
def test_the_papers_follow_the_best_and_search_where_it_was(tracker: str, compat: str) -> None:
    config = with_changes(registry.load(tracker).default_config, {"compat": compat} if compat else {}).rules
    assert (config.search.camera_motion, config.search.again) == (False, "off")
    presence = config.presence
    assert (presence.near_share, presence.far_share, presence.distractor_share, presence.coast_frames) == (0, 0, 0, 0)
