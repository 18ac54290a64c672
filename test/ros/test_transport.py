import pytest

from stm_tracker_ros.ros.transport import COMPRESSED_TYPE, IMAGE_TYPE, Route, RouteChoice, routes

pytestmark = pytest.mark.pure

RAW = Route("/camera", IMAGE_TYPE)
BESIDE = Route("/camera/compressed", COMPRESSED_TYPE)
ITSELF = Route("/camera", COMPRESSED_TYPE)
ALL = (RAW, BESIDE, ITSELF)


@pytest.mark.parametrize(
    ("choice", "expected"), [("raw", (RAW,)), ("compressed", (BESIDE, ITSELF)), ("auto", (RAW, BESIDE, ITSELF))]
)
def test_which_routes_a_choice_allows(choice, expected):
    assert routes(choice, "/camera", "/camera/compressed") == expected


def test_a_topic_that_is_the_compressed_one_by_name_is_taken_as_it_is():
    own = Route("/camera/compressed", COMPRESSED_TYPE)
    assert routes("compressed", "/camera/compressed", "/camera/compressed") == (own,)
    assert routes("auto", "/camera/compressed", "/camera/compressed") == (Route(own.topic, IMAGE_TYPE), own)


def test_a_route_names_its_transport():
    assert [route.transport for route in ALL] == ["raw", "compressed", "compressed"]


def look(choice, *published, is_silent=False, has_served=False):
    return choice.look(published, is_silent=is_silent, has_served=has_served)


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ((), RAW),
        ((RAW,), RAW),
        ((BESIDE,), BESIDE),
        ((ITSELF,), ITSELF),
        ((BESIDE, RAW), RAW),
        ((ITSELF, BESIDE), BESIDE),
    ],
)
def test_the_best_of_those_published_is_taken_the_first_of_all_while_none_is(published, expected):
    assert look(RouteChoice(ALL), *published) == expected


def test_a_better_one_that_is_found_a_little_later_is_taken():
    choice = RouteChoice(ALL)
    assert [look(choice, BESIDE), look(choice, BESIDE, RAW)] == [BESIDE, RAW]


def test_one_that_has_served_stays_while_it_is_published():
    choice = RouteChoice(ALL)
    look(choice, BESIDE)
    assert look(choice, BESIDE, RAW, has_served=True) == BESIDE
    assert look(choice, RAW, has_served=True) == RAW


def test_the_last_one_stays_while_none_is_published():
    choice = RouteChoice(ALL)
    look(choice, BESIDE)
    assert look(choice, is_silent=True) == BESIDE


def test_one_on_which_nothing_comes_gives_way_and_stays_so_while_the_other_serves():
    choice = RouteChoice(ALL)
    assert look(choice, RAW, BESIDE) == RAW
    assert look(choice, RAW, BESIDE, is_silent=True) == BESIDE
    assert look(choice, RAW, BESIDE) == BESIDE


def test_its_publisher_that_was_started_again_is_tried_again():
    choice = RouteChoice(ALL)
    look(choice, RAW, BESIDE)
    look(choice, RAW, BESIDE, is_silent=True)
    look(choice, BESIDE)
    assert look(choice, RAW, BESIDE) == RAW


def test_where_nothing_comes_on_any_each_has_its_turn():
    choice = RouteChoice(ALL)
    tried = [look(choice, *ALL)] + [look(choice, *ALL, is_silent=True) for _ in range(5)]
    assert tried == [RAW, BESIDE, ITSELF, RAW, BESIDE, ITSELF]


def test_the_only_one_stays_however_silent():
    choice = RouteChoice(ALL)
    assert [look(choice, RAW, is_silent=True) for _ in range(3)] == [RAW] * 3
