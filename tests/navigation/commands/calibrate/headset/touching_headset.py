"""A person with a headset and a stylus, as a process that touches six points, for `surgnav calibrate headset`.

    python -m tests.navigation.commands.calibrate.headset.touching_headset CONTROL_PORT TRACKER_PORT_FILE

The tracker is one that sends its stylus over OpenIGTLink; its port is written into the file when it listens. What
became of each touch is said in a line. The first touch is made twice: once while the tip still moves, which is refused.
"""

import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from navigation.clock import NS_PER_S
from tests.calibration.headset.harness import SHOWN_MM, truth
from tests.navigation.devices.headset.player import CLOCK, PATIENCE_NS, Headset
from tests.navigation.devices.openigtlink.senders import transform
from unity_bridge.wire.convention import points_to_unity
from unity_bridge.wire.messages import EventAnswer

NAME, TOOL = "hololens", "stylus"
TRUE = truth(np.random.default_rng(2))
TIP_STYLUS_MM = np.array([4.0, -12.0, 150.0])
# Of a point that is drawn in the air, along each axis; and of the tip in each frame.
TOUCH_SD_MM, JITTER_SD_MM = 0.6, 0.1
RATE_HZ, HOLD_S = 50.0, 1.0


class Stylus:
    """The tracker that sees it, and the hand that holds it."""

    def __init__(self) -> None:
        self.tip_headset_mm = SHOWN_MM[0]
        self.speed_mm_s = 0.0
        self._rng = np.random.default_rng(5)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        peer, _ = self._server.accept()
        number = 0
        with peer, suppress(OSError):
            while True:
                number += 1
                away_mm = self.speed_mm_s * (time.monotonic() % 1.0) * np.array([1.0, 0.0, 0.0])
                tip_mm = TRUE.inverse().apply(self.tip_headset_mm + away_mm)
                turned = Rotation.from_rotvec([0.3 * np.sin(number / 20.0), 0.2, 0.3 * np.cos(number / 20.0)])
                pose = np.eye(4)
                pose[:3, :3] = turned.as_matrix()
                pose[:3, 3] = tip_mm + self._rng.normal(scale=JITTER_SD_MM, size=3) - turned.apply(TIP_STYLUS_MM)
                peer.sendall(transform("StylusToTracker", pose, time.time_ns()))
                time.sleep(1.0 / RATE_HZ)


def step_for(headset: Headset, seconds: float) -> None:
    until_ns = CLOCK.now_ns() + round(seconds * NS_PER_S)
    while CLOCK.now_ns() < until_ns:
        headset.step(10)


def touch(headset: Headset, stylus: Stylus, number: int) -> EventAnswer:
    """Holds the tip on a point, says so, and waits for the answer."""
    error_mm = np.random.default_rng(number).normal(scale=TOUCH_SD_MM, size=3)
    stylus.tip_headset_mm = SHOWN_MM[number] + error_mm
    step_for(headset, HOLD_S)
    event = headset.link.send_event(
        "target_touched",
        name=str(number + 1),
        frame="headset",
        anchor=headset.anchor,
        position_m=tuple(points_to_unity(SHOWN_MM[number]).tolist()),
        tool=TOOL,
    )
    until_ns = CLOCK.now_ns() + PATIENCE_NS
    while event not in headset.link.events.answers and CLOCK.now_ns() < until_ns:
        headset.step(10)
    return headset.link.events.answers[event]


def main() -> None:
    stylus, headset = Stylus(), Headset(f"tcp://127.0.0.1:{sys.argv[1]}", NAME)
    ready = Path(sys.argv[2])
    ready.with_suffix(".part").write_text(str(stylus.port))
    ready.with_suffix(".part").replace(ready)
    until_ns = CLOCK.now_ns() + PATIENCE_NS
    while (headset.link.welcome is None or headset.link.clock_offset is None) and CLOCK.now_ns() < until_ns:
        headset.step(10)
    stylus.speed_mm_s = 40.0
    print("moving", *_said(touch(headset, stylus, 0)), flush=True)
    stylus.speed_mm_s = 0.0
    for number in range(len(SHOWN_MM)):
        print(number + 1, *_said(touch(headset, stylus, number)), flush=True)
    headset.close()


def _said(answer: EventAnswer) -> tuple[object, ...]:
    return answer.outcome, answer.note or answer.came


if __name__ == "__main__":
    main()
