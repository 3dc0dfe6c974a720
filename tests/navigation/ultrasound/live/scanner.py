"""A simulated scanner that sends its images over OpenIGTLink, and the tracker beside it, on one moving probe."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry import Transform
from geometry.frames import CT, PROBE, REFERENCE
from navigation.clock import MonotonicClock
from navigation.devices.driver import Device, StampClock, Stamps
from navigation.devices.openigtlink.framing import Message, pack
from navigation.devices.openigtlink.messages import Image, TransformMatrix
from navigation.devices.openigtlink.settings import LinkSettings
from navigation.live.pose_graph import PATIENT
from navigation.live.pose_mirror import PoseMirror
from navigation.simulation.ultrasound.formation import UltrasoundSimulator
from navigation.simulation.ultrasound.tissue import BLOOD, FAT, MUSCLE, TissueGrid
from navigation.ultrasound.live.process import LiveConfig
from navigation.ultrasound.placing import ProbeInForce
from tests.navigation.ultrasound.live.probes import probe_in_force
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

PERIOD_S, FRAME_S, POSE_S = 4.0, 0.04, 0.01
PIXEL_MM = 0.25
SIZE_PX = (160, 160)
LAG_S = -0.06
GEOMETRY = ScanGeometry.linear(SIZE_PX, (PIXEL_MM, PIXEL_MM), width_mm=38.0, depth_mm=39.0)
BOX_MM = np.array([[-35.0, -20.0, -2.0], [35.0, 20.0, 55.0]])
# Image x along the probe's x, depth along its z; the face's middle is the marker's origin.
COLUMNS_MM = np.array([[PIXEL_MM, 0.0, -PIXEL_MM * GEOMETRY.face_px[0]], [0.0, 0.0, 0.0], [0.0, PIXEL_MM, 0.0]])


def probe() -> ProbeInForce:
    """Its calibrations, exact."""
    image_map = ImageToProbe(COLUMNS_MM, np.diag([1e-8] * 6 + [1e-4] * 3))
    return replace(probe_in_force(), image_map=image_map, size_px=SIZE_PX, lag_s=LAG_S)


def pose(t_s: float) -> Transform:
    """``T_reference_probe``: moved sideways, up and down and along, again and again."""
    turn = 2.0 * np.pi * t_s / PERIOD_S
    x = 5.0 * np.sin(turn) + 1.5 * np.sin(2.0 * turn + 1.0) + 1.0 * np.sin(3.0 * turn)
    z = 3.0 + 1.2 * np.sin(2.0 * turn + 0.5) + 0.8 * np.sin(3.0 * turn + 1.0)
    y = 2.0 * np.sin(turn + 2.0)
    tilt = Rotation.from_rotvec([0.0, np.deg2rad(2.0) * np.sin(turn), 0.0])
    return Transform.from_rotation(tilt, [x, y, z], REFERENCE, PROBE)


def film() -> list[np.ndarray]:
    """One period of images, formed in tissue that stands still."""
    vessel = {
        FAT: lambda p: p[:, 2] - 9.0 - np.sin(p[:, 0] / 5.0),
        BLOOD: lambda p: np.hypot(p[:, 0] - 3.0, p[:, 2] - 25.0) - 4.0,
    }
    simulator = UltrasoundSimulator(TissueGrid.of_shapes(vessel, MUSCLE, BOX_MM), GEOMETRY)
    images = []
    for number in range(round(PERIOD_S / FRAME_S)):
        matrix = pose(number * FRAME_S).matrix @ np.column_stack([np.eye(4)[:, :3], np.eye(4)[:, 3]])
        plane = np.eye(4)
        plane[:3, :2], plane[:3, 3] = matrix[:3, :3] @ COLUMNS_MM[:, :2], matrix[:3, :3] @ COLUMNS_MM[:, 2]
        plane[:3, 3] += matrix[:3, 3]
        images.append(simulator.image(plane, number))
    return images


class Scanner:
    """Sends an image every 40 ms to whoever connects, and offers the probe's pose every 10 ms.

    Args:
        images: from `film`.
        mirror: address at which the poses are mirrored; None sends them over OpenIGTLink, beside the images.

    Attributes:
        port: where it listens.
        lag_s: an image with the stamp t shows the probe at ``t + lag_s``.
        alter: what happens to an image on its way.
        is_silent: sends nothing, and stays connected.
        probe: validity of the poses, and why.
        T_reference_ct: the registration; None of a patient who is not registered.
    """

    def __init__(self, images: list[np.ndarray], mirror: str | None = None) -> None:
        self.lag_s = LAG_S
        self.alter: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels
        self.is_silent = False
        self.probe = (Validity.VALID, "")
        self.T_reference_ct: Transform | None = None
        self._images, self._mirror = images, None if mirror is None else PoseMirror(mirror)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._peers: list[socket.socket] = []
        self._is_plugged, self._ends, self._sending = True, threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=run) for run in (self._accept, self._send, self._track)]
        for thread in self._threads:
            thread.start()

    def pull_cable(self) -> None:
        """Nobody is connected, and nobody can connect."""
        self._is_plugged = False
        for peer in self._peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
            peer.close()
        self._peers.clear()

    def plug_in(self) -> None:
        self._is_plugged = True

    def close(self) -> None:
        self._ends.set()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join()
        self.pull_cable()
        if self._mirror is not None:
            self._mirror.close()

    def _accept(self) -> None:
        while not self._ends.is_set():
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            if self._is_plugged:
                self._peers.append(peer)
            else:
                peer.close()

    def _send(self) -> None:
        due_s = time.monotonic()
        while not self._ends.wait(max(0.0, due_s - time.monotonic())):
            due_s += FRAME_S
            now_s, stamp_ns = time.monotonic(), time.time_ns()
            number = round((now_s + self.lag_s) % PERIOD_S / FRAME_S) % len(self._images)
            pixels = self.alter(self._images[number])
            self._tell(pack(Message(Image(pixels[None], np.eye(4)), "Image_Reference", stamp_ns)))

    def _tell(self, message: bytes) -> None:
        with self._sending:
            for peer in () if self.is_silent else tuple(self._peers):
                with suppress(OSError):
                    peer.sendall(message)

    def _track(self) -> None:
        while not self._ends.wait(POSE_S):
            now_ns, stamp_ns = MonotonicClock().now_ns(), time.time_ns()
            validity, reason = self.probe
            if self._mirror is None:
                seen = {"ProbeToTracker": pose(now_ns / 1e9).matrix, "ReferenceToTracker": np.eye(4)}
                for name, matrix in seen.items():
                    self._tell(pack(Message(TransformMatrix.of(matrix), name, stamp_ns)))
                continue
            placed = pose(now_ns / 1e9) if validity in (Validity.VALID, Validity.SUSPECT) else None
            tool = ToolState(
                tool=PROBE, to_frame=REFERENCE, from_frame=PROBE, validity=validity, reason=reason, T_to_from=placed
            )
            registered = self.T_reference_ct is not None
            patient = ToolState(
                tool=PATIENT,
                to_frame=REFERENCE,
                from_frame=CT,
                validity=Validity.VALID if registered else Validity.LOST,
                reason="" if registered else "not registered",
                T_to_from=self.T_reference_ct,
            )
            self._mirror.offer([tool, patient], now_ns)


def live_config(port: int, cache: Path) -> LiveConfig:
    settings = LinkSettings(host="127.0.0.1", port=port, rate_hz=1.0 / FRAME_S, image="Image_Reference")
    device = Device(name="scanner", driver="openigtlink", settings=settings, stamps=Stamps(StampClock.SENSOR), tools=())
    return LiveConfig(device=device, probe=probe(), T_probe_tip=None, model="bone", cache=cache)
