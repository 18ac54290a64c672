from glob import glob

from setuptools import find_packages, setup

NAME = "stm_tracker_ros"

setup(
    name=NAME,
    version="0.2.0",
    description="Follows one target, named at run time, through a camera stream with memory-network trackers.",
    maintainer="stm_tracker_ros maintainers",
    maintainer_email="maintainers@stm-tracker-ros.example.org",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["demo/*.xml", "sample/*", "weights/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", sorted(glob("launch/*.launch.py"))),
        (f"share/{NAME}/config", sorted(glob("config/*.yaml") + glob("config/*.rviz"))),
    ],
    # ROS brings numpy and OpenCV from apt, and pip's copies beside them break its cv_bridge: pip brings them only when
    # asked to, with `pip install '.[all]'`.
    install_requires=["setuptools"],
    extras_require={
        "all": [
            "av>=12",
            "matplotlib>=3.5",
            "numpy>=1.21",
            "opencv-python-headless>=4.5",
            "safetensors>=0.4",
            "torch>=2.2",
            "tqdm>=4.60",
        ]
    },
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "stm_tracker = stm_tracker_ros.cli.main:main",
            "tracker_node = stm_tracker_ros.ros.node:main",
            "demo_camera = stm_tracker_ros.ros.demo_camera:main",
            "demo_client = stm_tracker_ros.ros.demo_client:main",
        ]
    },
)
