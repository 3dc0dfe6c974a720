"""Ways to a device: baud rates, ports at which nothing is, and ports that others have."""

from __future__ import annotations

import socket

import pytest

from navigation.devices.ndi.settings import NdiSettings
from tests.navigation.devices.ndi.watched import GONE, watched


@pytest.mark.parametrize("baud", [9600, 57600, 921600, 1228739])
def test_the_baud_rate_is_changed_from_whatever_it_was(serial, tmp_path, baud):
    for used in (baud, 115_200):
        with watched(serial.settings(baud=used, reply_s=0.5), tmp_path) as device:
            device.tracks()


def test_ports_at_which_nothing_is(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        free = nobody.getsockname()[1]
    with watched(NdiSettings(host="127.0.0.1", port=free, reply_s=0.5), tmp_path) as device:
        device.becomes(GONE, "connection refused")
    with watched(NdiSettings(serial_port=str(tmp_path / "away"), reply_s=0.5), tmp_path) as device:
        device.becomes(GONE, "away, which cannot be opened: no such file or directory")
    with watched(NdiSettings(serial_port=str(tmp_path / "1.rom"), reply_s=0.5), tmp_path) as device:
        device.becomes(GONE, "1.rom, which cannot be opened")


def test_a_port_that_answers_nobody(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as dead:
        settings = NdiSettings(host="127.0.0.1", port=dead.getsockname()[1], reply_s=0.2)
        with watched(settings, tmp_path) as device:
            device.becomes(GONE, "no answer to INIT")


def test_a_serial_port_that_another_program_has(serial, tmp_path):
    with watched(serial.settings(reply_s=0.3), tmp_path) as first:
        first.tracks()
        with watched(serial.settings(reply_s=0.3), tmp_path) as second:
            second.becomes(GONE, "which cannot be opened: resource temporarily unavailable")
        first.tracks()
