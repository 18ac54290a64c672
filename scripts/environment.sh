# Sourced by the scripts: what another ROS environment left in this shell must not reach the Python of .venv.
# A sourced ROS puts its rclpy and its libraries before ours; the ROS wheels of another .venv leave their guard.
if [[ -n ${ROS_DISTRO:-} || -n ${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-} ]]; then
  unset AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH RMW_IMPLEMENTATION ROS_DISTRO
fi
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE
