"""A server that the sample scene plays against, and what would be seen of it."""

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.surface import Surface
from geometry.transform import Transform
from navigation.guidance.new_plan import GuidanceSetup
from navigation.guidance.publish import GuidancePublisher
from tests.navigation.guidance.harness import plan
from tests.unity_bridge.harness import CLOCK, Server
from unity_bridge import ToolState, encode_surface
from unity_bridge.control.event_handler import NoEventHandler
from unity_bridge.control.event_window import Outcome
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.messages import HeadsetAlignment


def pose(to_frame: str, from_frame: str, seed: int) -> Transform:
    """Turned about all axes and away from the origin: a mistake in any of them shows."""
    rng = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(rng.uniform(-1.0, 1.0, 3)).as_matrix()
    matrix[:3, 3] = rng.uniform(-200.0, 200.0, 3)
    return Transform(matrix, to_frame, from_frame)


POSES = {
    "reference": pose("tracker", "reference", 1),
    "stylus": pose("reference", "stylus_tip", 2),
    "patient": pose("reference", "ct", 3),
}


class Handler(NoEventHandler):
    """Keeps every event, and accepts it."""

    def __init__(self) -> None:
        self.events = []

    def handle(self, event, sender):
        self.events.append(event)
        return Outcome("kept")


class Observer:
    """Answers every headset with the alignment that it is given."""

    def __init__(self) -> None:
        self.anchor = ""
        self.alignment: HeadsetAlignment | None = None

    def take(self, message, sender, stream, received_ns):
        self.anchor = message.anchor
        return self.alignment

    def left(self, sender, stream, reason):
        pass


class Room:
    """A server and what it says of each tool; `work` is one round of it."""

    def __init__(self, security=None, with_ultrasound: bool = False) -> None:
        self.handler, self.observer = Handler(), Observer()
        self.server = Server(
            handler=self.handler, security=security, observer=self.observer, with_ultrasound=with_ultrasound
        )
        setup = GuidanceSetup(plan=plan(), tools={"stylus": False}, followed="left")
        self.guidance = GuidancePublisher(setup, self.server.session, self.server.poses.send)
        self.tools = {name: self.valid(name) for name in POSES}
        self.is_moving = False

    @staticmethod
    def valid(name: str) -> ToolState:
        T_to_from = POSES[name]
        return ToolState(
            tool=name,
            to_frame=T_to_from.to_frame,
            from_frame=T_to_from.from_frame,
            validity=Validity.VALID,
            T_to_from=T_to_from,
            expected_error_mm={"stylus": 0.6, "patient": 0.8}.get(name),
            registration_id="registration-1" if name == "patient" else "",
        )

    def say(self, name: str, validity: Validity, reason: str) -> None:
        """A lost tool without a pose, another with the one it has."""
        lost = validity is Validity.LOST
        self.tools[name] = dataclasses.replace(
            self.valid(name),
            validity=validity,
            reason=reason,
            T_to_from=None if lost else POSES[name],
            expected_error_mm=None if lost else self.valid(name).expected_error_mm,
        )

    def work(self) -> None:
        if self.is_moving:
            matrix = POSES["stylus"].matrix.copy()
            matrix[0, 3] += self.server.poses.last_sequence % 100
            moved = Transform(matrix, "reference", "stylus_tip")
            self.tools["stylus"] = dataclasses.replace(self.valid("stylus"), T_to_from=moved)
        states, now_ns = list(self.tools.values()), CLOCK.now_ns()
        self.server.poses.publish(states, now_ns)
        self.guidance.after(states, now_ns)
        self.server.serve()

    def offer(self, name: str, size_mm: float = 100.0, frame: str = "ct"):
        """An irregular tetrahedron; returns its payload."""
        corners = np.array([[0.0, 0.0, 0.0], [1.0, 0.1, 0.0], [0.2, 0.9, 0.0], [0.3, 0.2, 0.8]]) * size_mm
        triangles = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
        payload = encode_surface(Surface(corners, triangles, frame, name))
        self.server.surfaces.offer(payload, "approved", "Dr. A. Example")
        return payload


def displays(shown) -> dict[str, str]:
    return {name: frame["display"] for name, frame in shown["frames"].items() if name in POSES}


def all_shown(shown) -> bool:
    return set(displays(shown).values()) == {"Shown"}
