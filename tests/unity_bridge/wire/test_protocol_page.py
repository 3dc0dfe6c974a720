"""docs/unity_bridge/protocol.md promises that a stranger can implement from it: its numbers must be the program's.

Its tables are generated, and test_generated.py sees to them; here is what stands in its sentences.
"""

import re
from pathlib import Path

import pytest
import zmq

from tests.unity_bridge.control.mistakes import MESH_MISTAKES, POSE_MISTAKES, WORLD_MISTAKES
from unity_bridge.client import ClientSettings, event_link, silence
from unity_bridge.client.clock_offset import DRIFT_PPM, ClockOffset
from unity_bridge.client.poses import receiver as pose_receiver
from unity_bridge.client.poses.age import MAX_AHEAD_MS, AgeLimits
from unity_bridge.control import event_exchange, event_log, event_window, self_test_verdict
from unity_bridge.control import server as control_server
from unity_bridge.poses import batch as pose_batch
from unity_bridge.poses.publisher import PublisherSettings
from unity_bridge.surfaces import payload as surface_payload
from unity_bridge.surfaces import server as surface_server
from unity_bridge.transport import endpoints, router
from unity_bridge.transport.connections import ConnectionSettings
from unity_bridge.transport.keys import Enrolment, fingerprint
from unity_bridge.wire import envelope as wire
from unity_bridge.wire import schema
from unity_bridge.wire.generated import constants


@pytest.fixture(scope="module")
def page(repository) -> str:
    return (repository / "docs" / "unity_bridge" / "protocol.md").read_text(encoding="utf-8")


def test_limits_are_the_programs(page):
    for text in (
        f"The header: {wire.HEADER_BYTES} bytes",
        f"u16 bytes per record ({pose_batch.RECORD_BYTES} or more)",
        f"vertices of {surface_payload.VERTEX.itemsize} bytes",
        f"UTF-8, at most {schema.TEXT_LIMIT_BYTES:,} bytes",
        f"at most {schema.REPEAT_LIMIT:,} times",
        f"{constants.MAX_TOOLS} at most",
        f"{constants.MAX_STRINGS:,} strings at most",
        f"holds {PublisherSettings().queued_batches} of them",
        f"{router.RouterSettings().max_clients} clients at a time",
        f"holds {surface_server.SurfaceServerSettings().router.max_queued_replies} answers",
        f"beyond {constants.POSITION_LIMIT_M:,.0f} m",
    ):
        assert text in re.sub(r"\s+", " ", page), text


def test_ages_and_silences_are_the_programs(page):
    ages, client, silent = AgeLimits(), ClientSettings(), pose_receiver._SILENT_PERIODS
    idle, every, times = (
        endpoints._ALWAYS[option] for option in (zmq.TCP_KEEPALIVE_IDLE, zmq.TCP_KEEPALIVE_INTVL, zmq.TCP_KEEPALIVE_CNT)
    )
    plain = re.sub(r"\s+", " ", page)
    for text in (
        f"`pose_stale_after_ms` of the Welcome ({ages.stale_after_ms:g} where it is absent)",
        f"`pose_lost_after_ms` ({ages.lost_after_ms:g} where it is absent)",
        f"by more than {MAX_AHEAD_MS:g} ms",
        f"grows by {DRIFT_PPM} millionths",
        f"no batch has come for {client.silence_ns / 1e9:g} s (and for {silent} periods of the Welcome's `rate_hz`)",
        f"up to {silence._LONGEST * client.silence_ns / 1e9:g} s, until batches come again",
        f"have no answer for {client.control.silence_ns / 1e9:g} s",
        f"`_IDLE` {idle} s, `_INTVL` {every} s, `_CNT` {times}",
        f"each within {constants.POSITION_LIMIT_M:,.0f}; refuse others",
    ):
        assert text in plain, text


def test_the_pages_example_of_an_age():
    """Word for word: 52 ms and valid, 102 ms and stale, 251 ms and lost, and 6.002 s the moment it comes."""
    offset = ClockOffset(5_000_000_000, 2_000_000, compared_ns=10_000_000_000)
    seen = []
    for now_ms, capture_ms in ((10_000, 14_950), (10_050, 14_950), (10_199, 14_950), (10_200, 9_200)):
        now_ns = now_ms * 1_000_000
        age_ns = offset.to_server_ns(now_ns) + offset.error_at_ns(now_ns) - capture_ms * 1_000_000
        seen.append((round(age_ns / 1e6), AgeLimits().judge(age_ns / 1e6)[0]))
    assert seen == [(52, "valid"), (102, "stale"), (251, "lost"), (6002, "lost")]


def test_limits_of_events_and_of_the_self_test_are_the_programs(page):
    control, surfaces = router.RouterSettings(), surface_server.SurfaceServerSettings().router
    poses, others = PublisherSettings().connections, ConnectionSettings()
    plain = re.sub(r"\s+", " ", page)
    for text in (
        f"newest {event_window.MAX_ANSWERS} answers of a stream",
        f"at most {event_link.MAX_UNANSWERED} events without a final answer",
        f"oldest {event_exchange.IN_FLIGHT} that are not confirmed again every {event_exchange.RETRY_NS / 1e9:g} s",
        f"(it keeps {event_log.MAX_KEPT})",
        f"off by {self_test_verdict.POSITION_TOLERANCE_M * 1e3:g} mm, directions by "
        f"{self_test_verdict.SIDE_TOLERANCE_DEG:g} degree (normals: {self_test_verdict.NORMAL_TOLERANCE_DEG:g}",
        f"control {control.requests_per_s} a second, {control.burst_requests:,} at once; "
        f"surfaces {surfaces.requests_per_s:,}, {surfaces.burst_requests:,}",
        f"control {control.max_request_bytes // 1024} KiB, surfaces {surfaces.max_request_bytes // 1024} KiB",
        f"{event_exchange._EVENTS_PER_S} a second, {event_exchange._EVENTS_BURST} at once",
        f"{others.bytes_per_s // 2**20} MiB a second and at once; "
        f"pose socket {poses.bytes_per_s // 1024} KiB a second, {poses.burst_bytes // 1024} KiB at once",
        f"| {poses.max_messages}: subscriptions",
        f"| {others.max_connections}, pose socket {poses.max_connections}; of a key {others.max_per_key}",
    ):
        assert text in plain, text
    assert others.bytes_per_s == others.burst_bytes
    assert event_window.MAX_PENDING >= event_link.MAX_UNANSWERED
    assert (control_server._TESTS_PER_S, control_server._TESTS_BURST) == (2, 8)
    assert "Two tests a second, eight at once" in plain


def test_the_enrolment_on_the_page_is_one(page):
    [line] = re.findall(r"^surgnav:1\?.*$", page, re.MULTILINE)
    enrolment = Enrolment.from_text(line)
    assert enrolment.to_text() == line
    assert fingerprint(enrolment.server_public) in page
    assert fingerprint(enrolment.client_keys.own.public) in page


def test_the_reasons_on_the_page_are_the_verdicts(page):
    """Word for word, so that who reads one finds it: as the verdict's source has it, or as the tests saw it."""
    seen = Path(self_test_verdict.__file__).read_text("utf-8") + "".join(
        [*POSE_MISTAKES, *MESH_MISTAKES, *WORLD_MISTAKES]
    )
    table = page.split("| reason | what to look for |")[1].split("\n\n")[0]
    reasons = re.findall(r"`([^`]+)`", "".join(row.split("|")[1] for row in table.splitlines() if row.startswith("| ")))
    assert len(reasons) > 15
    for reason in reasons:
        told = reason.removeprefix("... ").split(" ...")[0].replace("batch 0", "batch {batch}")
        assert told in seen, reason
