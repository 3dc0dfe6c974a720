"""Checks of processor, memory, disk, clock and ports. Disk and clock are measured."""

from __future__ import annotations

import os
import platform
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from navigation.clock import PacedClock
from navigation.commands.doctor.report import Finding
from navigation.processes.priority import isolated_cores, may_have_real_time

GROUP = "machine"
_MIB = 1024**2
_GIB = 1024**3
_VECTOR_UNITS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")

_NEEDED_CORES = 2
_NEEDED_MEMORY_GIB = 6.0  # the memory that a reconstruction of a whole chest may take
_NEEDED_FREE_GIB = 5.0
_NEEDED_WRITE_MB_PER_S = 60.0  # raw ultrasound, 1 MB at 30 Hz, and the same again for everything else
_NEEDED_JITTER_P99_MS = 2.0  # a fifth of the period at 100 Hz
_SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "pit")  # read outside the processor: microseconds for each reading


def operating_system() -> Iterator[Finding]:
    """Checks the operating system; only Linux has been tested."""
    found = f"{_distribution()}, {platform.system()} {platform.release()} {platform.machine()}"
    action = "use Linux: nothing else has been tried"
    yield Finding.judged(GROUP, "system", platform.system() == "Linux", found, action, {})


def processor_and_memory() -> Iterator[Finding]:
    """Checks the cores that this process may use, the vector units that inference profits from, and memory."""
    cores = len(os.sched_getaffinity(0))
    cpuinfo = _fields(Path("/proc/cpuinfo"))
    units = " ".join(unit for unit in _VECTOR_UNITS if unit in cpuinfo.get("flags", "").split())
    yield Finding.judged(
        GROUP,
        "processor",
        cores >= _NEEDED_CORES,
        f"{cores} cores of {cpuinfo.get('model name', platform.machine())}; {units or 'vector units unknown'}",
        f"give it {_NEEDED_CORES} cores: with one, the pose stream and the network wait for each other",
        {"cores": cores, "vector_units": units},
    )
    total_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    free_gib = int(_fields(Path("/proc/meminfo")).get("MemAvailable", "0 kB").split()[0]) * 1024 / _GIB
    yield Finding.judged(
        GROUP,
        "memory",
        free_gib >= _NEEDED_MEMORY_GIB,
        f"{total_gib:.1f} GiB, {free_gib:.1f} GiB of it free",
        f"close other programs: reconstruction may take {_NEEDED_MEMORY_GIB:.0f} GiB",
        {"total_gib": total_gib, "free_gib": free_gib},
    )


def real_time() -> Iterator[Finding]:
    """Whether the pose process may have a real-time priority (``surgnav serve --real-time``) and a core to itself."""
    isolated = sorted(isolated_cores())
    may = may_have_real_time()
    cores = f"cores kept free of other programs: {', '.join(map(str, isolated)) or 'none'}"
    yield Finding.judged(
        GROUP,
        "real time",
        may,
        f"real-time priority {'granted' if may else 'not granted'} to this user; {cores}",
        "for 'serve --real-time': rtprio 20 in /etc/security/limits.conf, or LimitRTPRIO=20 in its systemd unit",
        {"may_have_real_time": may, "isolated_cores": len(isolated)},
    )


def disk(folder: Path, write_mib: int) -> Iterator[Finding]:
    """Measures the write rate: writes `write_mib` MiB into `folder`, syncs them to the disk, and deletes them."""
    folder.mkdir(parents=True, exist_ok=True)
    status = os.statvfs(folder)
    free_gib = status.f_bavail * status.f_frsize / _GIB
    rate_mb_per_s = _write_rate_mb_per_s(folder, write_mib)
    yield Finding.judged(
        GROUP,
        "disk",
        free_gib >= _NEEDED_FREE_GIB and rate_mb_per_s >= _NEEDED_WRITE_MB_PER_S,
        f"{rate_mb_per_s:.0f} MB/s written and synced in {folder}, {free_gib:.0f} GiB free",
        f"choose a folder with {_NEEDED_FREE_GIB:.0f} GiB free on a disk that takes {_NEEDED_WRITE_MB_PER_S:.0f} MB/s",
        {"write_mb_per_s": rate_mb_per_s, "free_gib": free_gib, "folder": str(folder)},
    )


def clock_and_jitter(clock: PacedClock, rate_hz: float, ticks: int) -> Iterator[Finding]:
    """Checks the kernel's clock source, and measures how late a loop at `rate_hz` wakes up over `ticks` periods."""
    path = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    source = path.read_text().strip() if path.exists() else "unknown source"
    resolution_ns = round(time.get_clock_info("monotonic").resolution * 1e9)
    yield Finding.judged(
        GROUP,
        "clock",
        source not in _SLOW_CLOCKS,
        f"{source}, monotonic, resolution {resolution_ns} ns",
        "let the kernel use tsc (clocksource=tsc): each reading of this one takes microseconds",
        {"source": source, "resolution_ns": resolution_ns},
    )
    p50_ms, p99_ms = (float(value) for value in np.percentile(_lateness_ms(clock, rate_hz, ticks), (50, 99)))
    yield Finding.judged(
        GROUP,
        "jitter",
        p99_ms <= _NEEDED_JITTER_P99_MS,
        f"a {rate_hz:.0f} Hz loop wakes {p50_ms:.2f} ms late (p50), {p99_ms:.2f} ms (p99)",
        f"free a core: poses that leave more than {_NEEDED_JITTER_P99_MS:.0f} ms late are seen to lag",
        {"rate_hz": rate_hz, "late_p50_ms": p50_ms, "late_p99_ms": p99_ms},
    )


def bridge_ports(ports: Sequence[int]) -> Iterator[Finding]:
    """Checks that each loopback port of the bridge is free, by binding it for a moment."""
    taken = ", ".join(str(port) for port in ports if not _can_bind(port))
    names = ", ".join(map(str, ports))
    yield Finding.judged(
        GROUP,
        "ports",
        not taken,
        f"of {names} on 127.0.0.1, in use: {taken}" if taken else f"{names} free on 127.0.0.1",
        "stop the program that holds them (ss -ltnp shows which), or serve on other ports",
        {"taken": taken},
    )


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return sys.platform


def _fields(path: Path) -> dict[str, str]:
    """The first value for each name in the ``name: value`` lines of a file under /proc; empty without the file."""
    if not path.exists():
        return {}
    fields: dict[str, str] = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields


def _write_rate_mb_per_s(folder: Path, write_mib: int) -> float:
    block = os.urandom(4 * _MIB)  # random: some file systems compress
    blocks = max(1, write_mib // 4)
    with tempfile.TemporaryFile(dir=folder) as file:
        start_ns = time.perf_counter_ns()
        for _ in range(blocks):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        duration_s = (time.perf_counter_ns() - start_ns) / 1e9
    return blocks * len(block) / 1e6 / duration_s


def _lateness_ms(clock: PacedClock, rate_hz: float, ticks: int) -> np.ndarray:
    period_ns = round(1e9 / rate_hz)
    start_ns = clock.now_ns() + period_ns
    late_ns = np.empty(ticks, dtype=np.int64)
    for tick in range(ticks):
        due_ns = start_ns + tick * period_ns
        clock.sleep_until_ns(due_ns)
        late_ns[tick] = clock.now_ns() - due_ns
    return late_ns / 1e6


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free to ZeroMQ too
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
