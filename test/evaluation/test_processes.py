from __future__ import annotations

import os

import pytest
from work_items import DONE_NAME, Broken, Interrupted, Item, Killed, Refused, load, load_and_die, load_nothing

from stm_tracker_ros.core.errors import ConfigError, OutputError, ProcessError, TargetFault
from stm_tracker_ros.evaluation.processes import share_out

pytestmark = pytest.mark.pure


def items_of(*names):
    return [Item(name=name) for name in names]


def share(items, out, *, jobs=2, loading=load):
    """Steps, and failures by name."""
    failed = {}
    steps = list(share_out(items, loading, out, jobs, lambda name, error: failed.update({name: error})))
    return steps, failed


def processes_of(out):
    """The process that finished each item, by name."""
    return {path.parent.name: int(path.read_text().split()[0]) for path in out.glob(f"*/{DONE_NAME}")}


def ended(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_all_items_are_done_in_other_processes_the_longest_first(tmp_path):
    items = [Item(name="short", frames=1), Item(name="long", frames=9), Item(name="middle", frames=5)]
    steps, failed = share(items, tmp_path, jobs=1)
    assert steps == [(item.name, n + 1) for item in (items[1], items[2], items[0]) for n in range(item.frames)]
    assert failed == {}
    (process,) = set(processes_of(tmp_path).values())
    assert process != os.getpid()
    assert ended(process)
    assert (tmp_path / f"short/{DONE_NAME}").read_text().endswith("a tracker")


def test_two_processes_share_and_what_was_finished_before_is_passed_over(tmp_path):
    items = items_of(*"abcdef")
    first, _ = share(items[:2], tmp_path)
    before = processes_of(tmp_path)
    assert len(first) == 6
    steps, _ = share(items, tmp_path)
    assert sorted(steps) == sorted([("a", 3), ("b", 3), *((name, n) for name in "cdef" for n in (1, 2, 3))])
    after = processes_of(tmp_path)
    assert set(after) == set("abcdef")
    assert {name: after[name] for name in before} == before
    assert share(items, tmp_path, loading=load_and_die) == ([(name, 3) for name in "abcdef"], {})


def test_a_killed_process_takes_its_item_with_it_and_the_others_go_on(tmp_path):
    steps, failed = share([Killed(name="killed", frames=9), *items_of(*"abcd")], tmp_path, jobs=1)
    assert set(processes_of(tmp_path)) == set("abcd")
    assert list(failed) == ["killed"]
    assert "ended by SIGKILL; the system does that when memory runs out" in str(failed["killed"])
    assert ("killed", 1) in steps


def test_ctrl_c_is_the_parents_alone(tmp_path):
    assert share([Interrupted(name="a")], tmp_path) == ([("a", 1), ("a", 2), ("a", 3)], {})


def test_an_error_that_nobody_foresaw_is_shown_and_costs_its_item_only(tmp_path, capfd):
    _, failed = share([Broken(name="broken", frames=9), *items_of(*"ab")], tmp_path, jobs=1)
    assert set(processes_of(tmp_path)) == set("ab")
    assert "ended with status 1" in str(failed["broken"])
    assert "ZeroDivisionError: broken" in capfd.readouterr().err


def test_an_item_that_cannot_be_done_is_noted_and_its_process_goes_on(tmp_path):
    _, failed = share([Refused(name="refused", frames=9), *items_of(*"ab")], tmp_path, jobs=1)
    assert len(set(processes_of(tmp_path).values())) == 1
    assert (str(failed["refused"]), failed["refused"].fault) == ("no target", TargetFault.TOO_SMALL)


def test_without_anyone_to_note_a_failure_it_is_raised_and_all_processes_end(tmp_path):
    items = [Item(name="a", frames=9), Killed(name="killed", frames=2), *items_of("b")]
    with pytest.raises(ProcessError, match="SIGKILL"):
        list(share_out(items, load, tmp_path, 1))
    assert all(ended(process) for process in processes_of(tmp_path).values())


def test_a_full_disk_ends_everything(tmp_path):
    with pytest.raises(OutputError, match="disk full"):
        share([Item(name="a", frames=9), Refused(name="full", frames=5, full=True), *items_of("b")], tmp_path, jobs=1)
    assert set(processes_of(tmp_path)) == {"a"}
    assert all(ended(process) for process in processes_of(tmp_path).values())


def test_a_tracker_that_cannot_be_loaded_is_refused_once(tmp_path):
    with pytest.raises(ConfigError, match="no such tracker"):
        share(items_of(*"abc"), tmp_path, loading=load_nothing)


def test_processes_that_die_while_they_load_are_not_started_again_and_again(tmp_path):
    steps, failed = share(items_of(*"abc"), tmp_path, loading=load_and_die)
    assert steps == []
    assert sorted(failed) == ["a", "b", "c"]
    assert all("SIGKILL" in str(error) for error in failed.values())
