"""The doctor: what it measures is right, what is missing is told with what to do, and nothing it meets stops it."""

import io
import json
import os
import socket
from pathlib import Path

import pytest
from rich.console import Console

from geometry.clock import ManualClock
from navigation.clock import VirtualClock
from navigation.commands.doctor import examination, inference, machine, software
from navigation.commands.doctor.examination import DoctorSettings, examine
from navigation.commands.doctor.report import DoctorReport, Finding, Status
from navigation.commands.doctor.screen import render
from navigation.pictures.offscreen import OffscreenReport
from reconstruction.network.engines import engine as engines
from reconstruction.network.errors import WeightsError


class LateClock(VirtualClock):
    """Wakes 3 ms after it was asked to."""

    def sleep_until_ns(self, time_ns: int) -> None:
        super().sleep_until_ns(time_ns + 3_000_000)


def only(findings, name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def test_trouble_has_an_action_and_health_has_none():
    with pytest.raises(ValueError, match="expected an action exactly where"):
        Finding("machine", "disk", Status.OK, "fast", "buy another")
    with pytest.raises(ValueError, match="expected an action exactly where"):
        Finding("machine", "disk", Status.FAIL, "gone")


def test_the_report_is_as_bad_as_its_worst_finding():
    ok = Finding("g", "a", Status.OK, "")
    warn = Finding("g", "b", Status.WARN, "", "do")
    fail = Finding("g", "c", Status.FAIL, "", "do")
    assert DoctorReport((ok,)).status is Status.OK
    assert DoctorReport((warn, ok)).status is Status.WARN
    assert DoctorReport((ok, fail, warn)).status is Status.FAIL


def test_jitter_is_the_lateness_of_the_clock():
    punctual = only(machine.clock_and_jitter(VirtualClock(), 100.0, 20), "jitter")
    assert punctual.status is Status.OK
    assert punctual.values["late_p99_ms"] == 0.0
    late = only(machine.clock_and_jitter(LateClock(), 100.0, 20), "jitter")
    assert late.status is Status.WARN
    # Deadlines are absolute, so lateness does not add up from tick to tick.
    assert late.values["late_p50_ms"] == pytest.approx(3.0)
    assert late.values["late_p99_ms"] == pytest.approx(3.0)


def test_a_taken_port_is_named_and_a_freed_one_is_free():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        (taken,) = machine.bridge_ports((port,))
    assert taken.status is Status.WARN
    assert taken.values["taken"] == str(port)
    (free,) = machine.bridge_ports((port,))
    assert free.status is Status.OK


def test_the_disk_is_written_and_left_clean(tmp_path: Path):
    folder = tmp_path / "new" / "out"
    (finding,) = machine.disk(folder, 4)
    assert finding.values["write_mb_per_s"] > 0
    assert list(folder.iterdir()) == []


def test_a_slow_or_full_disk_is_a_warning(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(machine, "_write_rate_mb_per_s", lambda *_: 3.0)
    (finding,) = machine.disk(tmp_path, 4)
    assert finding.status is Status.WARN
    assert "3 MB/s" in finding.found


def test_the_lock_is_compared_package_by_package(tmp_path: Path, repository: Path):
    installed = software.read_lock(repository / "requirements.lock")
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"# exact\nnumpy=={installed['numpy']}\nscipy==0.0.1  # never\nNo_Such.Package==1.0\n")
    finding = only(software.libraries(lock), "lock file")
    assert finding.status is Status.WARN
    assert finding.values == {"locked": 3, "differing": 2}
    assert f"scipy {installed['scipy']} instead of 0.0.1" in finding.found
    assert "no-such-package missing instead of 1.0" in finding.found
    assert only(software.libraries(tmp_path / "none"), "lock file").status is Status.WARN


def test_a_missing_key_library_fails(monkeypatch, repository: Path):
    monkeypatch.setattr(software, "_installed", dict)
    finding = only(software.libraries(repository / "requirements.lock"), "libraries")
    assert finding.status is Status.FAIL
    assert "numpy missing" in finding.found


def test_another_python_is_a_warning():
    (finding,) = software.python((3, 99))
    assert finding.status is Status.WARN
    assert "3.99" in finding.action


def report(name: str, ok: bool) -> engines.EngineReport:
    return engines.EngineReport(name, ok, f"{name} 1.0" if ok else "", "" if ok else "no driver", 12.0 if ok else None)


def test_one_working_engine_is_enough(monkeypatch):
    both = (report("tensorrt", False), report("openvino", False), report("torch", True))
    monkeypatch.setattr(engines, "available_engines", lambda _clock: both)
    found = list(inference.engines(ManualClock()))
    assert only(found, "engine torch").values["ms"] == 12.0
    assert only(found, "engine openvino").status is Status.WARN


def test_tensorrt_is_told_once_unless_it_is_there_and_does_not_run(monkeypatch):
    both = (report("tensorrt", False), report("torch", True))
    monkeypatch.setattr(engines, "available_engines", lambda _clock: both)
    monkeypatch.setattr(inference, "_tensorrt_modules", list)
    assert [finding.name for finding in inference.engines(ManualClock())] == ["engine torch"]
    monkeypatch.setattr(inference, "_tensorrt_modules", lambda: ["tensorrt"])
    assert only(inference.engines(ManualClock()), "engine tensorrt").status is Status.WARN


def test_no_working_engine_or_no_weights_fails(monkeypatch):
    monkeypatch.setattr(engines, "available_engines", lambda _clock: (report("torch", False),))
    (finding,) = inference.engines(ManualClock())
    assert finding.status is Status.FAIL

    def no_weights(_clock):
        raise WeightsError("no file", "a file", "check it out")

    monkeypatch.setattr(engines, "available_engines", no_weights)
    (finding,) = inference.engines(ManualClock())
    assert (finding.status, finding.action) == (Status.FAIL, "check it out")


def test_a_gpu_that_torch_cannot_use_is_told(monkeypatch):
    monkeypatch.setattr(inference, "_nvidia_gpus", lambda: ["NVIDIA X, 600.1, 8192 MiB"])
    monkeypatch.setattr(inference.metadata, "version", lambda _name: "2.13.0+cpu")
    gpu = only(inference.gpu_and_tensorrt(), "gpu")
    assert gpu.status is Status.WARN
    assert "NVIDIA X" in gpu.found
    monkeypatch.setattr(inference.metadata, "version", lambda _name: "2.13.0+cu130")
    assert only(inference.gpu_and_tensorrt(), "gpu").status is Status.OK


def test_without_a_renderer_the_reason_is_told(monkeypatch):
    blind = OffscreenReport(False, None, "vtkEGLRenderWindow crashed")
    monkeypatch.setattr(inference, "offscreen_rendering_available", lambda: blind)
    (finding,) = inference.rendering()
    assert finding.status is Status.WARN
    assert "crashed" in finding.found


def test_a_check_that_breaks_is_a_finding_and_the_others_still_run(monkeypatch):
    def broken():
        raise RuntimeError("sensor on fire")
        yield

    healthy = Finding("machine", "healthy", Status.OK, "yes")
    monkeypatch.setattr(examination, "_checks", lambda *_: {"broken": broken, "healthy": lambda: iter([healthy])})
    told: list[str] = []
    examined = examine(progress=told.append)
    assert told == ["broken", "healthy"]
    assert examined.status is Status.FAIL
    assert "RuntimeError: sensor on fire" in examined.findings[0].found
    assert examined.findings[1] is healthy


def test_this_machine_is_examined_in_time_and_on_one_screen(tmp_path: Path):
    before = os.times()
    examined = examine(DoctorSettings(out_folder=tmp_path, write_mib=8, jitter_ticks=20))
    # A person is asked to wait 15 s. Seen: 9 s of processor time, most of it imports; a busy machine takes longer by
    # the clock but not by this measure.
    assert sum(os.times()[:4]) - sum(before[:4]) < 15.0
    assert {finding.group for finding in examined.findings} >= {"machine", "software", "inference"}
    assert not [finding for finding in examined.findings if finding.group == "broken"]
    assert json.loads(json.dumps(examined.to_json()))["status"] == examined.status.value

    text = io.StringIO()
    render(examined, Console(file=text, width=120))
    for finding in examined.findings:
        assert finding.name in text.getvalue()
    assert len(text.getvalue().splitlines()) < 50


def test_brackets_in_findings_are_text_not_markup():
    text = io.StringIO()
    render(DoctorReport((Finding("g", "gpu", Status.WARN, "[Errno 2]", "install '.[tensorrt]'"),)), Console(file=text))
    assert "[Errno 2]" in text.getvalue()
    assert ".[tensorrt]" in text.getvalue()
