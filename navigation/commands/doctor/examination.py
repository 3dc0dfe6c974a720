"""Runs every check; a check that fails does not keep the others from running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from navigation.clock import MonotonicClock, PacedClock
from navigation.commands.doctor import inference, machine, software
from navigation.commands.doctor.report import DoctorReport, Finding, Status

_REPOSITORY = Path(__file__).resolve().parents[2]
_SUPPORTED_PYTHON = (3, 11)

Check = Callable[[], Iterator[Finding]]


@dataclass(frozen=True, kw_only=True)
class DoctorSettings:
    """How the machine is examined.

    Attributes:
        out_folder: the folder for cases and recordings, whose write speed is measured; made if absent.
        ports: the loopback ports of the bridge: poses, surfaces, control.
        write_mib: how many MiB are written to measure the disk.
        jitter_rate_hz: rate of the loop whose jitter is measured: that of the pose stream.
        jitter_ticks: number of periods over which the jitter is measured.
        lock_file: the package versions to compare with.
    """

    out_folder: Path = Path("out")
    ports: tuple[int, ...] = (5570, 5571, 5572)
    write_mib: int = 64
    jitter_rate_hz: float = 100.0
    jitter_ticks: int = 150
    lock_file: Path = _REPOSITORY / "requirements.lock"


def examine(
    settings: DoctorSettings = DoctorSettings(),
    clock: PacedClock | None = None,
    progress: Callable[[str], None] | None = None,
) -> DoctorReport:
    """Examines this machine, which takes about 15 s.

    Args:
        settings: what is measured, and for how long.
        clock: the clock whose wake-ups are measured; the system's monotonic clock if None.
        progress: called with the name of each check as it begins.

    Returns:
        The findings. A check that raises is a finding with the status fail; this function raises nothing.
    """
    findings: list[Finding] = []
    for name, check in _checks(settings, clock or MonotonicClock()).items():
        if progress is not None:
            progress(name)
        findings.extend(_run(name, check))
    return DoctorReport(tuple(findings))


def _checks(settings: DoctorSettings, clock: PacedClock) -> dict[str, Check]:
    """The checks by name. Jitter is measured first: the inference engines leave threads that would disturb it."""
    jitter = partial(machine.clock_and_jitter, clock, settings.jitter_rate_hz, settings.jitter_ticks)
    return {
        "system": machine.operating_system,
        "processor and memory": machine.processor_and_memory,
        "clock": jitter,
        "real time": machine.real_time,
        "disk": partial(machine.disk, settings.out_folder, settings.write_mib),
        "ports": partial(machine.bridge_ports, settings.ports),
        "python": partial(software.python, _SUPPORTED_PYTHON),
        "libraries": partial(software.libraries, settings.lock_file),
        "extras": software.extras,
        "demo CT": software.demo_ct,
        "gpu": inference.gpu_and_tensorrt,
        "engines": partial(inference.engines, clock),
        "rendering": inference.rendering,
    }


def _run(name: str, check: Check) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 - a check that breaks is reported, and the others still run
        what = f"the check broke: {type(error).__name__}: {error}"
        return [Finding("broken", name, Status.FAIL, what, "run make setup; if it stays, report this line")]
