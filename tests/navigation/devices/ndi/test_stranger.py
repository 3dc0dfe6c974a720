"""The fake device satisfies another client of NDI's protocol, ndicapi, which was written against real devices.

So the fake is not only what our driver expects: the same bytes give the same poses to both.
"""

from __future__ import annotations

import subprocess
import sys

import ndicapy
import numpy as np
import pytest

from tests.navigation.devices.ndi.lab import BX_MM, TX_MM, rom_bytes
from tests.navigation.devices.ndi.truth import true_pose


@pytest.fixture(params=["network", "serial"])
def opened(request):
    fake = request.getfixturevalue(request.param)
    if request.param == "network":
        stranger = ndicapy.ndiOpenNetwork("127.0.0.1", int(fake.address))
        yield stranger
        ndicapy.ndiCloseNetwork(stranger)
        return
    stranger = ndicapy.ndiOpen(fake.address)
    asked(stranger, f"COMM:{ndicapy.NDI_115200}{ndicapy.NDI_8N1:03d}{ndicapy.NDI_NOHANDSHAKE}")
    yield stranger
    ndicapy.ndiClose(stranger)


def asked(stranger, command: str) -> str:
    reply = ndicapy.ndiCommand(stranger, command)
    error = ndicapy.ndiGetError(stranger)
    assert error == ndicapy.NDI_OKAY, f"{command}: {ndicapy.ndiErrorString(error)}"
    return reply


def test_a_stranger_loads_tools_and_reads_the_same_poses(opened, tmp_path):
    asked(opened, "INIT:")
    handles = {}
    for number in (5, 6, 7, 8, 9):
        rom = tmp_path / f"{number}.rom"
        rom.write_bytes(rom_bytes(number))
        asked(opened, "PHRQ:*********1****")
        handle = ndicapy.ndiGetPHRQHandle(opened)
        ndicapy.ndiPVWRFromFile(opened, handle, str(rom))
        asked(opened, f"PINIT:{handle:02X}")
        asked(opened, f"PENA:{handle:02X}D")
        handles[number] = handle
    asked(opened, "PHSR:04")
    assert ndicapy.ndiGetPHSRNumberOfHandles(opened) == 5
    asked(opened, "TSTART:")
    with pytest.raises(UnicodeDecodeError):  # its own fault: it takes every reply for text, but has read the poses
        ndicapy.ndiCommand(opened, "BX:0001")
    check(opened, handles, ndicapy.ndiGetBXTransform, ndicapy.ndiGetBXFrame, BX_MM)
    asked(opened, "TX:0001")
    check(opened, handles, ndicapy.ndiGetTXTransform, ndicapy.ndiGetTXFrame, TX_MM)
    asked(opened, "TSTOP:")


def check(opened, handles, transform, frame, within_mm):
    for number, handle in handles.items():
        told = transform(opened, bytes([handle]))
        true = true_pose(number, frame(opened, bytes([handle])))
        np.testing.assert_allclose(told[4:7], true[4:7], rtol=0, atol=within_mm)
        np.testing.assert_allclose(told[:4], true[:4], rtol=0, atol=1e-4)


LISTEN = "import socket, threading, time; s = socket.create_server(('127.0.0.1', 0)); port = s.getsockname()[1]"
OPEN = "d = n.ndiOpenNetwork('127.0.0.1', port); c = s.accept()[0]"


@pytest.mark.parametrize(
    ("program", "ends", "said"),
    [
        # Nobody listens, and a device is returned all the same.
        ("d = n.ndiOpenNetwork('127.0.0.1', 1); print(d is not None)", 0, "True"),
        # Whoever listens says nothing: the command never returns.
        (f"{LISTEN}; {OPEN}; print('asked', flush=True); n.ndiCommand(d, 'INIT:')", None, "asked"),
        # Whoever listens says much: memory that is not the library's is overwritten, and the program is aborted.
        (
            f"{LISTEN}; {OPEN}; print('asked', flush=True); f = lambda: [(time.sleep(0.05), c.sendall(b'x' * 2000)) "
            "for _ in range(9)] and c.close(); threading.Thread(target=f, daemon=True).start(); "
            "n.ndiCommand(d, 'INIT:')",
            -6,
            "asked",
        ),
    ],
)
def test_why_the_driver_does_not_speak_through_ndicapi(program: str, ends: int | None, said: str):
    """The evidence of docs/decisions/2026-11-26-ndi-without-ndicapi.md."""
    running = subprocess.Popen(
        [sys.executable, "-c", f"import ndicapy as n; {program}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout.readline().strip() == said
    try:
        status = running.wait(2.0 if ends is None else 60.0)
        assert status == ends or (ends == -6 and status < 0)
    except subprocess.TimeoutExpired:
        assert ends is None
    finally:
        running.kill()
        running.wait()
        running.stdout.close()
