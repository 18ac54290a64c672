"""Which room may import what (ARCHITECTURE.md): read from the source, and seen in a fresh interpreter."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

PACKAGE = "stm_tracker_ros"
ROOT = Path(__file__).parents[1] / PACKAGE
TORCH = ("torch", "torchvision", "safetensors")
ROS = (
    *("rclpy", "rcl_interfaces", "builtin_interfaces", "stm_tracker_msgs", "vision_msgs", "sensor_msgs", "std_msgs"),
    *("std_srvs", "diagnostic_msgs", "geometry_msgs", "lifecycle_msgs", "visualization_msgs"),
)
ROOMS = ("cli", "data", "demo", "engine", "evaluation", "following", "parts", "ros", "trackers", "training")

# Room -> what no file below it may import.
FORBIDDEN = {
    "core": (*TORCH, *ROS, "cv2", *(f"{PACKAGE}.{room}" for room in ROOMS)),
    "engine": (*TORCH, *ROS, *(f"{PACKAGE}.{room}" for room in ROOMS if room != "engine")),
    "parts": (*ROS, *(f"{PACKAGE}.{room}" for room in ROOMS if room != "parts")),
    "following": (*TORCH, *ROS, *(f"{PACKAGE}.{room}" for room in ROOMS if room not in ("following", "parts"))),
    "trackers": (*ROS, *(f"{PACKAGE}.{room}" for room in ROOMS if room not in ("following", "parts", "trackers"))),
    "data": (*ROS, *(f"{PACKAGE}.{room}" for room in ("cli", "demo", "evaluation", "ros", "training"))),
    "training": (*ROS, *(f"{PACKAGE}.{room}" for room in ("cli", "demo", "evaluation", "ros"))),
    "evaluation": (*ROS, *(f"{PACKAGE}.{room}" for room in ("cli", "demo", "ros", "training"))),
    "ros": (*TORCH, *(f"{PACKAGE}.{room}" for room in ("cli", "demo", "evaluation", "parts", "training"))),
    "demo": (*TORCH, *ROS, *(f"{PACKAGE}.{room}" for room in ROOMS if room not in ("data", "demo", "ros"))),
}
# In these neither torch nor ROS is loaded: the demo's parent process starts ROS, and has none itself.
LIGHT = (
    "",
    ".core.protocol",
    ".engine.engine",
    ".following.follower",
    ".trackers.registry",
    ".cli.main",
    ".demo.session",
    ".ros.demo_record",
)
# All that the demo imports of the room whose programs it starts: what these wrote down.
OF_ROS_IN_DEMO = f"{PACKAGE}.ros.demo_record"


def imports(source: str, module: str) -> Iterator[str]:
    """Every dotted name that `source` imports anywhere, relative ones resolved against `module`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def modules_in_strings(source: str) -> Iterator[str]:
    """Every string that is a dotted name of ours: a program to start, or what is imported by its name."""
    for node in ast.walk(ast.parse(source)):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if re.fullmatch(rf"{PACKAGE}(\.\w+)+", text):
            yield text


def is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def module_name(file: Path) -> str:
    return ".".join((PACKAGE, *file.relative_to(ROOT).with_suffix("").parts))


def offences(folder: Path, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted(folder.rglob("*.py"))
        for name in imports(file.read_text(), module_name(file))
        if any(is_below(name, bad) for bad in forbidden)
    ]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_room_imports_nothing_forbidden(room: str) -> None:
    assert list((ROOT / room).glob("*.py")), f"room {room} is gone"
    assert offences(ROOT / room, FORBIDDEN[room]) == []


def test_only_the_room_ros_imports_ros() -> None:
    assert [text for text in offences(ROOT, ROS) if not text.startswith("ros/")] == []


def test_every_package_of_ros_is_known_here() -> None:
    """By the names that such packages have: one that is not in ROS could be imported anywhere."""
    files = {file: imports(file.read_text(), module_name(file)) for file in ROOT.rglob("*.py")}
    packages = {name.split(".")[0] for names in files.values() for name in names}
    assert {name for name in packages if re.match(r"rcl|\w+_(msgs|srvs|interfaces)$", name)} == set(ROS)


def test_the_demo_imports_of_ros_only_what_its_programs_wrote_down() -> None:
    found = offences(ROOT / "demo", (f"{PACKAGE}.ros",))
    assert found
    assert [text for text in found if not is_below(text.split(" imports ")[1], OF_ROS_IN_DEMO)] == []


def test_the_demo_starts_programs_of_the_room_ros_alone() -> None:
    started = {name for file in (ROOT / "demo").rglob("*.py") for name in modules_in_strings(file.read_text())}
    assert len(started) == 3, "node, camera and client"
    assert {name for name in started if not is_below(name, f"{PACKAGE}.ros")} == set()
    files = {ROOT.parent / Path(*name.split(".")).with_suffix(".py") for name in started}
    assert {file for file in files if not file.is_file()} == set()


def test_no_other_room_names_a_module_that_it_may_not_import() -> None:
    """But a tracker's row in the registry names its recipe, for training to import."""
    for room in set(FORBIDDEN) - {"demo"}:
        names = {name for file in (ROOT / room).rglob("*.py") for name in modules_in_strings(file.read_text())}
        if room == "trackers":
            names -= {name for name in names if is_below(name, f"{PACKAGE}.training")}
        assert {name for name in names if any(is_below(name, bad) for bad in FORBIDDEN[room])} == set(), room


def test_following_imports_of_the_parts_only_those_without_torch() -> None:
    names = {
        name for file in (ROOT / "following").rglob("*.py") for name in imports(file.read_text(), module_name(file))
    }
    below = f"{PACKAGE}.parts."
    parts = {name.removeprefix(below).split(".")[0] for name in names if name.startswith(below)}
    assert parts
    assert {part: light(ROOT / "parts" / f"{part}.py") for part in parts} == dict.fromkeys(parts, True)


def light(file: Path) -> bool:
    """Whether neither it nor a part that it imports imports torch."""
    names = list(imports(file.read_text(), module_name(file)))
    others = {name.split(".")[2] for name in names if name.startswith(f"{PACKAGE}.parts.")}
    with_torch = any(is_below(name, torch) for name in names for torch in TORCH)
    return not with_torch and all(light(ROOT / "parts" / f"{other}.py") for other in others)


def test_a_part_with_torch_is_told_from_one_without() -> None:
    found = {part: light(ROOT / "parts" / f"{part}.py") for part in ("crop", "mask_box", "bank", "read")}
    assert found == {"crop": True, "mask_box": True, "bank": False, "read": False}


def test_no_tracker_imports_another() -> None:
    folders = [folder for folder in (ROOT / "trackers").iterdir() if (folder / "__init__.py").exists()]
    for folder in folders:
        others = tuple(f"{PACKAGE}.trackers.{other.name}" for other in folders if other != folder)
        assert offences(folder, others) == []


def test_the_reader_of_imports_sees_every_kind() -> None:
    source = "import a.b\nfrom c import d\nfrom . import e\nfrom ..f import g\ndef h():\n    import torch\n"
    assert list(imports(source, "p.q.r")) == ["a.b", "c.d", "p.q.e", "p.f.g", "torch"]


@pytest.mark.parametrize("module", LIGHT)
def test_importing_it_loads_neither_torch_nor_ros(module: str) -> None:
    program = f"import sys, {PACKAGE}{module}; print(*sorted({{'torch', 'rclpy'}} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
