"""A surgeon with a headset, as a process: it sees a simulated patient, touches landmarks and sweeps, told line by line.

    python -m tests.navigation.commands.register.headset_surgeon PORT PLAN.npz

`PLAN.npz` has ``names``, ``landmarks_ct`` and ``surface_ct``. Lines that come: ``touch NAME FRAME``, ``hold NAME``,
``sweep`` and ``vanish`` (goes away without a word, and starts anew). What became of a touch is said in a line.
"""

import queue
import sys
import threading

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import CT, HEADSET, REFERENCE, STYLUS
from navigation.devices.headset.desk import TAKEN_FOR_NS
from tests.navigation.devices.headset.player import CLOCK, Headset
from unity_bridge.client.observation_link import seen
from unity_bridge.wire.convention import points_to_unity
from unity_bridge.wire.messages import EventAnswer

NAME, RATE_HZ, SAMPLES = "hololens", 60.0, 40
TIP_STYLUS_MM = np.array([4.0, -12.0, 150.0])
T_REFERENCE_CT = Transform.from_rotation(Rotation.from_rotvec([0.4, -1.2, 0.9]), [50.0, -30.0, -900.0], REFERENCE, CT)
T_HEADSET_REFERENCE = Transform.from_rotation(
    Rotation.from_rotvec([-0.7, 0.3, 1.9]), [150.0, 620.0, -240.0], HEADSET, REFERENCE
)
# Of a landmark touched by hand, and of the tip in each image.
TOUCH_SD_MM, JITTER_SD_MM = 0.3, 0.1


class Surgeon:
    """Holds the stylus where it is told, and sends what the headset sees of it."""

    def __init__(self, port: int, plan: str) -> None:
        loaded = np.load(plan)
        self.landmarks = dict(zip(loaded["names"].tolist(), loaded["landmarks_ct"], strict=True))
        self.surface_ct = loaded["surface_ct"]
        self.address = f"tcp://127.0.0.1:{port}"
        self.rng = np.random.default_rng(5)
        self.headset = Headset(self.address, NAME)
        self.place_ct = next(iter(self.landmarks.values()))
        self.is_sweeping = False
        self.images = 0

    def see(self) -> np.ndarray | None:
        """Sends one image; the tip in ``reference``, or None if nobody listens yet."""
        self.images += 1
        if self.is_sweeping:
            self.place_ct = self.surface_ct[self.images % len(self.surface_ct)]
        tip_mm = T_REFERENCE_CT.apply(self.place_ct) + self.rng.normal(scale=JITTER_SD_MM, size=3)
        turned = Rotation.from_rotvec([0.3 * np.sin(self.images / 20.0), 0.2, 0.3 * np.cos(self.images / 20.0)])
        T_reference_stylus = Transform.from_rotation(turned, tip_mm - turned.apply(TIP_STYLUS_MM), REFERENCE, STYLUS)
        tools = (
            seen("Cube", T_HEADSET_REFERENCE),
            seen("Pointer", T_HEADSET_REFERENCE @ T_reference_stylus, fit_rms_mm=0.2),
        )
        is_sent = self.headset.show(*tools)
        self.headset.step(round(1000.0 / RATE_HZ))
        return tip_mm if is_sent else None

    def touch(self, name: str, frame: str) -> EventAnswer:
        self.place_ct = self.landmarks[name] + self.rng.normal(scale=TOUCH_SD_MM, size=3)
        tips: list[np.ndarray] = []
        while len(tips) < SAMPLES:
            tip = self.see()
            tips = [*tips, tip] if tip is not None else []
        mean = np.mean(tips, axis=0)
        place = mean if frame == REFERENCE else T_HEADSET_REFERENCE.apply(mean)
        link = self.headset.link
        number = link.send_event(
            "landmark_touched",
            name=name,
            frame=frame,
            anchor=None if frame == REFERENCE else self.headset.anchor,
            position_m=tuple(points_to_unity(place).tolist()),
            tool="Pointer",
            person="Dr Test",
            spread_mm=float(np.sqrt(np.var(tips, axis=0).sum())),
            samples=len(tips),
        )
        while number not in link.events.answers:
            self.see()
        return link.events.answers[number]

    def follow(self, order: str) -> None:
        what, *rest = order.split()
        self.is_sweeping = what == "sweep"
        if what == "touch":
            answer = self.touch(*rest)
            print(rest[0], answer.outcome, answer.note or answer.came, flush=True)
        elif what == "hold":
            self.place_ct = self.landmarks[rest[0]]
        elif what == "vanish":
            self.headset.vanish()
            self.headset = Headset(self.address, NAME)  # its program starts anew: another stream, another anchor
            returned_ns = CLOCK.now_ns() + TAKEN_FOR_NS
            while CLOCK.now_ns() < returned_ns or self.headset.link.refused:
                self.headset.link.refused = 0
                self.see()
        print("done", order, flush=True)


def read_into(orders: "queue.Queue[str | None]") -> None:
    for line in sys.stdin:
        orders.put(line.strip())
    orders.put(None)


def main() -> None:
    surgeon = Surgeon(int(sys.argv[1]), sys.argv[2])
    orders: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=read_into, args=(orders,), daemon=True).start()
    begun_ns = CLOCK.now_ns()
    while CLOCK.now_ns() - begun_ns < 600_000_000_000:  # nobody is left to stop it
        try:
            order = orders.get_nowait()
        except queue.Empty:
            surgeon.see()
            continue
        if order is None:
            return
        surgeon.follow(order)


if __name__ == "__main__":
    main()
