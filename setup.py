from glob import glob

from setuptools import find_packages, setup
from setuptools.command.develop import develop
from setuptools.command.egg_info import egg_info

NAME = "stm_tracker_ros"
COMMANDS_OF_PIP = {"bdist_wheel", "dist_info", "editable_wheel", "sdist"}


class EggInfo(egg_info):
    """Notes the requirements of pyproject.toml for pip, and none for colcon, which installs an egg.

    The executables of an egg look their requirements up by the names that pip has for them, and end where one is
    missing: what apt calls python3-opencv and a Jetson's own torch are not found by these names. rosdep reads
    package.xml instead. setuptools 59 (Ubuntu 22.04) reads no requirements from pyproject.toml, 61 and later do.
    """

    def run(self):
        if not COMMANDS_OF_PIP.intersection(self.distribution.commands):
            for holder in (self.distribution, self.distribution.metadata):
                holder.install_requires, holder.extras_require = [], {}
        super().run()


class Develop(develop):
    """What `colcon build --symlink-install` runs: it does not know setup.cfg's `executable`, and would write the Python
    that builds into the scripts.
    """

    def write_script(self, script_name, contents, *mode):
        head, line, rest = contents.partition("\n")
        head = "#!/usr/bin/env python3" if head.startswith("#!") else head
        super().write_script(script_name, head + line + rest, *mode)


setup(
    name=NAME,
    version="0.2.0",
    description="Follows one target, named at run time, through a camera stream with memory-network trackers.",
    maintainer="stm_tracker_ros maintainers",
    maintainer_email="maintainers@stm-tracker-ros.example.org",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed", "demo/*.xml", "sample/*", "weights/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", sorted(glob("launch/*.launch.py"))),
        (f"share/{NAME}/config", [*sorted(glob("config/*.*")), f"{NAME}/demo/shared_memory.xml"]),
    ],
    zip_safe=False,
    cmdclass={"develop": Develop, "egg_info": EggInfo},
    entry_points={
        "console_scripts": [
            "stm_tracker = stm_tracker_ros.cli.main:main",
            "tracker_node = stm_tracker_ros.ros.node:main",
            "demo_camera = stm_tracker_ros.ros.node:demo_camera",
            "demo_client = stm_tracker_ros.ros.node:demo_client",
        ]
    },
)
