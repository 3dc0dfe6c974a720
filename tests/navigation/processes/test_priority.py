"""What goes first must not take the time of what started it: on Linux a priority counts within a session only."""

from __future__ import annotations

import os
from pathlib import Path

from navigation.live.service import NavigationService
from navigation.processes.priority import POSES
from navigation.simulation.operating_room import OperatingRoom
from tests.navigation.live.served_room import registered, room_config, service_config


def test_a_pose_process_that_goes_first_has_a_session_and_its_share_of_the_processors_to_itself() -> None:
    config = service_config(registered(OperatingRoom(room_config())), start_timeout_s=240.0)
    with NavigationService(config) as service:
        process = service.pose_process.process_id
        assert process is not None
        niceness = os.getpriority(os.PRIO_PROCESS, process)
        if niceness >= 0:  # this user may not raise it, and then it takes no more than its share
            assert os.getsid(process) == os.getsid(0)
            return
        assert niceness == POSES
        assert os.getsid(process) == process
        share = Path(f"/proc/{process}/autogroup")
        if share.exists():
            assert share.read_text(encoding="ascii").split()[1:] == ["nice", str(POSES)]
