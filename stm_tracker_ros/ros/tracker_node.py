"""The lifecycle node: parameters, transitions, timers, and the wiring between image source, engine and outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from time import perf_counter_ns
from types import TracebackType
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.utilities import get_rmw_implementation_identifier
from std_msgs.msg import Header

from stm_tracker_msgs.msg import TrackerStatus
from stm_tracker_ros.core.errors import ConfigError, StmTrackerError
from stm_tracker_ros.engine.engine import Engine
from stm_tracker_ros.engine.halts import AT_ONCE_MS, AT_WORK
from stm_tracker_ros.engine.target_state import State
from stm_tracker_ros.ros import console, convert, diagnostics, heap, qos, requirements, shrink, status
from stm_tracker_ros.ros.guard import Guard, guard_services
from stm_tracker_ros.ros.image_source import ImageSource
from stm_tracker_ros.ros.logs import NodeLogHandler
from stm_tracker_ros.ros.messages import ImageMessage, to_ns
from stm_tracker_ros.ros.outputs import Outputs
from stm_tracker_ros.ros.params import AllConfig, Parameters
from stm_tracker_ros.ros.periodic import Periodic
from stm_tracker_ros.ros.status import NodeReport, Troubles
from stm_tracker_ros.ros.target_services import TargetServices
from stm_tracker_ros.trackers import registry

_GRAPH_CHECK_S, _DIAGNOSTICS_S = 0.5, 1.0
# For an image in work: longer than slow trackers take, short of what keeps services waiting.
_COME_BACK_S = 2.0


class TrackerNode(LifecycleNode):
    """Follows one target through the images of `image`.

    load_tracker: name -> entry of the registry of trackers. Other arguments are those of rclpy's nodes.
    Raises ConfigError for parameters that are unknown or not allowed.
    """

    def __init__(self, *, load_tracker: Callable[[str], Any] = registry.load, **node_arguments: Any) -> None:
        super().__init__("stm_tracker", **node_arguments)
        self.guard = Guard(self.get_logger())
        self._log_handler = NodeLogHandler(self.get_logger())
        self._log_handler.attach()
        self._declared = Parameters(self, lambda name: load_tracker(name).default_config, self._reconfigure)
        config = self._declared.config.node
        self._entry = load_tracker(config.tracker.name)
        self._engine: Engine[ImageMessage] | None = None
        self._idle: State | None = State.UNCONFIGURED
        self._trouble = ""
        self._fault = ""
        self._since_ns = 0
        self._namesake = ""
        self._frame_id = ""
        self._facts: dict[str, str] = {}
        self._outputs = Outputs(self, has_mask=self._entry.has_mask)
        self._source = ImageSource(self, self._take, self._change_source, config)
        self._console = console.InputConsole(self._info, self._warn)
        self._target_services = TargetServices(
            self, lambda: None if self._idle is not None else self._engine, lambda: self._frame_id
        )
        guard_services(self, self.guard, self._declared.unknown)
        # Ordinary publishers, not lifecycle ones: an inactive node must be able to say that it is inactive.
        self._status = self.create_publisher(TrackerStatus, "~/status", qos.output())
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", qos.output())
        # Steady: with simulated time and nobody to publish /clock the node must go on looking.
        self.create_timer(_GRAPH_CHECK_S, self._look_at_graph, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._fault_guard = self.create_guard_condition(self._handle_fault)
        self._start_guard = self.create_guard_condition(self._start)
        self._beats = (
            Periodic("heartbeat", 1 / config.status_rate_hz, self._publish_status, self.guard.note),
            Periodic("diagnostics", _DIAGNOSTICS_S, self._publish_diagnostics, self.guard.note),
        )
        if config.autostart:
            self._start_guard.trigger()

    def close(self) -> None:
        """Stop receiving and end all threads of the node; call it before the node is destroyed."""
        self._source.close()
        if self._engine is not None:
            self._engine.stop()
        for beat in self._beats:
            beat.close()
        self._log_handler.detach()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the tracker. What is missing is logged with its fix, and stays in status and diagnostics."""
        if not self._has_come_back("configured"):
            return TransitionCallbackReturn.FAILURE
        self._idle, self._trouble = State.INITIALISING, f"loading {self._entry.name}"
        with _Logged(self, "configure"):
            try:
                self._engine = self._make_engine(self._declared.config)
            except StmTrackerError as error:
                self.report_trouble(f"cannot be configured: {error}")
                self._idle = State.UNCONFIGURED
                return TransitionCallbackReturn.FAILURE
        heap.give_back()
        self._idle, self._trouble = State.INACTIVE, ""
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the engine and receive images; without target, but for one that it kept after a fault."""
        if not self._has_come_back("activated"):
            return TransitionCallbackReturn.FAILURE
        with _Logged(self, "activate"):
            self._running().start()
            self._source.open()
        self._since_ns = self._clock_ns()
        self._idle, self._trouble = None, ""
        self._info(console.ready(self._source.report().topic, self._facts, self.get_fully_qualified_name()))
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Receive no more, end the engine's thread; while the tracker hangs it holds all the same, and says so."""
        self._idle, self._trouble = State.INITIALISING, "deactivating: the image in work comes to its end"
        with _Logged(self, "deactivate"):
            self._stop()
        self._idle, self._trouble = State.INACTIVE, ""
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the tracker back, which is not possible while it hangs."""
        if not self._has_come_back("cleaned up"):
            return TransitionCallbackReturn.FAILURE
        self._forget()
        heap.give_back()
        self._trouble = ""
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Whatever runs is stopped."""
        with _Logged(self, "shut down"):
            self._stop()
        self._forget()
        self._trouble = "shut down by its lifecycle, for good: start the process again"
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured; the trouble stays in status and diagnostics."""
        self._stop()
        self._forget()
        return TransitionCallbackReturn.SUCCESS

    def _stop(self) -> None:
        self._source.close()
        if self._engine is not None:
            self._engine.stop(AT_ONCE_MS / 1e3)

    def _has_come_back(self, to_be: str) -> bool:
        """Whether no tracker is at work any more; waits for it a little, and reports what cannot be done else."""
        if self._engine is None or self._engine.stop(_COME_BACK_S):
            return True
        again = f"is still at work on an image after {_COME_BACK_S:g} s more; try again, or start the process again"
        self.report_trouble(f"cannot be {to_be}: the tracker {again}")
        return False

    def _forget(self) -> None:
        """The engine is kept while its tracker hangs: `close` has to wait for it."""
        self._idle, self._facts = State.UNCONFIGURED, {}
        if self._engine is not None and not self._engine.is_at_work:
            self._engine = None

    def report_trouble(self, text: str) -> None:
        """Log it, then keep it in status and diagnostics until a transition succeeds: what is seen there is logged."""
        self.get_logger().error(text)
        self._trouble = text

    def _info(self, text: str) -> None:
        self.get_logger().info(text)

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text)

    def _make_engine(self, config: AllConfig) -> Engine[ImageMessage]:
        missing = requirements.missing_libraries()
        if missing:
            raise ConfigError(missing)
        registry.set_threads(config.node.threads)
        device = registry.device_name(config.node.device)
        weights = Path(config.node.tracker.weights) if config.node.tracker.weights else self._entry.shipped_weights
        precision = self._entry.precision_on(device, config.node.precision)
        tracker = self._entry.from_checkpoint(weights, device=device, precision=precision, config=config.tracker)
        self._facts = {
            "tracker": self._entry.name,
            "device": device,
            "precision": precision,
            "threads": str(config.node.threads),
            "weights": str(weights),
            "weights sha256": _sha256(weights),
            "rmw": get_rmw_implementation_identifier(),
        }
        return Engine(
            tracker,
            convert=convert.Converter().view,
            publish=self._outputs.publish,
            show=self._outputs.show,
            on_fault=self._note_fault,
            config=config.engine,
            clock_ns=self._now_ns,
            is_device_error=_is_device_error,
            same_picture=convert.same_picture,
            shrink=shrink.halved,
        )

    def _running(self) -> Engine[ImageMessage]:
        assert self._engine is not None  # the lifecycle's order: configured before activated
        return self._engine

    def _start(self) -> None:
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _take(self, message: ImageMessage, sequence: int | None) -> None:
        self._frame_id = message.header.frame_id
        stamp_ns, size = to_ns(message.header.stamp), len(message.data)
        self._running().offer(message, stamp_ns=stamp_ns, arrival_ns=self._now_ns(), nbytes=size, sequence=sequence)

    def _change_source(self) -> None:
        self._running().change_source()

    def _reconfigure(self, config: AllConfig) -> None:
        if self._engine is not None:
            self._engine.reconfigure(config.engine, config.tracker).add_done_callback(self._note_failure)

    def _note_failure(self, future: Future[State]) -> None:
        error = future.exception()
        if isinstance(error, Exception):
            self.guard.note("live settings", error)

    def _note_fault(self, reason: str) -> None:
        """Called in the engine's thread, which cannot join itself: the executor's thread does the rest."""
        self._fault = reason
        self._fault_guard.trigger()

    def _handle_fault(self) -> None:
        if self._idle is None and self._running().snapshot().state is State.FAULT:
            self.trigger_deactivate()
        if self._idle is State.INACTIVE and self._running().snapshot().message:
            self._idle = State.FAULT
            self.report_trouble(f"deactivated: {self._fault}")

    def _clock_ns(self) -> int:
        """The node's clock; 0 while simulated time has not begun."""
        return int(self.get_clock().now().nanoseconds)

    def _now_ns(self) -> int:
        """The node's clock; the steady one while simulated time has not begun, for time must pass."""
        return self._clock_ns() or perf_counter_ns()

    def _look_at_graph(self) -> None:
        self._source.check()
        if self._idle is None:
            received = self._running().snapshot().received
            self._console.look(self._source.report(), received, perf_counter_ns() / 1e9)
        own = self.get_name(), self.get_namespace()
        is_alone = self.get_node_names_and_namespaces().count(own) <= 1
        if is_alone:
            self._namesake = ""
        elif not self._namesake:
            self._namesake = (
                f"another node is called {self.get_fully_qualified_name()} too: their topics and services are mixed "
                "up; give one of them another name (-r __node:=NAME) or namespace"
            )
            self.get_logger().error(self._namesake)

    def _report(self) -> NodeReport:
        engine, idle = self._engine, self._idle
        snapshot = None if engine is None else engine.snapshot()
        hangs = AT_WORK if engine is not None and engine.is_at_work else ""
        texts = tuple(text for text in (self._trouble, hangs, self._clock_trouble(), self._namesake) if text)
        self._since_ns = self._since_ns or (self._clock_ns() if idle is None else 0)
        own = Troubles(texts=texts, since_ns=self._since_ns, errors=self.guard.errors, last_error=self.guard.last_error)
        return NodeReport.of(idle, own, snapshot, self._source.report())

    def _clock_trouble(self) -> str:
        if self.get_parameter("use_sim_time").value and not self._clock_ns():
            return "use_sim_time is true, but nothing publishes /clock: play the bag with --clock, or set it to false"
        return ""

    def _header(self) -> Header:
        return Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)

    def _publish_status(self) -> None:
        self._status.publish(status.heartbeat(self._report(), self._header()))

    def _publish_diagnostics(self) -> None:
        name, hardware_id = self.get_fully_qualified_name(), self._facts.get("device", "none")
        self._diagnostics.publish(diagnostics.array(self._header(), name, hardware_id, self._report(), self._facts))


class _Logged:
    """Logs what leaves a transition callback: rclpy swallows it."""

    def __init__(self, node: TrackerNode, transition: str) -> None:
        self._node, self._transition = node, transition

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None and kind is not None:
            self._node.report_trouble(f"cannot {self._transition}: {kind.__name__}: {error}; the node is unconfigured")


def _is_device_error(error: Exception) -> bool:
    """Out of memory and the like; recognised by name, for no torch is imported here."""
    return any(base.__name__ in ("OutOfMemoryError", "AcceleratorError") for base in type(error).__mro__)


def _sha256(weights: Path | None) -> str:
    if weights is None or not weights.is_file():
        return ""
    return hashlib.sha256(weights.read_bytes()).hexdigest()
