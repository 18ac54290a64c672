"""The demonstration: camera, node and client as three processes, and what came of it. Imports no rclpy itself."""
