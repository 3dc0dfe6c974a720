"""The service in numbers for Prometheus, on this machine only, without anything that says who the patient is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from geometry.extras import from_extra
from navigation.errors import ServiceError
from navigation.live.standing.standing import Standing
from navigation.live.standing.ultrasound import UltrasoundStanding
from unity_bridge.wire.envelope import Validity

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

LOOPBACK = "127.0.0.1"
_BUCKETS_MS = (2, 5, 10, 20, 50, 100, 250, 500, 1000)


class MetricsServer:
    """Serves the newest standing that it was shown at ``http://127.0.0.1:PORT/metrics``, from a thread of its own.

    Args:
        port: 0 takes a free one, which `port` has.

    Raises:
        ServiceError: the port is in use.
        MissingExtraError: prometheus-client is not installed.
    """

    def __init__(self, port: int) -> None:
        with from_extra("navigation"):
            from prometheus_client import CollectorRegistry, metrics_core, start_http_server
        self._families = metrics_core
        registry = CollectorRegistry()
        self._standing: Standing | None = None
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(port, addr=LOOPBACK, registry=registry)
        except OSError as error:
            raise ServiceError(
                f"the port {port} for metrics: {(error.strerror or str(error)).lower()}",
                "a free port of this machine",
                "choose another: --metrics-port 0 takes a free one",
            ) from error
        self.port: int = self._server.server_port

    def show(self, standing: Standing) -> None:
        """Serves this standing from now on."""
        self._standing = standing

    def collect(self) -> Iterator[Metric]:
        """What Prometheus's client asks for at each scrape; nothing before the first standing."""
        standing, families = self._standing, self._families
        if standing is not None:
            yield from _poses(families, standing)
            yield from _states(families, standing)
            yield from _around(families, standing)
            if standing.ultrasound is not None:
                yield from _ultrasound(families, standing.ultrasound)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _poses(families: Any, standing: Standing) -> Iterator[Metric]:
    vitals = standing.vitals
    reached = np.cumsum(vitals.ages_ms)
    # Ages are counted in bins of a millisecond; the last one has whatever is older.
    buckets = [(f"{limit_ms / 1e3:g}", float(reached[limit_ms - 1])) for limit_ms in _BUCKETS_MS]
    seconds = float(vitals.ages_ms @ (np.arange(len(vitals.ages_ms)) + 0.5)) / 1e3
    ages = families.HistogramMetricFamily("surgnav_pose_age_seconds", "Age of a frame when its poses were published.")
    ages.add_metric([], [*buckets, ("+Inf", float(reached[-1]))], seconds)
    yield ages
    yield families.CounterMetricFamily("surgnav_pose_batches", "Published batches.", vitals.last_sequence)
    yield families.CounterMetricFamily("surgnav_frames_dropped", "Frames that were not used.", vitals.frames_dropped)
    yield families.CounterMetricFamily("surgnav_frames_repeated", "Frames that came again.", vitals.frames_repeated)
    if standing.newest_age_ms is not None:
        age_s = standing.newest_age_ms / 1e3
        yield families.GaugeMetricFamily("surgnav_newest_frame_age_seconds", "Age of the newest frame.", age_s)


def _states(families: Any, standing: Standing) -> Iterator[Metric]:
    tools = families.StateSetMetricFamily("surgnav_tool_state", "Validity of a tool.", labels=["tool"])
    for name, (validity, _) in standing.tools.items():
        tools.add_metric([name], _one_of(validity))
    yield tools
    registration = _one_of(standing.registration[0])
    yield families.StateSetMetricFamily("surgnav_registration_state", "Validity of the registration.", registration)


def _around(families: Any, standing: Standing) -> Iterator[Metric]:
    clients = families.GaugeMetricFamily("surgnav_clients", "Clients here, by their self-test.", labels=["self_test"])
    tests = [test.value for _, test in standing.clients]
    for test in sorted(set(tests)):
        clients.add_metric([test], tests.count(test))
    yield clients
    running = families.GaugeMetricFamily("surgnav_process_up", "Whether a process runs.", labels=["process"])
    restarts = families.CounterMetricFamily("surgnav_process_restarts", "Times started again.", labels=["process"])
    for process in standing.processes:
        running.add_metric([process.name], process.is_running)
        restarts.add_metric([process.name], process.restarts)
    yield running
    yield restarts
    yield families.GaugeMetricFamily("surgnav_disk_free_bytes", "Free on the case's disk.", standing.disk_free_bytes)
    if standing.scheduling is not None:
        priority = standing.scheduling.real_time
        yield families.GaugeMetricFamily("surgnav_real_time_priority", "Of the pose process; 0 for none.", priority)
        alone = standing.scheduling.is_alone
        yield families.GaugeMetricFamily("surgnav_own_core", "Whether the pose process has a core to itself.", alone)
    recorder = standing.recorder
    if recorder is None:
        return
    yield families.GaugeMetricFamily("surgnav_recorder_recording", "Whether a file is written.", not recorder.problem)
    yield families.CounterMetricFamily("surgnav_recorder_written_bytes", "Over all files.", recorder.written_bytes)
    yield families.CounterMetricFamily("surgnav_recorder_messages", "Messages it was given.", recorder.messages)
    yield families.CounterMetricFamily("surgnav_recorder_lost", "Messages that could not be recorded.", recorder.lost)
    if recorder.outlook is not None and recorder.outlook.minutes_left is not None:
        left_s = 60.0 * recorder.outlook.minutes_left
        yield families.GaugeMetricFamily("surgnav_recorder_disk_left_seconds", "Until its disk is full.", left_s)


def _ultrasound(families: Any, now: UltrasoundStanding) -> Iterator[Metric]:
    yield families.GaugeMetricFamily("surgnav_ultrasound_usable", "Whether the newest frame is.", now.state == "usable")
    placing = families.StateSetMetricFamily(
        "surgnav_ultrasound_placing", "Validity of its place.", _one_of(now.placing)
    )
    yield placing
    yield families.CounterMetricFamily("surgnav_ultrasound_frames", "Frames that were used.", now.used)
    yield families.CounterMetricFamily("surgnav_ultrasound_overtaken", "Frames that were not used.", now.passed_over)
    yield families.CounterMetricFamily("surgnav_ultrasound_breaks", "Times that the source has ended.", now.breaks)
    yield families.GaugeMetricFamily("surgnav_ultrasound_rate_hz", "Frames used a second.", now.rate_hz)
    if now.age_ms is not None:
        age = "Age of the newest frame when its contours were placed."
        yield families.GaugeMetricFamily("surgnav_ultrasound_age_seconds", age, now.age_ms / 1e3)


def _one_of(validity: Validity) -> dict[str, bool]:
    return {each.value: each is validity for each in Validity}
