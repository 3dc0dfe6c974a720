"""What goes first must not take the time of what started it: on Linux a priority counts within a session only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from navigation.live.service import NavigationService
from navigation.processes.priority import (
    POSES,
    REAL_TIME,
    Scheduling,
    ask_for_real_time,
    isolated_cores,
    may_have_real_time,
    scheduling_of,
)
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


def test_a_process_says_what_the_system_gave_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        usual = scheduling_of(process.pid)
        assert usual is not None
        assert (usual.real_time, usual.words.startswith("no real-time priority, nice ")) == (0, True)
        ask_for_real_time(process.pid)
        given = scheduling_of(process.pid)
        assert given is not None
        # Whether this user may have it decides the system, and the answer is what it says.
        assert given.real_time == (REAL_TIME if may_have_real_time() else 0)
        assert os.sched_getscheduler(process.pid) == (os.SCHED_FIFO if given.real_time else os.SCHED_OTHER)
        if len(os.sched_getaffinity(0)) < 4 and not isolated_cores():
            assert given.core is None, "a small machine is left whole"
    finally:
        process.communicate(b"\n")
    assert scheduling_of(process.pid) is None


def test_trying_for_a_moment_changes_nothing() -> None:
    before = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    may_have_real_time()
    assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == before


def test_isolated_cores_as_the_kernel_lists_them(tmp_path: Path) -> None:
    listed = tmp_path / "isolated"
    for text, cores in (("\n", set()), ("3\n", {3}), ("1,4-6\n", {1, 4, 5, 6})):
        listed.write_text(text)
        assert isolated_cores(listed) == cores
    assert isolated_cores(tmp_path / "away") == frozenset()


def test_what_was_not_given_is_said() -> None:
    assert Scheduling(20, 0, 7, True).words == "real-time priority 20, core 7 to itself"
    assert Scheduling(0, -15, 7, False).words == "no real-time priority, nice -15, core 7 shared with other programs"
    assert Scheduling(0, 0, None, False).words == "no real-time priority, nice 0, no core of its own"
