"""What replies say: poses to the resolution of the protocol, and nothing else than an error where they say nothing."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.devices.ndi.errors import NdiReplyError
from navigation.devices.ndi.replies import (
    Presence,
    read_bx,
    read_handle,
    read_handles,
    read_location,
    read_tx,
)
from navigation.devices.ndi.wire import Reply, command_bytes, take_reply
from tests.navigation.devices.ndi.fake_device import FakeDevice, Port
from tests.navigation.devices.ndi.lab import BX_MM, TX_MM, TX_QUATERNION
from tests.navigation.devices.ndi.truth import true_pose


def asked(device: FakeDevice, command: str) -> Reply:
    [answer] = device.answer(command_bytes(command)[:-1])
    reply = take_reply(bytearray(answer))
    assert reply is not None
    return reply


@pytest.fixture
def device() -> FakeDevice:
    device = FakeDevice()
    device.mode = "tracking"
    for number in range(5):
        device.allocate(Port(number, status=0x31))
    device.states = {1: "missing", 2: "disabled", 3: "unoccupied", 4: "out of volume"}
    device.system_bits = 0x0201
    return device


@pytest.mark.parametrize(
    ("command", "read", "within_mm", "within"),
    [("BX:0003", read_bx, BX_MM, 1e-7), ("TX:0001", read_tx, TX_MM, TX_QUATERNION)],
)
def test_poses_and_states_are_those_that_were_sent(device, command, read, within_mm, within):
    reading = read(asked(device, command))
    presences = [port.presence for port in reading.ports]
    assert presences == [
        Presence.TRACKED,
        Presence.MISSING,
        Presence.DISABLED,
        Presence.UNOCCUPIED,
        Presence.MISSING,
    ]
    first = reading.ports[0]
    true = true_pose(0, first.frame)
    np.testing.assert_allclose(first.pose[:4], true[:4], rtol=0, atol=within)
    np.testing.assert_allclose(first.pose[4:7], true[4:7], rtol=0, atol=within_mm)
    assert first.pose[7] == pytest.approx(true[7], abs=max(within, 1e-7))
    assert reading.ports[4].port_bits == 0x71
    assert reading.system_bits == 0x0201
    assert device.first_frame <= first.frame <= device.frame


@given(st.binary(max_size=120))
def test_no_binary_reply_raises_anything_else(body: bytes):
    with suppress(NdiReplyError):
        read_bx(Reply(body, is_binary=True))


@given(st.text("0123456789ABCDEF+-\nMISNGDLUOCP ", max_size=120))
def test_no_ascii_reply_raises_anything_else(text: str):
    for read in (read_tx, read_handle, read_handles, read_location):
        with suppress(NdiReplyError):
            read(Reply(text.encode()))


def test_cut_short_or_longer_replies_are_refused(device):
    body = asked(device, "BX:0003").body
    for wrong in (body[:-1], body + b"\0", body[:10]):
        with pytest.raises(NdiReplyError, match="BX"):
            read_bx(Reply(wrong, is_binary=True))
    text = asked(device, "TX:0001").body
    for wrong in (text[:-1], text + b"0", b"04" + text[2:]):
        with pytest.raises(NdiReplyError, match="TX"):
            read_tx(Reply(wrong))


STRAYS_MM = [[12.5, -30.25, -1200.75], [0.0, 55.5, -1190.0], [-42.0, 10.0, -1210.5]]


@pytest.mark.parametrize(("command", "read"), [("BX:1003", read_bx), ("TX:1001", read_tx)])
@pytest.mark.parametrize("count", [0, 1, 3, 12])
def test_markers_of_no_tool_come_after_the_tools(device, command, read, count):
    device.strays_mm = (STRAYS_MM * 4)[:count]
    reading = read(asked(device, command), strays=True)
    assert np.array(reading.strays_mm).reshape(-1, 3) == pytest.approx(np.array(device.strays_mm).reshape(-1, 3))
    assert (len(reading.ports), reading.system_bits) == (5, 0x0201)


@pytest.mark.parametrize(("command", "read"), [("BX:1003", read_bx), ("TX:1001", read_tx)])
def test_markers_are_none_where_one_is_out_of_the_volume_and_a_cut_reply_is_refused(device, command, read):
    device.strays_mm, device.strays_outside = STRAYS_MM, 2
    assert read(asked(device, command), strays=True).strays_mm == ()
    whole = asked(device, command)
    with pytest.raises(NdiReplyError):
        read(Reply(whole.body[:-3], is_binary=whole.is_binary), strays=True)


def test_markers_that_nobody_asked_for_are_none(device):
    assert read_bx(asked(device, "BX:0003")).strays_mm is None


@given(st.binary(max_size=120))
def test_no_reply_with_markers_raises_anything_else(body: bytes):
    with suppress(NdiReplyError):
        read_bx(Reply(body, is_binary=True), strays=True)


@given(st.text("0123456789ABCDEF+-\n", max_size=120))
def test_no_ascii_reply_with_markers_raises_anything_else(text: str):
    with suppress(NdiReplyError):
        read_tx(Reply(text.encode()), strays=True)


def test_handles_and_places():
    assert read_handles(Reply(b"0201001A0031")) == (0x01, 0xA0)
    assert read_handle(Reply(b"0A")) == 10
    assert read_location(Reply(b"00000000000301")) == (3, 1)
    assert read_location(Reply(b"UNOCCUPIED")) is None
