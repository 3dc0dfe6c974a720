"""``surgnav calibrate probe`` and ``probe-time`` live: a played sequence of PLUS, and a sender of OpenIGTLink."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from calibration.rack import in_force
from navigation.clock import NS_PER_S
from navigation.devices.openigtlink.framing import Message, pack
from navigation.devices.openigtlink.messages import Image
from tests.calibration.ultrasound_probe.targets.recorded import drawn_line, write_sequence
from tests.calibration.ultrasound_probe.targets.sweeps import SIZE_PX, Motion, Noise, a_probe, sweep
from tests.navigation.commands.calibrate.harness import plus, run
from tests.navigation.devices.openigtlink.senders import PATIENCE_S, transform

PERIOD_NS = NS_PER_S // 20
PLAYED = """
rack = "rack"
[devices.plus]
driver = "replay"
file = "{file}"
speed = {speed}
[tools.reference]
device = "plus"
role = "reference"
[tools.probe]
device = "plus"
role = "probe"
calibration = "probe_7"
"""
LINKED = """
rack = "rack"
[devices.plus]
driver = "openigtlink"
host = "127.0.0.1"
port = {port}
rate_hz = 50
image = "Image_Reference"
[tools.reference]
device = "plus"
role = "reference"
id = "ReferenceToTracker"
[tools.probe]
device = "plus"
role = "probe"
id = "ProbeToTracker"
"""


class Scanner:
    """Sends whoever connects an image and two transforms of one time, 20 times a second, as PLUS does."""

    def __init__(self, images: np.ndarray, probe: np.ndarray, reference: np.ndarray) -> None:
        self._images, self._probe, self._reference = images, probe, reference
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._serve) for _ in range(2)]
        self._begun_ns = time.time_ns()

    def __enter__(self) -> Scanner:
        self._server.settimeout(PATIENCE_S)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _serve(self) -> None:
        with suppress(OSError):
            peer, _ = self._server.accept()
            with peer:
                number = (time.time_ns() - self._begun_ns) // PERIOD_NS
                while not self._stopping.is_set():
                    number += 1
                    stamp_ns = self._begun_ns + number * PERIOD_NS
                    self._stopping.wait(max(0, stamp_ns - time.time_ns()) / NS_PER_S)
                    peer.sendall(self._messages(number % len(self._images), stamp_ns))

    def _messages(self, at: int, stamp_ns: int) -> bytes:
        # A tracker's noise: what is repeated to the last bit is nothing new.
        reference = self._reference.copy()
        reference[0, 3] = 1e-3 * (stamp_ns % 997)
        image = pack(Message(Image(self._images[at][None], np.eye(4)), "Image_Reference", stamp_ns))
        return (
            transform("ReferenceToTracker", reference, stamp_ns)
            + image
            + transform("ProbeToTracker", reference @ self._probe[at], stamp_ns)
        )


def room(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "or.toml"
    path.write_text(text)
    return path


def test_plus_own_tank_is_played_as_if_it_were_live(shared_data, tmp_path: Path):
    images, _ = plus(shared_data)
    text = PLAYED.format(file=images / "WaterTankBottomTranslationCombined.igs.mha", speed=1.0)
    code, said = run("probe-time", "--room", room(tmp_path, text))
    assert code == 0, said
    assert "100% covered; the lag is" in said
    result = in_force(tmp_path / "rack", "probe_7", "probe_temporal")
    # It ends as soon as the lag is known to 10 ms; PLUS has -64.8 ms of the whole recording.
    assert result.numbers["lag_ms"] == pytest.approx(-64.8, abs=20.0)
    assert result.inputs[0].name == "or"


def wall(n: int, noise: Noise):
    rng = np.random.default_rng(4)
    truth = a_probe(rng)
    lines, poses, _ = sweep("wall", truth, n, noise, rng, Motion(tilt_deg=25.0, rock_deg=20.0, deep=0.25))
    return truth, np.stack([drawn_line(line, SIZE_PX) for line in lines]), poses


def test_a_recording_that_ends_ends_the_collecting_and_what_was_collected_is_kept(tmp_path: Path):
    _, images, poses = wall(30, Noise(pixel=0.0, tracker_mm=0.05, tracker_rad=0.0002))
    held = np.tile(np.eye(4), (30, 1, 1))
    held[:, 2, 3] = 900.0 + 0.01 * np.arange(30)
    tools = {"ProbeToTracker": held @ poses, "ReferenceToTracker": held}
    file = write_sequence(tmp_path / "wall.igs.mha", images, tools)
    asked = ("probe", "--method", "wall", "--room", room(tmp_path, PLAYED.format(file=file, speed=1.0)))
    code, said = run(*asked)
    assert code in (0, 2), said
    assert "probe_spatial of probe_7" in said
    assert "kept as" in said


def test_a_room_without_ultrasound_is_told(tmp_path: Path):
    file = tmp_path / "poses.csv"
    file.write_text("time_s,tool,x_mm,y_mm,z_mm,qx,qy,qz,qw\n")
    text = LINKED.format(port=18944).replace('image = "Image_Reference"\n', "")
    code, said = run("probe", "--method", "wall", "--room", room(tmp_path, text))
    assert code == 1
    assert "no sources of ultrasound among plus" in said
    assert (
        "--points with --room" in run("probe", "--method", "cross", "--points", file, "--room", tmp_path / "or.toml")[1]
    )


def test_images_and_poses_over_openigtlink(tmp_path: Path):
    truth, images, poses = wall(90, Noise(pixel=0.0, tracker_mm=0.05, tracker_rad=0.0002))
    still = np.eye(4)
    still[2, 3] = 900.0
    with Scanner(images, poses, still) as server:
        x, y = (truth.columns_mm[:, k] / np.linalg.norm(truth.columns_mm[:, k]) for k in (0, 1))
        sides = ("--marked", *x, "--far", *y)
        asked = ("probe", "--method", "wall", "--room", room(tmp_path, LINKED.format(port=server.port)), *sides)
        code, said = run(*asked, "--seconds", 8.0)
    assert code == 0, said
    result = in_force(tmp_path / "rack", "probe", "probe_spatial")
    found = np.array(result.matrices["image_px_to_probe_mm"])[:3, [0, 1, 3]]
    assert truth.corner_errors_mm(found).max() < 2.0
