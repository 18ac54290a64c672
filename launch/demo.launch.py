"""The packaged sample as a camera, the tracker node, and a client that names the target; ends with the video.

    ros2 launch stm_tracker_ros demo.launch.py rviz:=true

`stm_tracker demo` shows the same without launch, and measures it.
"""

from launch.actions import DeclareLaunchArgument, EmitEvent, IncludeLaunchDescription, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription
from stm_tracker_ros.demo import sample, transport
from stm_tracker_ros.trackers import registry

PACKAGE = "stm_tracker_ros"
SAMPLE = sample.packaged()
IMAGE = "/camera/image_raw"
PASSED_ON = ("tracker", "weights", "device", "precision", "respawn", "log_level", "rviz")
ARGUMENTS = (
    DeclareLaunchArgument("video", default_value=str(SAMPLE.video), description="Video file or folder of images."),
    DeclareLaunchArgument(
        "box",
        default_value=str([float(number) for number in SAMPLE.first_box]),
        description="Target in the first frame of the video: [x, y, width, height] in pixels.",
    ),
    DeclareLaunchArgument("fps", default_value="30.0", description="Rate of the camera in Hz."),
    DeclareLaunchArgument(
        "loop", default_value="false", choices=["true", "false"], description="Play again and again, until Ctrl-C."
    ),
    DeclareLaunchArgument(
        "tracker",
        default_value="",
        description=f"Which tracker: {registry.described()}; empty = {registry.names()[0]}.",
    ),
    DeclareLaunchArgument("weights", default_value="", description="Weights file; empty = those that came with it."),
    DeclareLaunchArgument("device", default_value="", description="auto, cpu or cuda:N; empty = auto."),
    DeclareLaunchArgument("precision", default_value="", description="auto, fp32, bf16 or fp16; empty = auto."),
    DeclareLaunchArgument(
        "respawn",
        default_value="false",
        choices=["true", "false"],
        description="Start the node again when its process has ended.",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="What the node logs.",
    ),
    DeclareLaunchArgument(
        "rviz",
        default_value="false",
        choices=["true", "false"],
        description="Start rviz2 with the overlay image and the markers.",
    ),
)


def generate_launch_description() -> LaunchDescription:
    viewer = client()
    end = OnProcessExit(target_action=viewer, on_exit=[EmitEvent(event=Shutdown(reason="the video has ended"))])
    return LaunchDescription([*ARGUMENTS, camera(), tracker(), viewer, RegisterEventHandler(end)])


def camera() -> Node:
    # Stock shared memory holds no image; only the sender's segment has to be larger.
    chosen = transport.choose()
    played = {name: LaunchConfiguration(name) for name in ("fps", "loop")}
    variables = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")  # the second up to Jazzy
    profile = {} if chosen.for_all else dict.fromkeys(variables, str(chosen.profile))
    return Node(
        package=PACKAGE,
        executable="demo_camera",
        name="camera",
        parameters=[{"video": ParameterValue(LaunchConfiguration("video"), value_type=str)}, played],
        remappings=[("image", IMAGE)],
        additional_env=profile,
        output="screen",
    )


def tracker() -> IncludeLaunchDescription:
    file = PathJoinSubstitution([FindPackageShare(PACKAGE), "launch", "tracker.launch.py"])
    passed_on = {name: LaunchConfiguration(name) for name in PASSED_ON}
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(file), launch_arguments={"image": IMAGE, **passed_on}.items()
    )


def client() -> Node:
    # As YAML, launch and rcl would refuse whole numbers among others.
    parameters = [{"box": ParameterValue(LaunchConfiguration("box"), value_type=str)}]
    return Node(package=PACKAGE, executable="demo_client", name="client", parameters=parameters, output="screen")
