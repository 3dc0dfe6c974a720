"""Equal names of clocks are one time scale, so two machines, or two boots of one, have different ones."""

import hashlib
import re
import subprocess
import sys

import pytest

from navigation.clock import MonotonicClock
from unity_bridge.client.__main__ import MonotonicClock as ClientsClock
from unity_bridge.wire.clock_name import boot_clock_name


@pytest.fixture
def proc(tmp_path):
    """What a kernel says of itself."""
    numbers = iter(range(100))

    def make(boot: str | None, shift: str | None):
        folder = tmp_path / str(next(numbers))
        for path, text in (("sys/kernel/random/boot_id", boot), ("self/timens_offsets", shift)):
            (folder / path).parent.mkdir(parents=True)
            if text is not None:
                (folder / path).write_text(text)
        return folder

    return make


def test_the_name_by_hand(proc):
    """As docs/unity_bridge/protocol.md has it, for clients in other languages."""
    text = "8b5d8612-e5cc-4c46-b6af-ef0e7cba939e\nmonotonic 0 0 boottime 0 0"
    found = boot_clock_name(
        proc(
            "8b5d8612-e5cc-4c46-b6af-ef0e7cba939e\n",
            "monotonic           0         0\nboottime            0         0\n",
        )
    )
    assert found == "monotonic-" + hashlib.sha256(text.encode()).digest()[:8].hex()
    assert re.fullmatch(r"monotonic-[0-9a-f]{16}", found)


def test_another_boot_and_another_time_namespace_are_other_clocks(proc):
    kernels = [proc("a", "monotonic 0 0"), proc("b", "monotonic 0 0"), proc("a", "monotonic 5 0"), proc("a", None)]
    names = [boot_clock_name(kernel) for kernel in kernels]
    assert len(set(names)) == 4
    assert boot_clock_name(proc("a", "monotonic 0 0")) == names[0]


def test_a_kernel_that_says_nothing_still_has_one_name_for_all_its_processes(proc):
    assert boot_clock_name(proc(None, None)) == boot_clock_name(proc(None, None)) != boot_clock_name(proc("a", None))


def test_every_process_of_this_machine_has_one_name():
    program = "from unity_bridge.wire.clock_name import boot_clock_name; print(boot_clock_name())"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert {printed.stdout.strip()} == {boot_clock_name(), MonotonicClock().clock_id, ClientsClock().clock_id}
