"""One ROS domain and one operator's node for the whole run; a node under test for each module or test that asks."""

import itertools
import os
from pathlib import Path

import pytest

FAKE_NODE = str(Path(__file__).with_name("node_process.py"))
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def ros_environment():
    from stm_tracker_ros.demo import transport

    os.environ["ROS_DOMAIN_ID"] = str(transport.free_domain())
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    # Humble always checks the types of fields; later ROS only when asked to.
    return dict(os.environ, PYTHONUNBUFFERED="1", ROS_PYTHON_CHECK_FIELDS="1")


@pytest.fixture(scope="session")
def graph(ros_environment):
    from operator_side import Graph

    graph = Graph()
    yield graph
    graph.close()


@pytest.fixture
def start_node(graph, ros_environment, tmp_path):
    """Starts nodes under test, each in a namespace of its own; they end with the test, in order."""
    yield from _starter(graph, ros_environment, tmp_path)


@pytest.fixture(scope="module")
def start_shared_node(graph, ros_environment, tmp_path_factory):
    """The same for the tests of a module together."""
    yield from _starter(graph, ros_environment, tmp_path_factory.mktemp("nodes"))


def _starter(graph, ros_environment, folder):
    from operator_side import NodeUnderTest

    nodes = []

    def start(environment=None, program=None, **parameters):
        namespace = f"/test_{next(_numbers)}"
        variables = {**ros_environment, **(environment or {})}
        log = folder / f"{namespace[1:]}.txt"
        nodes.append(NodeUnderTest(graph, variables, namespace, log, parameters, program or [FAKE_NODE]))
        return nodes[-1]

    yield start
    for node in nodes:
        node.ask_to_end()
    for node in nodes:
        node.end()


@pytest.fixture(scope="module")
def node(start_shared_node):
    """One node for all tests of a file."""
    node = start_shared_node()
    node.wait_ready()
    return node
