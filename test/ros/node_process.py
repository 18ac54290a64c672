"""The product's node with the fake trackers, in a process of its own; arguments are ROS's."""

import sys

import fake_tracker

from stm_tracker_ros.ros.runner import run
from stm_tracker_ros.ros.tracker_node import TrackerNode

if __name__ == "__main__":
    sys.exit(run(sys.argv, lambda: TrackerNode(load_tracker=fake_tracker.load)))
