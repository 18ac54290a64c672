"""Write docs/PARAMETERS.md, the tables of all parameters, from their definitions.

  .venv/bin/python scripts/list_parameters.py

What stood there is replaced.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stm_tracker_ros.core.config import Setting, settings
from stm_tracker_ros.engine.config import EngineConfig
from stm_tracker_ros.ros.config import NodeConfig
from stm_tracker_ros.ros.params import TRACKER_PREFIX
from stm_tracker_ros.trackers import registry

DOCUMENT = Path(__file__).parents[1] / "docs" / "PARAMETERS.md"
HEAD = """# All parameters

Written by `scripts/list_parameters.py` from the definitions, which `ros2 param describe` shows as well. A live one may
be set while the node runs; the others stand in the file that is given at its start (`params_file:=FILE`, examples in
[config](../config)). On the command line `--set` takes `state.*`, and those of the trackers' tables without `tracker.`.
"""
OF_THE_MACHINE = {"threads": "cores - 1"}
LITE = "_lite"


def document() -> str:
    """All of it, in Markdown."""
    trackers = {name: by_name(registry.load(name).default_config, TRACKER_PREFIX) for name in registry.names()}
    families = [name for name in trackers if name + LITE in trackers]
    common = [name for name in trackers[families[0]] if all(name in own for own in trackers.values())]
    lines = [HEAD, "## Node", "", *table(by_name(NodeConfig())), ""]
    lines += ["## Frames, targets, states", "", *table(by_name(EngineConfig())), ""]
    lines += ["## Every tracker", "", "Where trackers differ each value has their names.", ""]
    lines += compared(trackers, families, common)
    for family in families:
        lines += ["", f"## {family}{LITE} and {family} alone", ""]
        lines += compared(trackers, [family], [name for name in trackers[family] if name not in common])
    return "\n".join(lines) + "\n"


def by_name(config: object, prefix: str = "") -> dict[str, Setting]:
    """The settings of a configuration by dotted name."""
    return {one.name: one for one in settings(config, prefix)}


def table(some: Mapping[str, Setting]) -> Iterator[str]:
    """A row for each."""
    yield from ("| parameter | default | allowed | live | |", "|---|---|---|---|---|")
    for name, one in some.items():
        yield f"| `{name}` | {OF_THE_MACHINE.get(name, shown(one.value))} | {meaning(one)} |"


def compared(
    trackers: Mapping[str, Mapping[str, Setting]], families: Sequence[str], names: Sequence[str]
) -> Iterator[str]:
    """A row for each of the names, with the defaults of the lite trackers and of those of the papers' size."""
    yield from ("| parameter | lite | paper's size | allowed | live | |", "|---|---|---|---|---|---|")
    for name in names:
        lite = defaults({family: trackers[family + LITE][name] for family in families})
        paper = defaults({family: trackers[family][name] for family in families})
        yield f"| `{name}` | {lite} | {paper} | {meaning(trackers[families[0]][name])} |"


def defaults(of_families: Mapping[str, Setting]) -> str:
    """One value, or each with those that have it."""
    having: dict[str, list[str]] = {}
    for family, one in of_families.items():
        having.setdefault(shown(one.value), []).append(family)
    return "; ".join(value if len(having) == 1 else f"{value} ({', '.join(who)})" for value, who in having.items())


def shown(value: object) -> str:
    """As it stands in a parameter file."""
    return str(value).lower() if isinstance(value, bool) else '""' if value == "" else str(value)


def meaning(one: Setting) -> str:
    """Three cells: what may be given, whether it is live, what it is for."""
    rule = one.rule
    allowed = f"{rule.low:g} to {rule.high:g}" if rule.low is not None and rule.high is not None else rule.allowed
    if one.kind is bool:
        allowed = "true, false"
    return f"{allowed} | {'yes' if rule.live else ''} | {rule.doc}"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    DOCUMENT.write_text(document(), encoding="utf-8")
