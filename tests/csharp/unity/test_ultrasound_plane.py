"""Live ultrasound in the sample scene: where the server places it, greyed and hidden with a reason."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from tests.csharp.unity.played_room import Room, all_shown
from tests.unity_bridge.harness import CLOCK
from unity_bridge.ultrasound.placed import PlacedImage, contour, placing_fields
from unity_bridge.wire.convention import points_to_unity
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.messages import UltrasoundFrame

WIDTH, HEIGHT = 100, 80
# Askew in the CT, pixels of 0.25 mm by 0.2 mm.
T_CT_IMAGE_PX = np.array([[0.15, -0.16, 0, 20.0], [0.2, 0.12, 0, -30.0], [0.0, 0.0, 1, 40.0], [0, 0, 0, 1]])
POINTS_PX = np.array([[10.0, 20.0], [30.0, 20.0], [30.0, 50.0]])
PIXELS = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH), np.uint8)


class Probe:
    """Offers a frame with each round of the server's work, captured then unless `delay_ns` says earlier."""

    def __init__(self, room: Room) -> None:
        self.room, self.server, self.delay_ns, self._number = room, room.server, 0, 0
        self.frame = UltrasoundFrame(
            number=1,
            shows_ns=0,
            source="a probe",
            state="usable",
            width_px=WIDTH,
            height_px=HEIGHT,
            contours=(contour("vessel", POINTS_PX, closed=True), contour("bone", POINTS_PX)),
            **placing_fields(PlacedImage("ct", T_CT_IMAGE_PX, 1.5)),
        )

    def work(self) -> None:
        self.room.work()
        self._number += 1
        shown = replace(self.frame, number=self._number, shows_ns=CLOCK.now_ns() - self.delay_ns)
        self.server.ultrasound.offer(shown, PIXELS)


@pytest.fixture
def probe():
    room = Room(with_ultrasound=True)
    with contextlib.closing(room.server):
        yield Probe(room)


@pytest.fixture
def seen(start_player, probe):
    """Plays until the plane is as `wanted`, and returns what is seen of it."""
    player = start_player(probe)

    def until(wanted):
        return player.until(lambda shown: all_shown(shown) and wanted(shown["ultrasound"]))["ultrasound"]

    until.player = player
    return until


def in_unity(points_px: np.ndarray) -> np.ndarray:
    return points_to_unity(points_px @ T_CT_IMAGE_PX[:3, :2].T + T_CT_IMAGE_PX[:3, 3])


def is_shown(plane) -> bool:
    return (plane["display"], plane["image_display"]) == ("Shown", "Shown")


def test_image_and_contours_are_where_the_server_places_them(seen):
    plane = seen(is_shown)
    assert (plane["image"]["parent"], plane["contours"]["parent"]) == ("patient", "patient")
    assert plane["image"]["has_picture"]
    outer = np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT]]) - 0.5
    np.testing.assert_allclose(plane["image"]["corners"], np.tile(in_unity(outer), (2, 1)), atol=1e-6)
    lines = np.array(plane["contours"]["lines"]).reshape(-1, 4, 3)
    assert len(lines) == 3 + 2, "a closed triangle, and two pieces of an open line"
    ends = np.stack([lines[:, :2].mean(axis=1), lines[:, 2:].mean(axis=1)], axis=1)
    truth = in_unity(POINTS_PX)
    pieces = [(0, 1), (1, 2), (2, 0), (0, 1), (1, 2)]
    np.testing.assert_allclose(ends, [[truth[a], truth[b]] for a, b in pieces], atol=1e-6)
    widths = np.linalg.norm(lines[:, 1] - lines[:, 0], axis=1)
    np.testing.assert_allclose(widths, 0.0006, atol=1e-7)
    across = lines - ends[:, :1]
    normal = np.cross(*(in_unity(np.eye(2)) - in_unity(np.zeros((1, 2)))))
    assert np.abs(across @ normal / np.linalg.norm(normal)).max() < 1e-7, "in the plane of the image"


def test_what_has_no_place_is_hidden_and_comes_back(seen, probe):
    seen(is_shown)
    placed = probe.frame
    none = dict.fromkeys(("first_pixel_m", "along_x_m", "along_y_m", "expected_p95_mm"))
    probe.frame = replace(placed, placing=Validity.LOST, placing_reason="the probe is covered", to_frame="", **none)
    plane = seen(lambda plane: plane["display"] == "Hidden" and plane["image_display"] == "Hidden")
    assert plane["reason"] == "the probe is covered"
    assert not plane["image"]["is_seen"]
    assert not plane["contours"]["is_seen"]
    probe.frame = placed
    seen(is_shown)


def test_a_doubted_place_leaves_a_grey_image_without_contours_and_says_why(seen, probe):
    seen(is_shown)
    placed = probe.frame
    why = "the image exchanges left and right"
    probe.frame = replace(placed, placing=Validity.SUSPECT, placing_reason=why, expected_p95_mm=None)
    plane = seen(lambda plane: (plane["display"], plane["image_display"]) == ("Hidden", "Greyed"))
    assert plane["reason"] == why
    assert not plane["contours"]["is_seen"]
    assert plane["image"]["is_seen"]
    assert plane["image"]["colour"] == [0.5, 0.5, 0.5, 0.5]
    probe.frame = placed
    assert seen(is_shown)["contours"]["is_seen"]


def test_an_unusable_image_is_greyed_without_contours(seen, probe):
    seen(is_shown)
    probe.frame = replace(probe.frame, state="frozen", reason="the same picture for 300 ms", contours=())
    plane = seen(lambda plane: plane["image_display"] == "Greyed" and not plane["contours"]["lines"])
    assert plane["reason"] == "the same picture for 300 ms"
    assert plane["image"]["colour"] == [0.5, 0.5, 0.5, 0.5]


def test_old_ultrasound_is_hidden_by_the_headsets_own_clock(seen, probe):
    seen(is_shown)
    probe.delay_ns = 400_000_000
    seen(lambda plane: plane["display"] == "Hidden" and "the newest ultrasound image is" in plane["reason"])


def test_it_is_hidden_with_the_registration(seen, probe):
    seen(is_shown)
    probe.room.say("patient", Validity.LOST, "no registration")
    shown = seen.player.until(lambda shown: shown["ultrasound"]["display"] == "Hidden")
    assert shown["ultrasound"]["reason"] == "no registration"
    assert not shown["ultrasound"]["image"]["is_seen"]


def test_a_server_without_ultrasound_is_said_to_have_none(player):
    shown = player.until(lambda shown: all_shown(shown) and "no live" in shown["ultrasound"]["reason"])
    assert shown["ultrasound"]["display"] == "Hidden"
    assert shown["texts"]["Ultrasound"] == "no live ultrasound from the server"


def test_new_frames_make_no_garbage(seen, runtime):
    if runtime.value != "dotnet":
        return  # Mono does not count by thread
    seen(is_shown)
    # Where a busy machine makes something stale meanwhile, the status panel says so, and a text is a string.
    bytes_taken = [int(seen.player.do("garbage", "200")) for _ in range(4)]
    assert min(bytes_taken) == 0, bytes_taken
