"""How the service stands at one moment: what the operator's screen shows and the metrics count.

Nothing in it says who the patient is: tools and clients by their names, no case and no path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from navigation.live.pose_vitals import Vitals
from navigation.live.standing.sweep import SweepStanding
from navigation.live.standing.ultrasound import UltrasoundStanding
from navigation.processes.child import ChildState
from navigation.processes.priority import Scheduling
from navigation.recorder.writing import RecorderState
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import SelfTestState


@dataclass(frozen=True, eq=False)
class Standing:
    """One snapshot.

    Attributes:
        now_ns: when, on the service's clock.
        vitals: ages of the poses and numbers of frames since the start.
        tools: name -> validity and reason, the patient's registration left out.
        registration: validity and reason.
        clients: name and self-test of each client that is here; names need not differ.
        processes: those beside the service.
        recorder: how the recorder stands; None where nothing is recorded, or before it said so.
        scheduling: of the pose process; None while there is none.
        disk_free_bytes: where the case and its journal are.
        ultrasound: how the live ultrasound stands; None without one, and while its process does not run.
        sweep: how the ultrasound sweep stands; None in a room without any.
    """

    now_ns: int
    vitals: Vitals
    tools: Mapping[str, tuple[Validity, str]]
    registration: tuple[Validity, str]
    clients: tuple[tuple[str, SelfTestState], ...]
    processes: tuple[ChildState, ...]
    recorder: RecorderState | None
    scheduling: Scheduling | None
    disk_free_bytes: int
    ultrasound: UltrasoundStanding | None = None
    sweep: SweepStanding | None = None

    @property
    def newest_age_ms(self) -> float | None:
        """Age of the newest frame; None before the first."""
        captured_ns = self.vitals.capture_ns
        return None if captured_ns is None else (self.now_ns - captured_ns) / 1e6
