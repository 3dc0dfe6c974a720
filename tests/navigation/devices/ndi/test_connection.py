"""Tracking: poses equal the truth of the fake, many tools, the states of tools in words, wired tools plugged in."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from navigation.clock import MonotonicClock
from navigation.devices.driver import Device, Role, Tool
from navigation.devices.ndi import connection
from navigation.devices.ndi.connection import NdiConnection
from navigation.devices.ndi.settings import NdiTool
from navigation.devices.reader import BackOff, Received
from navigation.devices.tracker import ToolObservation, Visibility
from tests.navigation.devices.ndi.lab import BX_MM, FRAME_HZ, TX_MM, device, passive
from tests.navigation.devices.ndi.truth import true_pose

WITHIN_S = 20.0


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """On a busy machine the fake may be slow, and here that is no fault."""
    monkeypatch.setattr(connection, "_FRAME_REPLY_S", WITHIN_S)


@contextmanager
def connected(of: Device):
    opened = NdiConnection(of, MonotonicClock())
    try:
        yield opened
    finally:
        opened.close()


def until(opened: NdiConnection, holds: Callable[[Received], bool]) -> Received:
    """The first message of which this holds."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        for message in opened.receive(0.1):
            if holds(message):
                return message
    raise AssertionError("it never held")


def check_pose(seen: ToolObservation, number: int, frame: int, within_mm: float) -> None:
    assert seen.visibility is Visibility.VISIBLE, seen
    q0, qx, qy, qz, *position, error = true_pose(number, frame)
    true = Rotation.from_quat((qx, qy, qz, q0))
    apart = (Rotation.from_matrix(seen.T_tracker_tool.matrix[:3, :3]) * true.inv()).magnitude()
    assert apart < (1e-6 if within_mm == BX_MM else 2e-4)
    np.testing.assert_allclose(seen.T_tracker_tool.matrix[:3, 3], position, rtol=0, atol=within_mm)
    assert seen.fit_rms_mm == pytest.approx(error, abs=6e-5)


def test_real_geometries_are_tracked_to_the_resolution_of_the_protocol(fake, shared_data: Path):
    folder = shared_data / "tracking/mphy0026/ndi_geometries"
    tools = tuple(
        Tool(name=f"tool_{path.stem}", role=Role.INSTRUMENT, id=path.stem, settings=NdiTool(rom=path))
        for path in sorted(folder.glob("*.rom"))
    )
    with connected(device(fake.settings(), *tools)) as opened:
        frames = [until(opened, lambda message: len(message.tools) == 5) for _ in range(5)]
    for message in frames:
        for tool in tools:
            check_pose(message.tools[tool.name], int(tool.id), message.sequence, BX_MM)
        assert message.sensor_ns == round(message.sequence * 1e9 / FRAME_HZ)
    numbers = [message.sequence for message in frames]
    assert numbers == sorted(set(numbers))


def test_devices_that_know_no_binary_are_asked_in_ascii(network, tmp_path: Path):
    network.tell(set="binary", to=False)
    try:
        with connected(device(network.settings(), *passive(tmp_path, 1, 2))) as opened:
            message = until(opened, lambda message: len(message.tools) == 2)
    finally:
        network.tell(set="binary", to=True)
    check_pose(message.tools["reference"], 1, message.sequence, TX_MM)
    check_pose(message.tools["tool_2"], 2, message.sequence, TX_MM)


@pytest.mark.parametrize("binary", [True, False])
def test_markers_of_no_tool_are_asked_for_where_the_room_says_so(network, tmp_path: Path, binary: bool):
    markers_mm = [[12.5, -30.25, -1200.75], [0.0, 55.5, -1190.0]]
    network.tell(set="binary", to=binary)
    network.tell(set="strays_mm", to=markers_mm)
    try:
        with connected(device(network.settings(strays=True), *passive(tmp_path, 1))) as opened:
            message = until(opened, lambda message: message.strays_mm is not None)
        with connected(device(network.settings(), *passive(tmp_path, 1))) as opened:
            unasked = until(opened, lambda message: bool(message.tools))
    finally:
        network.tell(set="binary", to=True)
        network.tell(set="strays_mm", to=[])
    np.testing.assert_allclose(message.strays_mm, markers_mm, rtol=0, atol=TX_MM)
    assert message.tools["reference"].visibility is Visibility.VISIBLE
    assert unasked.strays_mm is None


def test_more_tools_than_four(network, tmp_path: Path):
    numbers = tuple(range(1, 25))
    with connected(device(network.settings(), *passive(tmp_path, *numbers))) as opened:
        message = until(opened, lambda message: len(message.tools) == 24)
    for number in numbers[1:]:
        check_pose(message.tools[f"tool_{number}"], number, message.sequence, BX_MM)


@pytest.mark.parametrize(
    ("state", "visibility", "reason"),
    [
        ("missing", Visibility.OCCLUDED, "missing: 2 of 4 markers"),
        ("turned away", Visibility.OCCLUDED, "missing: 2 of 4 markers"),
        ("out of volume", Visibility.OUT_OF_VOLUME, "out of the tracker's volume"),
        ("out of volume with a pose", Visibility.OUT_OF_VOLUME, "out of the tracker's volume"),
        ("partly out", Visibility.PARTLY_OUT, "partly out of the tracker's volume"),
        ("partly out with a pose", Visibility.PARTLY_OUT, "partly out of the tracker's volume"),
        ("interference", Visibility.INTERFERENCE, "disturbed by other light or metal"),
        ("tool interference", Visibility.INTERFERENCE, "disturbed by other light or metal"),
        ("disabled", Visibility.UNCONFIGURED, "port handle 02 is disabled"),
        ("unoccupied", Visibility.UNCONFIGURED, "port handle 02 is empty: the tool was unplugged"),
        ("uninitialised", Visibility.UNCONFIGURED, "port handle 02 is not initialised"),
        ("bad fit", Visibility.NO_DATA, "missing: the markers do not fit the geometry"),
        ("beyond computation", Visibility.NO_DATA, "missing: beyond the limits of the device's computation"),
        ("weak signal", Visibility.NO_DATA, "missing: the signal is too small"),
        ("processing failed", Visibility.NO_DATA, "missing: the device failed to process the tool"),
        ("fell behind", Visibility.NO_DATA, "missing: the device fell behind while processing"),
        ("too much data", Visibility.NO_DATA, "missing: more markers or data than the device can hold"),
        ("no rotation", Visibility.NO_DATA, "the device gave a pose that is none"),
        ("not a number", Visibility.NO_DATA, "the device gave a pose that is none"),
    ],
)
def test_states_of_tools_are_in_words_and_end(network, tmp_path: Path, state, visibility, reason):
    with connected(device(network.settings(), *passive(tmp_path, 1, 2))) as opened:
        until(opened, lambda message: seen(message, "tool_2"))
        network.tell(tool=2, state=state)
        message = until(opened, lambda message: "tool_2" in message.tools and not seen(message, "tool_2"))
        network.tell(heal=True)
        until(opened, lambda message: seen(message, "tool_2"))
    observation = message.tools["tool_2"]
    assert observation.visibility is visibility
    assert observation.why.startswith(reason)
    assert seen(message, "reference")


def test_a_missing_tool_under_too_much_infrared_is_disturbed(network, tmp_path: Path):
    with connected(device(network.settings(), *passive(tmp_path, 1, 2))) as opened:
        network.tell(tool=2, state="turned away")
        network.tell(set="system_bits", to=2)
        message = until(
            opened, lambda message: "tool_2" in message.tools and not seen(message, "tool_2") and message.news
        )
        network.tell(heal=True)
    assert message.tools["tool_2"].visibility is Visibility.INTERFERENCE
    assert "too much infrared light around" in message.news


def wired(name: str, port: int) -> Tool:
    return Tool(name=name, role=Role.INSTRUMENT, id=name, settings=NdiTool(port=port))


def test_wired_tools_are_found_by_their_port_unplugged_and_plugged_in_again(network):
    network.tell(plug=2)
    network.tell(plug=3)
    with connected(device(network.settings(), wired("two", 2), wired("three", 3))) as opened:
        message = until(opened, lambda message: len(message.tools) == 2)
        check_pose(message.tools["two"], 1002, message.sequence, BX_MM)
        check_pose(message.tools["three"], 1003, message.sequence, BX_MM)
        network.tell(unplug=3)
        message = until(opened, lambda message: "three" in message.tools and not seen(message, "three"))
        assert message.tools["three"].visibility is Visibility.UNCONFIGURED
        assert "unplugged" in message.tools["three"].reason
        assert seen(message, "two")
        network.tell(plug=3)
        message = until(opened, lambda message: seen(message, "three") and seen(message, "two"))
    check_pose(message.tools["three"], 1003, message.sequence, BX_MM)
    network.tell(unplug=2)
    network.tell(unplug=3)


@pytest.mark.parametrize(
    ("command", "answer", "reason"),
    [
        ("PHRQ", "ERROR2D", "ERROR2D in answer to PHRQ: all port handles are taken"),
        ("PVWR", "ERROR1F", "ERROR1F in answer to PVWR: the device cannot write the memory of the tool"),
        ("PINIT", "ERROR40", "ERROR40 in answer to PINIT: the tool geometry is damaged"),
        ("PINIT", "ERROR41", "ERROR41 in answer to PINIT: the device does not support the tool's characteristics"),
        ("PENA", "ERROR28", "ERROR28 in answer to PENA: too many tools are enabled"),
    ],
)
def test_a_tool_that_cannot_be_set_up_is_tried_again(network, tmp_path, monkeypatch, command, answer, reason):
    monkeypatch.setattr(connection, "RETRY", BackOff(0.3, 0.3))
    network.tell(on=command, do=answer, times=1)
    with connected(device(network.settings(), *passive(tmp_path, 1, 2))) as opened:
        message = until(opened, lambda message: bool(message.tools))
        assert message.tools["reference"].visibility is Visibility.UNCONFIGURED
        assert message.tools["reference"].reason.startswith(reason)
        assert reason in (message.news or "")
        assert seen(message, "tool_2")
        until(opened, lambda message: seen(message, "reference") and seen(message, "tool_2"))


def test_another_rate_than_stated_is_said(network, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(connection, "_RATE_SEEN_AFTER_NS", 500_000_000)
    with connected(device(network.settings(frame_hz=20.0), *passive(tmp_path, 1))) as opened:
        until(opened, lambda message: "frames a second: say so with frame_hz" in (message.news or ""))


def test_each_frame_is_given_once(network, tmp_path: Path):
    """It is asked for four times a period, so that most answers hold nothing new."""
    with connected(device(network.settings(), *passive(tmp_path, 1, 2))) as opened:
        numbers = [until(opened, lambda message: bool(message.tools)).sequence for _ in range(10)]
    assert numbers == sorted(set(numbers))


def seen(message: Received, tool: str) -> bool:
    return tool in message.tools and message.tools[tool].visibility is Visibility.VISIBLE
