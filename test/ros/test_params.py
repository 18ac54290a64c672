import runpy
from pathlib import Path

import fake_tracker
import pytest
import rclpy
from rclpy.parameter import Parameter
from renamed_settings import renamed

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.ros.params import AllConfig, Parameters
from stm_tracker_ros.trackers import registry

pytestmark = pytest.mark.ros


@pytest.fixture
def declare(graph):
    """Declares the parameters of a node in this process that was given these from outside."""
    nodes = []

    def declare(on_change=lambda config: None, **overrides):
        given = {"tracker.name": "brightest"} | {name.replace("__", "."): value for name, value in overrides.items()}
        node = rclpy.create_node("declares", parameter_overrides=[Parameter(n, value=v) for n, v in given.items()])
        nodes.append(node)
        return node, Parameters(node, lambda name: fake_tracker.load(name).default_config, on_change)

    yield declare
    for node in nodes:
        node.destroy_node()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"max_age": 100}, ["unknown parameter 'max_age'", "did you mean 'max_age_ms'"]),
        ({"tracker.memory.histroy": 3}, ["'tracker.memory.histroy'", "'tracker.memory.history'"]),
        ({"tracker.memory.slots": 3}, ["'tracker.memory.slots' is now called 'tracker.memory.history'"]),
        ({"tracker.memory.history": 1000}, ["1000", "at most 100"]),
        ({"tracker": "brightest"}, ["unknown parameter 'tracker'"]),
        ({"qos": "best"}, ["'best'", "auto, reliable, best_effort"]),
        ({"device": "gpu"}, ["'gpu'", "auto, cpu, cuda or cuda:N"]),
        ({"threads": 1.5}, ["threads", "1.5", "int"]),
        ({"autostart": 1}, ["autostart", "bool"]),
        ({"state.lost_score": 0.9}, ["lost_score 0.9"]),
        ({"tracker.name": "brigthest"}, ["unknown tracker 'brigthest'", "'brightest'"]),
    ],
)
def test_what_is_not_allowed_is_refused_with_the_reason(declare, overrides, words):
    with pytest.raises(ConfigError) as refusal:
        declare(**overrides)
    for word in words:
        assert word in str(refusal.value)


def test_parameters_that_rclpy_declares_itself_are_no_business_of_ours(declare):
    _, parameters = declare(use_sim_time=True)
    assert parameters.config.node.qos == "auto"


def test_qos_overrides_are_refused_by_name(declare):
    name = "qos_overrides./image.subscription.depth"
    with pytest.raises(ConfigError, match=rf"{name}.* is not allowed; .*the parameters qos and qos_depth"):
        declare(**{name: 3})


def test_overrides_reach_their_part_of_the_configuration(declare):
    node, parameters = declare(threads=2, max_age_ms=150, state__lost_score=0.1, tracker__memory__history=20)
    config = parameters.config
    assert (config.node.threads, config.engine.max_age_ms, config.engine.state.lost_score) == (2, 150.0, 0.1)
    assert (config.node.tracker.name, config.tracker.memory.history) == ("brightest", 20)
    assert node.get_parameter("max_age_ms").value == 150.0
    assert node.get_parameter("tracker.memory.history").value == 20


def test_off_may_be_written_without_quotes(declare):
    """YAML reads it as false."""
    node, parameters = declare(tracker__search__again=False)
    assert parameters.config.tracker.search.again == node.get_parameter("tracker.search.again").value == "off"
    for value, mode in (("confirm", "confirm"), (False, "off"), ("auto", "auto")):
        assert node.set_parameters([Parameter("tracker.search.again", value=value)])[0].successful
        assert parameters.config.tracker.search.again == mode
    refused = node.set_parameters([Parameter("tracker.search.again", value=True)])[0]
    assert "again" in refused.reason
    assert not node.set_parameters([Parameter("qos", value=False)])[0].successful


def test_every_setting_is_a_parameter_with_its_description(declare):
    node, parameters = declare()
    for name, setting in parameters.config.settings().items():
        described = node.describe_parameter(name)
        assert node.get_parameter(name).value == setting.value
        assert described.description == setting.rule.doc
        assert described.read_only is not setting.rule.live


def test_a_live_change_is_told_once_and_a_refused_one_never(declare):
    changes = []
    node, _ = declare(changes.append)
    good = node.set_parameters([Parameter("state.lost_score", value=0.1), Parameter("max_age_ms", value=50)])
    assert [result.successful for result in good] == [True, True]
    assert [(c.engine.state.lost_score, c.engine.max_age_ms) for c in changes] == [(0.1, 0.0), (0.1, 50.0)]
    refused = node.set_parameters([Parameter("state.lost_score", value=3.0), Parameter("threads", value=2)])
    assert [result.successful for result in refused] == [False, False]
    assert "read-only" in refused[1].reason
    text = node.set_parameters([Parameter("state.lost_score", value="much")])[0]
    assert not text.successful
    assert "allowed is a number" in text.reason
    assert len(changes) == 2


@pytest.mark.parametrize("tracker", registry.names())
def test_every_renamed_parameter_names_its_successor(graph, tracker):
    for old, new in renamed(tracker).items():
        given = {"tracker.name": tracker, f"tracker.{old}": 1.0}
        node = rclpy.create_node("declares", parameter_overrides=[Parameter(n, value=v) for n, v in given.items()])
        try:
            with pytest.raises(ConfigError) as refusal:
                Parameters(node, lambda name: registry.load(name).default_config, lambda changed: None)
        finally:
            node.destroy_node()
        assert str(refusal.value) == f"parameter 'tracker.{old}' is now called 'tracker.{new}'"


@pytest.mark.parametrize("file", sorted(Path(__file__).parents[2].glob("config/*.yaml")), ids=lambda path: path.stem)
def test_the_packaged_files_are_allowed_whatever_the_node_is_called(graph, file):
    arguments = ["--ros-args", "-r", "__ns:=/drone", "--params-file", str(file)]
    node = rclpy.create_node("renamed", cli_args=arguments)
    try:
        config = Parameters(node, lambda name: registry.load(name).default_config, lambda changed: None).config
        assert config != AllConfig(tracker=registry.load(config.node.tracker.name).default_config)
    finally:
        node.destroy_node()


def test_parameters_of_others_can_be_changed(declare):
    node, _ = declare()
    assert node.set_parameters([Parameter("use_sim_time", value=False)])[0].successful


def test_the_list_of_parameters_is_what_is_defined():
    root = Path(__file__).parents[2]
    written = runpy.run_path(str(root / "scripts" / "list_parameters.py"))["document"]()
    assert (root / "docs" / "PARAMETERS.md").read_text(encoding="utf-8") == written, "run scripts/list_parameters.py"
