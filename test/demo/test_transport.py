import socket
import xml.etree.ElementTree as ElementTree

import pytest

from stm_tracker_ros.demo import transport

pytestmark = pytest.mark.pure


def values(profile, name):
    return [element.text for element in ElementTree.parse(profile).iter() if element.tag.endswith("}" + name)]


def test_shared_memory_where_there_is_room(tmp_path):
    chosen = transport.choose(tmp_path, needed_bytes=1)
    assert values(chosen.profile, "type") == ["SHM", "UDPv4"]
    assert chosen.discovery_range == "LOCALHOST"
    assert not chosen.for_all
    assert not chosen.why


def test_udp_that_says_why_where_there_is_none(tmp_path):
    chosen = transport.choose(tmp_path, needed_bytes=1 << 60)
    assert values(chosen.profile, "type") == ["UDPv4"]
    assert chosen.for_all
    assert "MiB free" in chosen.why
    assert transport.choose(tmp_path / "absent").for_all


def test_the_segment_is_as_large_as_is_said(tmp_path):
    chosen = transport.choose(tmp_path, needed_bytes=1)
    assert values(chosen.profile, "segment_size") == [str(transport.SEGMENT_BYTES)]
    assert transport.NEEDED_SHM_BYTES > transport.SEGMENT_BYTES


def test_no_packet_leaves_this_machine(tmp_path):
    assert transport.choose(tmp_path, needed_bytes=1).discovery_range == "LOCALHOST"
    assert values(transport.choose(tmp_path, needed_bytes=1 << 60).profile, "address") == ["127.0.0.1"]


def test_children_get_their_own_domain_and_nothing_that_leads_elsewhere(tmp_path):
    base = {"PATH": "p", "ROS_DOMAIN_ID": "0", "ROS_DISCOVERY_SERVER": "robot:11811", "ROS_STATIC_PEERS": "robot"}
    result = transport.environment(base, 42, "LOCALHOST", tmp_path)
    assert result["ROS_DOMAIN_ID"] == "42"
    assert result["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert result["FASTRTPS_DEFAULT_PROFILES_FILE"] == result["FASTDDS_DEFAULT_PROFILES_FILE"] == str(tmp_path)
    assert not {"ROS_DISCOVERY_SERVER", "ROS_STATIC_PEERS", "ROS_LOCALHOST_ONLY"} & set(result)
    assert base["ROS_DOMAIN_ID"] == "0"


def test_humble_is_told_by_its_own_name():
    result = transport.environment({"ROS_DISTRO": "humble"}, 1, "LOCALHOST", None)
    assert result["ROS_LOCALHOST_ONLY"] == "1"
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" not in result


def test_a_domain_in_use_is_not_taken(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        free = transport.free_domain()
        taken.bind(("", transport.FIRST_PORT + transport.PORTS_PER_DOMAIN * free))
        monkeypatch.setattr(transport, "DOMAINS", range(free, free + 1))
        with pytest.raises(transport.StmTrackerError, match="in use"):
            transport.free_domain()
