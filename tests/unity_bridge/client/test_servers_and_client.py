"""Server and reference client over loopback, both polled by the test: what arrives, and what survives."""

import contextlib

import numpy as np
import pytest
import zmq

from tests.unity_bridge.client.harness import IMPATIENT
from tests.unity_bridge.harness import Server, client_of, run_until, stylus_pose
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from unity_bridge.client import ClientSettings
from unity_bridge.client.surfaces.puller import PullerSettings
from unity_bridge.client.surfaces.transfer_window import WindowSettings
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.surfaces.payload import encode_surface
from unity_bridge.surfaces.server import SurfaceServerSettings
from unity_bridge.wire.convention import points_to_unity, surface_to_unity
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.messages import ClientReport, Hello

SMALL_CHUNKS = SurfaceServerSettings(max_chunk_bytes=4096)


@pytest.fixture
def open_all():
    """Closes what the test opened, also when it fails."""
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


def test_who_joins_late_gets_the_full_state(open_all):
    server = open_all(Server())
    server.offer(tetrahedron())
    for _ in range(50):
        server.publish()
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.is_ready)
    welcome = client.control.welcome
    assert welcome.last_pose_sequence >= 50
    assert (welcome.registration_id, welcome.registration_validity) == ("registration-1", Validity.VALID)
    assert (welcome.tools, welcome.surfaces) == (("stylus", "drill"), server.surfaces.hashes)
    assert client.poses.log.first_sequence > 50


def test_poses_arrive_as_they_were_sent_and_the_lost_tool_as_lost(open_all):
    server = open_all(Server())
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.poses.log.received >= 100)
    for logged in client.poses.log.batches:
        stylus, drill = logged.batch.tools["stylus"], logged.batch.tools["drill"]
        expected_m = points_to_unity(stylus_pose(logged.batch.sequence).translation_mm)
        np.testing.assert_allclose(stylus.pose.position_m, expected_m, atol=2.5e-7)  # single precision at 2 m
        assert (drill.pose, drill.validity, drill.reason) == (None, Validity.LOST, "covered")
        assert logged.decoded_ns >= logged.received_ns >= logged.batch.capture_ns
    assert client.poses.log.lost == 0


def test_a_surface_of_many_chunks_arrives_within_its_step(open_all):
    server = open_all(Server(surface_settings=SMALL_CHUNKS))
    surfaces = [bumpy_sphere(), tetrahedron()]
    for surface in surfaces:
        server.offer(surface)
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.is_ready)
    pulled = {each.entry.name: each for each in client.surfaces.surfaces.values()}
    assert len(server.surfaces.chunk_offsets) > 10
    for surface in surfaces:
        got, sent = pulled[surface.name].decoded, surface_to_unity(surface)
        np.testing.assert_array_equal(got.surface.triangles, sent.triangles)
        off_m = np.abs(got.surface.vertices_m - sent.vertices_m).max()
        assert off_m <= got.quantisation_step_m / 2.0 * (1.0 + 1e-6)
        assert pulled[surface.name].entry.approved_by == "Dr. A. Example"


def test_the_client_never_has_more_chunks_under_way_than_its_credit(open_all):
    server = open_all(Server(surface_settings=SMALL_CHUNKS))
    server.offer(bumpy_sphere())
    settings = ClientSettings(
        puller=PullerSettings(credit=3, window=WindowSettings(min_chunk_bytes=4096, max_chunk_bytes=4096))
    )
    client = open_all(client_of(server, settings))
    most = 0
    answered = 0
    while not client.surfaces.is_done or not client.surfaces.surfaces:
        client.poll(1)
        before = len(server.surfaces.chunk_offsets)
        server.serve(1)
        answered = len(server.surfaces.chunk_offsets) - before
        most = max(most, answered)
    assert 0 < most <= 3


def test_a_cut_transfer_goes_on_where_it_stopped(open_all):
    server = open_all(Server(surface_settings=SMALL_CHUNKS))
    server.offer(bumpy_sphere())
    client = open_all(client_of(server, IMPATIENT))
    run_until(server, client, lambda: client.surfaces.bytes_received >= 20_000)
    assert not client.surfaces.surfaces
    cut_at = client.surfaces.bytes_received
    asked_before = len(server.surfaces.chunk_offsets)
    client.surfaces.reconnect()
    run_until(server, client, lambda: client.is_ready)
    assert client.surfaces.reconnects == 1
    # Requests that were still on their way over the old link may be served once more, but nothing already here.
    assert min(server.surfaces.chunk_offsets[asked_before + IMPATIENT.puller.credit :]) >= cut_at


def test_a_server_that_starts_again_is_greeted_again(open_all):
    first = Server(surface_settings=SMALL_CHUNKS)
    organ = bumpy_sphere(rows=300, columns=300)
    first.offer(organ)
    client = open_all(client_of(first, IMPATIENT))
    run_until(first, client, lambda: client.surfaces.bytes_received and client.poses.log.received > 5)
    assert not client.surfaces.surfaces
    where, old_session = first.endpoints, client.control.server_session
    asked = max(first.surfaces.chunk_offsets)
    first.close()
    second = open_all(Server(where, SMALL_CHUNKS))
    second.offer(organ)
    run_until(
        second, client, lambda: client.control.server_session == second.session.session_id and client.surfaces.is_done
    )
    run_until(second, client, lambda: client.poses.log.sessions == 2 and client.control.clock_offset is not None)
    assert old_session != second.session.session_id
    assert len(client.surfaces.surfaces) == 1
    assert min(second.surfaces.chunk_offsets) >= asked - 4096 * IMPATIENT.puller.credit  # resumed, not restarted
    assert client.poses.log.lost == 0


def test_withdrawn_surfaces_leave_the_client_and_new_ones_reach_it(open_all):
    server = open_all(Server())
    server.offer(tetrahedron())
    client = open_all(client_of(server, IMPATIENT))
    run_until(server, client, lambda: client.is_ready)
    server.surfaces.withdraw("tetrahedron")
    server.offer(bumpy_sphere())
    run_until(
        server, client, lambda: [each.entry.name for each in client.surfaces.surfaces.values()] == ["bumpy sphere"]
    )


def test_a_client_that_is_told_of_a_withdrawal_does_not_wait_until_it_asks_anyway(open_all):
    server = open_all(Server())
    server.offer(tetrahedron())
    never = ClientSettings(puller=PullerSettings(refresh_ns=10**15))
    client = open_all(client_of(server, never))
    run_until(server, client, lambda: client.is_ready and len(client.surfaces.surfaces) == 1)
    server.surfaces.withdraw("tetrahedron")
    server.control.announce(ServerNotice(kind="surface_withdrawn", name="tetrahedron"))
    run_until(server, client, lambda: not client.surfaces.surfaces)
    server.offer(tetrahedron())
    server.control.announce(ServerNotice(kind="surface_approved", name="tetrahedron"))
    run_until(server, client, lambda: len(client.surfaces.surfaces) == 1)


def test_a_client_refuses_what_nobody_approved_unless_told_otherwise(open_all):
    server = open_all(Server(surface_settings=SurfaceServerSettings(research_session=True)))
    server.surfaces.offer(encode_surface(tetrahedron()), "suggested")
    strict = open_all(client_of(server))
    run_until(server, strict, lambda: strict.is_ready)
    assert strict.surfaces.surfaces == {}
    assert "approved" in strict.surfaces.last_refusal
    research = open_all(client_of(server, ClientSettings(puller=PullerSettings(allow_suggested=True))))
    run_until(server, research, lambda: research.is_ready)
    assert len(research.surfaces.surfaces) == 1


def test_the_client_limits_what_it_takes(open_all):
    server = open_all(Server())
    server.offer(bumpy_sphere())
    client = open_all(client_of(server, ClientSettings(puller=PullerSettings(max_bytes=1000))))
    run_until(server, client, lambda: client.is_ready)
    assert client.surfaces.surfaces == {}
    assert "1 to 1000 bytes" in client.surfaces.last_refusal


def test_the_report_reaches_the_server_and_counts_to_the_last_batch(open_all):
    server = open_all(Server())
    server.offer(tetrahedron())
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.is_ready and client.poses.log.received >= 50)
    client.control.say_hello()
    run_until(server, client, lambda: client.control.welcome is not None)
    client.control.report(client.report())
    run_until(server, client, lambda: client.control.report_taken)
    events = server.control.take_events()
    report = events[-1].what
    assert isinstance(events[0].what, Hello)
    assert isinstance(report, ClientReport)
    assert report.poses_lost == 0
    assert report.batches_received == report.last_sequence - report.first_sequence + 1
    assert 0.0 < report.latency_p50_ms <= report.latency_p99_ms <= report.latency_p999_ms
    assert report.surfaces[0].sha256 == server.surfaces.hashes[0]
    # One machine, one clock: the exchange must find no offset beyond its own bound.
    assert abs(report.clock_offset_ns) <= report.clock_error_ns
    assert client.control.clock_offset.offset_ns == 0


def test_a_client_that_stalls_loses_batches_but_no_time(open_all):
    """The publisher goes on; the client, back again, is at the newest batch at once and knows what it lost."""
    server = open_all(Server())
    client = open_all(client_of(server, ClientSettings(queued_batches=10)))
    run_until(server, client, lambda: client.is_ready)
    stalled_for = 12_000  # batches of 300 bytes: several times what all queues and the kernel may hold
    for _ in range(stalled_for):
        server.publish()  # client and server share this thread: had it waited for the client, it would wait for ever

    # Lag that stayed would never come under ten batches while the server goes on publishing: run_until would give up.
    def has_caught_up():
        return client.newest.sequence > stalled_for and server.poses.last_sequence - client.newest.sequence < 10

    run_until(server, client, has_caught_up)
    log = client.poses.log
    assert log.lost > 0
    assert log.received + log.lost == log.last_sequence - log.first_sequence + 1


def test_nobody_listening_costs_nothing(open_all):
    server = open_all(Server())
    assert [server.publish() for _ in range(3)] == [1, 2, 3]


def test_closing_twice_is_no_error():
    server = Server()
    client = client_of(server)
    client.close()
    client.close()
    server.close()
    server.poses.close()


def test_a_publisher_that_cannot_bind_leaves_nothing_behind(open_all):
    server = open_all(Server())
    with pytest.raises(Exception, match="in use"):
        PosePublisher(server.poses.endpoint, server.session)


def test_other_peoples_messages_on_the_pose_socket_are_counted_and_named(open_all):
    with zmq.Context() as context, context.socket(zmq.PUB) as stranger:
        stranger.setsockopt(zmq.LINGER, 0)
        port = stranger.bind_to_random_port("tcp://127.0.0.1")
        server = open_all(Server())
        client = open_all(client_of(server))
        client.poses.socket.connect(f"tcp://127.0.0.1:{port}")
        while client.poses.refused < 3:
            stranger.send(b"SNAV\x02" + bytes(100))
            client.poll(1)
        assert "version 2.0" in client.poses.last_refusal
