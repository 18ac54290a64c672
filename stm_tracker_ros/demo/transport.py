"""How the demo's processes talk: a free ROS domain, this machine only, memory large enough for raw images.

With Fast DDS's stock settings an image is larger than the shared-memory segment (512 KiB) and travels through small
socket buffers: one in five arrives. The segment belongs to the sender, so the camera alone gets a large one.
"""

from __future__ import annotations

import random
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stm_tracker_ros.core.errors import StmTrackerError

MEBIBYTE = 1 << 20
# As in shared_memory.xml.
SEGMENT_BYTES = 32 * MEBIBYTE
# The segments of node and client and the ports take some MiB beside the camera's.
NEEDED_SHM_BYTES = SEGMENT_BYTES + 16 * MEBIBYTE
SHARED_MEMORY = Path(__file__).with_name("shared_memory.xml")
LOOPBACK = Path(__file__).with_name("loopback.xml")
SHM_FOLDER = Path("/dev/shm")
# Domains whose ports lie below the range that Linux hands out to clients.
DOMAINS = range(1, 102)
PORTS_PER_DOMAIN = 250
FIRST_PORT = 7400


@dataclass(frozen=True, kw_only=True)
class Transport:
    """What was chosen.

    name: for people. profile: file of settings for Fast DDS. for_all: every process takes it, not the camera alone.
    discovery_range: value of ROS_AUTOMATIC_DISCOVERY_RANGE. why: why it is the second choice; empty = it is not.
    """

    name: str
    profile: Path
    for_all: bool
    discovery_range: str
    why: str = ""


def choose(shm_folder: Path = SHM_FOLDER, needed_bytes: int = NEEDED_SHM_BYTES) -> Transport:
    """Shared memory where there is room for it, else UDP over the loopback interface."""
    free = shutil.disk_usage(shm_folder).free if shm_folder.is_dir() else 0
    if free >= needed_bytes:
        name = f"shared memory, {SEGMENT_BYTES // MEBIBYTE} MiB segment at the camera"
        return Transport(name=name, profile=SHARED_MEMORY, for_all=False, discovery_range="LOCALHOST")
    # Under LOCALHOST the middleware adds its own transports to any profile; here the profile names 127.0.0.1 alone.
    return Transport(
        name="UDP over 127.0.0.1",
        profile=LOOPBACK,
        for_all=True,
        discovery_range="SYSTEM_DEFAULT",
        why=f"{shm_folder} has {free // MEBIBYTE} MiB free; shared memory needs {needed_bytes // MEBIBYTE}",
    )


def environment(
    base: Mapping[str, str], domain_id: int, discovery_range: str, profile_file: Path | None
) -> dict[str, str]:
    """`base` with what a child needs before it imports rclpy; settings that lead elsewhere are taken out."""
    elsewhere = ("ROS_STATIC_PEERS", "ROS_DISCOVERY_SERVER", "ROS_LOCALHOST_ONLY", "ROS_SUPER_CLIENT")
    result = {name: value for name, value in base.items() if name not in elsewhere}
    result["ROS_DOMAIN_ID"] = str(domain_id)
    result["ROS_AUTOMATIC_DISCOVERY_RANGE"] = discovery_range
    # Humble knows only this name; later ones warn of it.
    if base.get("ROS_DISTRO") == "humble" and discovery_range == "LOCALHOST":
        result["ROS_LOCALHOST_ONLY"] = "1"
    # glibc gives every image back to the kernel and fetches it again, page by page; these two keep it.
    result["MALLOC_MMAP_THRESHOLD_"] = str(256 * MEBIBYTE)
    result["MALLOC_TRIM_THRESHOLD_"] = str(512 * MEBIBYTE)
    result["PYTHONUNBUFFERED"] = "1"
    result["RCUTILS_CONSOLE_OUTPUT_FORMAT"] = "{severity}: {message}"
    if profile_file is not None:
        # The second is its name from Fast DDS 3 on.
        result["FASTRTPS_DEFAULT_PROFILES_FILE"] = result["FASTDDS_DEFAULT_PROFILES_FILE"] = str(profile_file)
    return result


def free_domain() -> int:
    """A ROS domain id whose discovery ports nobody on this machine has bound. Raises StmTrackerError if all are."""
    for domain_id in random.sample(DOMAINS, len(DOMAINS)):
        if _is_free(domain_id):
            return domain_id
    raise StmTrackerError(f"every ROS domain from {DOMAINS[0]} to {DOMAINS[-1]} is in use on this machine")


def _is_free(domain_id: int) -> bool:
    base = FIRST_PORT + PORTS_PER_DOMAIN * domain_id
    # Multicast discovery, and discovery and data of the first two participants.
    ports = [base + offset for offset in (0, 10, 11, 12, 13)]
    try:
        with _bound(ports):
            return True
    except OSError:
        return False


@contextmanager
def _bound(ports: list[int]) -> Iterator[None]:
    with ExitStack() as stack:
        for port in ports:
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind(("", port))
        yield
