"""What Prometheus is told, read as it reads it: over HTTP, with its own parser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from navigation.errors import ServiceError
from navigation.live.standing.metrics import LOOPBACK, MetricsServer
from tests.navigation.live.standing.standings import standing, ultrasound, vitals
from unity_bridge.wire.envelope import Validity


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    with closing(MetricsServer(0)) as running:
        yield running


def scraped(server: MetricsServer) -> dict[tuple[str, ...], float]:
    """Name and values of the labels -> value."""
    with urlopen(f"http://{LOOPBACK}:{server.port}/metrics", timeout=30.0) as answer:
        text = answer.read().decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_numbers_of_a_standing(server: MetricsServer):
    assert scraped(server) == {}
    server.show(standing())
    seen = scraped(server)
    # Of six batches two are at most 5 ms old, and those of 700 and of 5,000 ms are beyond half a second.
    ages = [seen["surgnav_pose_age_seconds_bucket", limit] for limit in ("0.002", "0.005", "0.01", "0.05", "0.5", "1")]
    assert ages == [0.0, 2.0, 3.0, 4.0, 4.0, 5.0]
    assert seen["surgnav_pose_age_seconds_bucket", "+Inf"] == seen["surgnav_pose_age_seconds_count",] == 6.0
    assert seen["surgnav_pose_batches_total",] == 6.0
    assert seen["surgnav_frames_dropped_total",] == 5.0
    assert seen["surgnav_newest_frame_age_seconds",] == pytest.approx(0.1)
    assert seen["surgnav_tool_state", "valid", "stylus"] == seen["surgnav_tool_state", "lost", "driver"] == 1.0
    assert seen["surgnav_tool_state", "valid", "driver"] == 0.0
    assert seen["surgnav_registration_state", "valid"] == 1.0
    assert (seen["surgnav_clients", "passed"], seen["surgnav_clients", "untested"]) == (1.0, 1.0)
    assert (seen["surgnav_process_up", "recorder"], seen["surgnav_process_up", "OpenIGTLink server"]) == (1.0, 0.0)
    assert seen["surgnav_process_restarts_total", "recorder"] == 2.0
    assert seen["surgnav_disk_free_bytes",] == 42e9
    assert seen["surgnav_recorder_recording",] == 1.0
    assert (seen["surgnav_real_time_priority",], seen["surgnav_own_core",]) == (20.0, 1.0)
    assert seen["surgnav_recorder_lost_total",] == 9.0
    assert seen["surgnav_recorder_disk_left_seconds",] == 79.0 * 60.0


def test_what_is_not_known_is_not_told(server: MetricsServer):
    server.show(standing(vitals=vitals(capture_ns=None), recorder=None))
    seen = scraped(server)
    assert ("surgnav_newest_frame_age_seconds",) not in seen
    assert not any(name.startswith("surgnav_recorder") for name, *_ in seen)


def test_this_machine_only_and_a_port_in_use_is_said(server: MetricsServer):
    assert server._server.server_address[0] == LOOPBACK
    with pytest.raises(ServiceError, match=f"the port {server.port} for metrics"):
        MetricsServer(server.port)


def test_the_live_ultrasound(server: MetricsServer):
    server.show(standing())
    assert not any("ultrasound" in name for name, *_ in scraped(server))
    server.show(standing(ultrasound=ultrasound(placing=Validity.SUSPECT, why="the image exchanges left and right")))
    seen = scraped(server)
    assert seen["surgnav_ultrasound_usable",] == seen["surgnav_ultrasound_placing", "suspect"] == 1.0
    assert seen["surgnav_ultrasound_placing", "valid"] == 0.0
    counts = [seen[f"surgnav_ultrasound_{name}_total",] for name in ("frames", "overtaken", "breaks")]
    assert counts == [310.0, 4.0, 1.0]
    assert (seen["surgnav_ultrasound_rate_hz",], seen["surgnav_ultrasound_age_seconds",]) == (24.6, 0.0412)
    server.show(standing(ultrasound=ultrasound(state="black", reason="99.9% of the picture", age_ms=None)))
    seen = scraped(server)
    assert seen["surgnav_ultrasound_usable",] == 0.0
    assert ("surgnav_ultrasound_age_seconds",) not in seen
