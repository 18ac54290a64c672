"""The tracker node, brought to `active` by this launch file; with `rviz:=true` its picture beside it.

ros2 launch stm_tracker_ros tracker.launch.py image:=/camera/image_raw rviz:=true
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.conditions import IfCondition
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

from launch import LaunchContext, LaunchDescription
from stm_tracker_ros.trackers import registry

PACKAGE = "stm_tracker_ros"
RESPAWN_DELAY_S = 2.0
# Parameter of the node -> launch argument that sets it where it is not empty.
OPTIONAL = {
    "tracker.name": "tracker",
    "tracker.weights": "weights",
    "device": "device",
    "precision": "precision",
    "image_transport": "image_transport",
}
ARGUMENTS = (
    DeclareLaunchArgument("name", default_value="stm_tracker", description="Name of the node, and of its topics."),
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node, such as /drone_1."),
    DeclareLaunchArgument(
        "tracker",
        default_value="",
        description=f"Which tracker: {registry.described()}; empty = {registry.names()[0]}.",
    ),
    DeclareLaunchArgument("weights", default_value="", description="Weights file; empty = those that came with it."),
    DeclareLaunchArgument(
        "params_file",
        default_value="",
        description="YAML file of parameters, top key /**, or the name of one in this package's config; arguments win.",
    ),
    DeclareLaunchArgument(
        "image", default_value="image", description="Topic of the images; its compressed ones are on TOPIC/compressed."
    ),
    DeclareLaunchArgument(
        "image_transport", default_value="", description="auto, raw or compressed; empty = auto: what is published."
    ),
    DeclareLaunchArgument("device", default_value="", description="auto, cpu or cuda:N; empty = auto."),
    DeclareLaunchArgument("precision", default_value="", description="auto, fp32, bf16 or fp16; empty = auto."),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="",
        choices=["", "true", "false"],
        description="Take the time from /clock; empty = as the file, or the launch file around this one, says.",
    ),
    DeclareLaunchArgument(
        "autostart",
        default_value="true",
        choices=["true", "false"],
        description="Configure and activate the node; false leaves it unconfigured for `ros2 lifecycle set`.",
    ),
    DeclareLaunchArgument(
        "respawn",
        default_value="false",
        choices=["true", "false"],
        description="Start the node again when its process has ended; it then starts itself, if autostart is true.",
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
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list:
    """The node, its transitions, and rviz; which parameters they get is known only when the arguments are."""
    respawns = LaunchConfiguration("respawn").perform(context) == "true"
    node = LifecycleNode(
        package=PACKAGE,
        executable="tracker_node",
        name=LaunchConfiguration("name"),
        namespace=LaunchConfiguration("namespace"),
        parameters=parameters(context, respawns),
        remappings=[("image", LaunchConfiguration("image"))],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
        respawn=respawns,
        respawn_delay=RESPAWN_DELAY_S,
    )
    # A second process would wait in vain for transitions that were sent to the first one.
    nodes = [node] if respawns else [activate_when_configured(node), node, configure(node)]
    return [*nodes, rviz(context)]


def parameters(context: LaunchContext, respawns: bool) -> list:
    """The file first: what stands behind it wins, unless under the node's own name. Empty arguments leave the file and
    the node's defaults alone, so that autostart, which is never empty, is the argument's alone.
    """
    argument = {name: LaunchConfiguration(name).perform(context) for name in ("params_file", *OPTIONAL.values())}
    given = {
        parameter: ParameterValue(argument[name], value_type=str)
        for parameter, name in OPTIONAL.items()
        if argument[name]
    }
    autostart = LaunchConfiguration("autostart") if respawns else False
    own = {"autostart": autostart, **given}
    file = [parameter_file(context, argument["params_file"])] if argument["params_file"] else []
    return [*file, own, *sim_time(context)]


def parameter_file(context: LaunchContext, given: str) -> str:
    """Of a missing file launch would only log that it is none, and start the node with its defaults."""
    packaged = Path(FindPackageShare(PACKAGE).perform(context)) / "config"
    for file in (Path(given).expanduser(), packaged / given):
        if file.is_file():
            return str(file)
    known = ", ".join(sorted(file.name for file in packaged.glob("*.yaml")))
    raise FileNotFoundError(f"params_file is {given!r}, which is no file; allowed is a YAML file, or one of {known}")


def sim_time(context: LaunchContext) -> list:
    given = LaunchConfiguration("use_sim_time").perform(context)
    return [{"use_sim_time": given == "true"}] if given else []


def configure(node: LifecycleNode) -> EmitEvent:
    change = ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=Transition.TRANSITION_CONFIGURE)
    return EmitEvent(event=change, condition=IfCondition(LaunchConfiguration("autostart")))


def activate_when_configured(node: LifecycleNode) -> RegisterEventHandler:
    change = ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=Transition.TRANSITION_ACTIVATE)
    # Without start_state it would also undo an operator's deactivate, which ends in `inactive` as well.
    handler = OnStateTransition(
        target_lifecycle_node=node,
        start_state="configuring",
        goal_state="inactive",
        entities=[EmitEvent(event=change)],
    )
    return RegisterEventHandler(handler, condition=IfCondition(LaunchConfiguration("autostart")))


def rviz(context: LaunchContext) -> Node:
    """The topics of tracker.rviz are those of the default name; they are remapped to this node's, which a launch file
    around this one may have put into a namespace.
    """
    name, namespace = (LaunchConfiguration(one).perform(context) for one in ("name", "namespace"))
    private = f"{namespace.rstrip('/')}/{name}" if namespace else name
    return Node(
        package="rviz2",
        executable="rviz2",
        name="tracker_rviz",
        arguments=["-d", PathJoinSubstitution([FindPackageShare(PACKAGE), "config", "tracker.rviz"])],
        parameters=sim_time(context),
        remappings=[(f"/stm_tracker/{topic}", f"{private}/{topic}") for topic in ("overlay", "markers")],
        condition=IfCondition(LaunchConfiguration("rviz")),
        output="log",
    )
