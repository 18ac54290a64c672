"""The product's node with the fake trackers, in a process of its own; arguments are ROS's.

In the environment, HIDE_MODULE names a module that this interpreter then seems to lack, and WITH_TORCH=1 asks the real
torch for threads and devices.
"""

import importlib.util
import os
import sys

import fake_tracker

from stm_tracker_ros.ros.runner import run
from stm_tracker_ros.ros.tracker_node import TrackerNode
from stm_tracker_ros.trackers import registry

if __name__ == "__main__":
    if "WITH_TORCH" not in os.environ:  # importing it takes longer than the rest of the node together
        registry.set_threads = lambda count: print(f"threads: {count}")
        registry.device_name = lambda name: "cpu" if name == "auto" else name
    find_spec = importlib.util.find_spec
    importlib.util.find_spec = lambda name: None if name == os.environ.get("HIDE_MODULE") else find_spec(name)
    sys.exit(run(sys.argv, lambda: TrackerNode(load_tracker=fake_tracker.load)))
