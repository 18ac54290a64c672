"""Prove that the environment serves: everything imports, torch and numpy understand each other, no OpenCV 5."""

from __future__ import annotations

import cv2
import numpy as np
import rclpy
import torch
from vision_msgs.msg import Detection2DArray

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_msgs.srv import SetTarget


def main() -> None:
    """Raise what is wrong; else print the versions in one line."""
    assert int(torch.from_numpy(np.arange(3)).sum()) == 3
    assert int(cv2.__version__.split(".")[0]) < 5, f"OpenCV {cv2.__version__}; the bench wants one below 5"
    assert (TrackerStatus.STATE_LOST, SetTarget.Response.CODE_OK, Detection2DArray().detections) == (5, 0, [])
    print(f"torch {torch.__version__}, numpy {np.__version__}, OpenCV {cv2.__version__}, {rclpy.__name__} imports")


if __name__ == "__main__":
    main()
