"""From a message to an answer, one frame after the other, in a thread of its own; neither torch nor ROS."""
