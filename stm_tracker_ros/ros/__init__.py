"""The ROS 2 surface; the only room that imports rclpy."""
