"""Build an ament_cmake interface package against the ROS wheels of the running Python, and pack it as a wheel.

    BUILD_VENV/bin/python interface_wheel.py PACKAGE_DIR OUT_DIR

BUILD_VENV holds the run-time wheels and those of requirements-build.txt. The wheel installs with plain pip into any
environment of the same Python that holds the run-time wheels; nothing has to be sourced afterwards. Its name begins
with bench-, so that nobody takes it for a release of the package.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import subprocess
import sys
import sysconfig
import tempfile
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from pathlib import Path

PYTHON_TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"
PLATFORM_TAG = sysconfig.get_platform().replace("-", "_").replace(".", "_")
PREFIX = Path(sys.prefix)
FIXED_TIME = (2020, 1, 1, 0, 0, 0)


def main() -> None:
    """Build the package of argument 1 and put its wheel into the folder of argument 2."""
    package, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{package.name}-") as work:
        stage = Path(work) / "stage"
        compile_package(package, Path(work) / "build", stage)
        print(pack(package, stage, out))


def compile_package(package: Path, build: Path, stage: Path) -> None:
    """Configure, compile and install `package` into `stage`."""
    include = Path(__file__).with_name("wheel_paths.cmake").resolve()
    definitions = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_INSTALL_PREFIX": stage,
        "BUILD_TESTING": "OFF",
        "Python3_EXECUTABLE": sys.executable,
        "PYTHON_EXECUTABLE": sys.executable,
        # Libraries in lib/ and in site-packages/NAME/ both find lib/ without LD_LIBRARY_PATH.
        "CMAKE_INSTALL_RPATH": "$ORIGIN;$ORIGIN/../../..",
        "CMAKE_PROJECT_INCLUDE": include,
    }
    options = [f"-D{name}={value}" for name, value in definitions.items()]
    run("cmake", "-G", "Ninja", "-S", package, "-B", build, "-Wno-dev", *options)
    run("cmake", "--build", build)
    run("cmake", "--install", build, "--strip")


def run(*command: str | Path) -> None:
    """Run a command in the build environment; its output is shown only if it fails, which ends the program."""
    search = f"{PREFIX / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = dict(os.environ, AMENT_PREFIX_PATH=str(PREFIX), CMAKE_PREFIX_PATH=str(PREFIX), PATH=search)
    result = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        sys.exit(f"{result.stdout}\nfailed with {result.returncode}: {' '.join(map(str, command))}")


def pack(package: Path, stage: Path, out: Path) -> Path:
    """Write the installed files of `stage` into a wheel in `out`; returns its path."""
    manifest = ElementTree.parse(package / "package.xml")
    name, version = manifest.findtext("name"), manifest.findtext("version")
    label = f"bench_{name}-{version}"
    tag = f"{PYTHON_TAG}-{PYTHON_TAG}-{PLATFORM_TAG}"
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: bench-{name}\nVersion: {version}\n",
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: interface_wheel\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    members = dict(staged_files(stage, label))
    members.update({f"{label}.dist-info/{file}": text.encode() for file, text in texts.items()})
    wheel = out / f"{label}-{tag}.whl"
    write_wheel(wheel, members, f"{label}.dist-info/RECORD")
    return wheel


def staged_files(stage: Path, label: str) -> Iterator[tuple[str, bytes]]:
    """Name in the wheel and content of every installed file: modules at the root, all else below the prefix."""
    modules = stage / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for file in sorted(path for path in stage.rglob("*") if path.is_file()):
        if file.suffix in (".pyc", ".c") or any(part.endswith(".egg-info") for part in file.parts):
            continue
        if file.is_relative_to(modules):
            yield file.relative_to(modules).as_posix(), file.read_bytes()
        else:
            yield f"{label}.data/data/{file.relative_to(stage).as_posix()}", file.read_bytes()


def write_wheel(wheel: Path, members: dict[str, bytes], record: str) -> None:
    """Write the members and their RECORD; the same content gives the same file."""
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerows((name, f"sha256={digest(data)}", len(data)) for name, data in members.items())
    writer.writerow((record, "", ""))
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in {**members, record: rows.getvalue().encode()}.items():
            archive.writestr(zipfile.ZipInfo(name, FIXED_TIME), data, zipfile.ZIP_DEFLATED)


def digest(data: bytes) -> str:
    """SHA-256 as RECORD wants it: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    main()
