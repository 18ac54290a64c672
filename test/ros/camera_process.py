"""A camera in a process of its own: a bright square at 30 Hz until it is killed. Argument: the topic."""

import itertools
import sys
import time

import rclpy
from operator_side import picture
from sensor_msgs.msg import Image

from stm_tracker_ros.ros import convert, qos

if __name__ == "__main__":
    rclpy.init()
    node = rclpy.create_node("camera")
    publisher = node.create_publisher(Image, sys.argv[1], qos.output())
    for number in itertools.count():
        image = picture()
        image[0, 0] = number % 200  # a camera's noise: the same bytes for long are a camera that hangs
        message = convert.fill_image(Image(), image, "bgr8")
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        time.sleep(1 / 30)
