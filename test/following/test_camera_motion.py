"""How far the camera moved the picture: on pictures that are moved by known amounts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from moving_camera import scenery, seen

from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.following.camera_motion import CameraMotion

pytestmark = pytest.mark.pure

NOTHING = Box(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (1080, 1920)])
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (7.0, -4.0), (-31.0, 18.0), (60.0, 40.0), (0.0, -2.5)])
def test_what_stands_still_moves_against_the_camera(size: tuple[int, int], x: float, y: float) -> None:
    world = scenery(*size)
    motion = CameraMotion(seen(world, 3.0, 5.0)).to(seen(world, 3.0 + x, 5.0 + y), NOTHING)
    cell = max(size) / 128
    assert motion == pytest.approx((-x, -y), abs=0.5 * cell)


def test_each_frame_is_compared_with_the_one_before() -> None:
    world = scenery(240, 320)
    camera = CameraMotion(seen(world, 0.0, 0.0))
    found = [camera.to(seen(world, x, 0.0), NOTHING)[0] for x in (10.0, 30.0, 20.0, 20.0)]
    assert found == pytest.approx([-10.0, -20.0, 10.0, 0.0], abs=1.0)


def test_a_slow_pan_adds_up() -> None:
    """Half a pixel a frame, a fifth of one of the small version."""
    world = scenery(240, 320)
    camera = CameraMotion(seen(world, 0.0, 0.0))
    found = [camera.to(seen(world, 0.5 * frame, 0.0), NOTHING)[0] for frame in range(1, 81)]
    assert sum(found) == pytest.approx(-40.0, rel=0.2)
    assert np.count_nonzero(found) < 40  # none is believed that small


def test_what_was_unclear_is_not_said_later_all_at_once() -> None:
    """A flash hides a pan; by then the target has been followed on, and its place is where it was seen."""
    world = scenery(240, 320) // 2
    camera = CameraMotion(seen(world, 0.0, 0.0))
    flash = seen(world + 120, 6.0, 0.0)
    found = [camera.to(frame, NOTHING) for frame in (flash, seen(world, 12.0, 0.0), seen(world, 22.0, 0.0))]
    assert found == [(0.0, 0.0), (0.0, 0.0), pytest.approx((-10.0, 0.0), abs=1.0)]


def test_an_object_that_crosses_a_still_picture_moves_nothing() -> None:
    world, random = scenery(240, 320), np.random.default_rng(1)
    surface = random.integers(0, 255, (60, 80, 3), np.uint8)
    frames = [seen(world, 0.0, 0.0) for _ in range(6)]
    for number, frame in enumerate(frames):
        frame.bgr()[90:150, 40 + 12 * number : 120 + 12 * number] = surface
    camera = CameraMotion(frames[0])
    assert np.abs([camera.to(frame, NOTHING) for frame in frames[1:]]).max() < 1.0


def test_what_passes_before_the_target_moves_nothing() -> None:
    """A large object with far more contrast than the rest is what phase correlation sees."""
    world, surface = scenery(240, 320) // 8, scenery(120, 120, seed=1)[:140, :140]
    frames = [seen(world, 0.0, 0.0) for _ in range(6)]
    for number, frame in enumerate(frames):
        frame.bgr()[50:190, 60 + 10 * number : 200 + 10 * number] = surface
    surroundings = Box(50.0, 40.0, 220.0, 160.0)
    for left_out, still in ((surroundings, True), (NOTHING, False)):
        camera = CameraMotion(frames[0])
        found = np.abs([camera.to(frame, left_out) for frame in frames[1:]]).max()
        assert (found < 1.0) == still


def plain(seed: int, noise: float, slope: float = 0.0) -> Frame:
    """Sky: one grey, or a slope of so many levels from top to bottom, with a sensor's noise."""
    grey = (
        120.0 + np.linspace(0, slope, 240)[:, None, None] + np.random.default_rng(seed).normal(0, noise, (240, 320, 3))
    )
    return Frame(image=np.clip(grey, 0, 255).astype(np.uint8), stamp_ns=0)


@pytest.mark.parametrize("slope", [0.0, 5.0])
@pytest.mark.parametrize("noise", [0.0, 1.0, 2.0, 4.0])
def test_a_picture_of_nothing_but_noise_neither_moves_nor_cuts(noise: float, slope: float) -> None:
    camera = CameraMotion(plain(0, noise, slope))
    for seed in range(1, 10):
        assert camera.to(plain(seed, noise, slope), NOTHING) == pytest.approx((0.0, 0.0), abs=1e-3)


def test_a_dark_frame_hides_no_cut_and_brings_nothing_back() -> None:
    dark, one, other = plain(0, 1.0), seen(scenery(240, 320), 0.0, 0.0), seen(scenery(240, 320, 5), 0.0, 0.0)
    for last, cut in ((one, False), (other, True)):
        camera = CameraMotion(one)
        assert camera.to(dark, NOTHING) == (0.0, 0.0)
        assert camera.since_kept(dark, NOTHING) is None
        assert (camera.to(last, NOTHING) is None) == cut


@pytest.mark.parametrize("seed", [5, 6])
def test_another_scene_is_a_cut_and_from_there_on_it_is_followed(seed: int) -> None:
    camera, other = CameraMotion(seen(scenery(240, 320), 0.0, 0.0)), scenery(240, 320, seed)
    assert camera.to(seen(other, 0.0, 0.0), NOTHING) is None
    assert camera.to(seen(other, 10.0, 0.0), NOTHING) == pytest.approx((-10.0, 0.0), abs=1.0)


def test_what_changes_bit_by_bit_is_no_cut() -> None:
    """A scene that fades into another one, and does not move meanwhile."""
    one, other = (seen(scenery(240, 320, seed), 0.0, 0.0).bgr().astype(np.float32) for seed in (0, 5))
    camera = CameraMotion(seen(scenery(240, 320), 0.0, 0.0))
    for share in np.linspace(0.05, 1.0, 20):
        mixed = ((1 - share) * one + share * other).astype(np.uint8)
        assert camera.to(Frame(image=mixed, stamp_ns=0), NOTHING) is not None
    assert CameraMotion(seen(scenery(240, 320), 0.0, 0.0)).to(Frame(image=mixed, stamp_ns=0), NOTHING) is None


def test_the_target_s_surroundings_make_no_cut() -> None:
    """A target that fills most of the picture, and turns."""
    world, before, after = seen(scenery(240, 320), 0.0, 0.0).bgr(), scenery(240, 320, 5), scenery(240, 320, 6)
    frames = []
    for surface in (before, after):
        image = world.copy()
        image[10:230, 20:300] = surface[10:230, 20:300]
        frames.append(Frame(image=image, stamp_ns=0))
    for left_out, cut in ((Box(20.0, 10.0, 280.0, 220.0), False), (NOTHING, True)):
        assert (CameraMotion(frames[0]).to(frames[1], left_out) is None) == cut


def test_what_noise_says_is_no_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    """The centroid of a peak in noise may lie outside of the picture."""
    monkeypatch.setattr("cv2.phaseCorrelate", lambda *_: ((200.0, -90.0), 0.0))
    world = scenery(240, 320)
    assert CameraMotion(seen(world, 0.0, 0.0)).to(seen(world, 2.0, 0.0), NOTHING) == (0.0, 0.0)


def test_since_the_picture_that_is_kept() -> None:
    """Its own motion counts, whatever was seen meanwhile; a scene that is not the same has none."""
    world, other = scenery(240, 320), scenery(240, 320, seed=5)
    camera = CameraMotion(seen(world, 0.0, 0.0))
    camera.to(seen(world, 10.0, 0.0), NOTHING)
    camera.keep()
    camera.to(seen(other, 0.0, 0.0), NOTHING)
    assert camera.since_kept(seen(other, 0.0, 0.0), NOTHING) is None
    back = seen(world, 30.0, 5.0)
    camera.to(back, NOTHING)
    assert camera.since_kept(back, NOTHING) == pytest.approx((-20.0, -5.0), abs=1.0)


def test_a_target_as_large_as_the_picture_hides_no_motion() -> None:
    world = scenery(240, 320)
    motion = CameraMotion(seen(world, 0.0, 0.0)).to(seen(world, 20.0, -10.0), Box(-50.0, -50.0, 500.0, 400.0))
    assert motion == pytest.approx((-20.0, 10.0), abs=1.0)
    for left in (5.0, 0.0):  # a strip at one side is left of the picture: after the one pan or the other nothing
        for pan in (20.0, -20.0):
            motion = CameraMotion(seen(world, 0.0, 0.0)).to(seen(world, pan, 0.0), Box(left, 0.0, 315.0, 240.0))
            assert motion == pytest.approx((-pan, 0.0), abs=1.0)


def test_tiny_and_narrow_images_are_no_special_case() -> None:
    for shape in ((1, 1, 3), (3, 500, 3), (480, 2, 3)):
        frame = Frame(image=np.zeros(shape, np.uint8), stamp_ns=0)
        assert CameraMotion(frame).to(frame, NOTHING) == (0.0, 0.0)


@pytest.mark.parametrize(("seed", "level"), [(1, 0), (3, 128), (3, 255), (5, 16), (5, 128)])
def test_a_frame_without_a_picture_moves_nothing(seed: int, level: int) -> None:
    """The peak of correlation with nothing lies anywhere."""
    world = scenery(240, 320, seed=seed)
    camera = CameraMotion(seen(world, 0.0, 0.0))
    blank = seen(np.full_like(world, level), 0.0, 0.0)
    found = [camera.to(frame, NOTHING) for frame in (blank, blank, seen(world, 4.0, 0.0))]
    assert found[:2] == [(0.0, 0.0)] * 2
    assert found[2] == pytest.approx((-4.0, 0.0), abs=1.0)


def test_fine_things_are_no_other_scene_when_the_camera_moves_a_little() -> None:
    random, world = np.random.default_rng(0), np.zeros((1100, 1940), np.float32)
    for cells in (1, 2, 4, 8):
        grain = random.normal(0, 1, (1100 // cells + 1, 1940 // cells + 1)).astype(np.float32)
        world += cv2.resize(grain, (1940, 1100), interpolation=cv2.INTER_CUBIC)
    world = np.clip(cv2.GaussianBlur(world, (0, 0), 0.5) * 25 + 120, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)
    motion = CameraMotion(Frame(image=world[10:1090, 10:1930], stamp_ns=0))
    for x, y in random.integers(4, 16, (10, 2)):
        frame = Frame(image=world[y : y + 1080, x : x + 1920], stamp_ns=0)
        assert motion.to(frame, Box(900.0, 500.0, 60.0, 60.0)) is not None
