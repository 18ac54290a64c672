import os
import sys
import threading

import pytest

from stm_tracker_ros.core.errors import StmTrackerError
from stm_tracker_ros.demo.processes import Child, end_all, wait_for

pytestmark = pytest.mark.pure


@pytest.fixture
def start(tmp_path):
    """Starts a child that runs the given source; ends it after the test."""
    children = []

    def begin(name, source, show=lambda line: None):
        (tmp_path / f"{name}.py").write_text(source)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": "1"}
        children.append(Child(name, name, [], environment, show))
        return children[-1]

    yield begin
    end_all(children)


WAITS = "import signal; signal.pause()"
STUBBORN = (
    "import signal, sys\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('ready')\n"
    "while True: signal.pause()\n"
)


def test_every_line_is_shown_with_the_name_of_its_process(start):
    lines = []
    child = start("talker", "import sys; print('one'); print('two', file=sys.stderr)", lines.append)
    wait_for(child, ())
    child.end()
    assert sorted(lines) == ["[talker] one", "[talker] two"]


def test_a_process_that_fails_is_reported_with_its_last_lines(start):
    child = start("broken", "print('all is well'); raise SystemExit('no weights')")
    with pytest.raises(StmTrackerError, match=r"(?s)broken process ended with exit code 1.*all is well.*no weights"):
        wait_for(child, ())


def test_another_process_that_dies_ends_the_wait(start):
    waiting = start("client", WAITS)
    killed = start("camera", "import os, signal; print('last'); os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(StmTrackerError, match=r"(?s)camera process ended with signal SIGKILL.*last"):
        wait_for(waiting, (killed,))


def test_another_process_that_ends_well_does_not(start):
    done = start("camera", "print('played')")
    assert done.wait(30)
    wait_for(start("client", "print('heard')"), (done,))


def test_a_process_that_does_not_listen_is_ended_anyway(start, monkeypatch):
    monkeypatch.setattr("stm_tracker_ros.demo.processes.GRACE_S", 0.2)
    ready = threading.Event()
    child = start("stubborn", STUBBORN, lambda _: ready.set())
    assert ready.wait(30)
    child.end()
    assert child.return_code == -9


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm is Linux's")
def test_shared_memory_of_killed_processes_is_removed_and_that_of_others_is_not(start, tmp_path):
    ours, other = f"/dev/shm/fastrtps_test_{os.getpid()}", f"/dev/shm/fastrtps_other_{os.getpid()}"
    ready = threading.Event()
    source = (
        "import mmap, os, signal\n"
        f"file = open({ours!r}, 'w+b')\n"
        "file.truncate(4096)\n"
        "mapped = mmap.mmap(file.fileno(), 4096)\n"
        "print('mapped')\n"
        "signal.pause()\n"
    )
    with open(other, "wb"):
        child = start("camera", source, lambda _: ready.set())
        assert ready.wait(30)
        end_all([child])
    assert not os.path.exists(ours)
    assert os.path.exists(other)
    os.unlink(other)
