"""The whole wire between two real processes: what the client wrote down is checked against the truth."""

import contextlib
import json
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.unity_bridge.harness import CLOCK, Server, stylus_pose
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from tests.unity_bridge.transport.guarded import Guarded
from unity_bridge.client import load_recording
from unity_bridge.client.__main__ import main
from unity_bridge.transport.keys import Enrolment, KeyPair, fingerprint, write_private
from unity_bridge.wire.convention import pose_to_unity, surface_to_unity
from unity_bridge.wire.messages import ClientReport, SelfTestVerdict

PERIOD_NS = 10_000_000
# Single precision at 2 m.
SINGLE_M = 2.5e-7


def start_client(server: Server, folder, *more: str) -> subprocess.Popen:
    where = server.endpoints
    command = [sys.executable, "-m", "unity_bridge.client", "--poses", where.poses, "--surfaces", where.surfaces]
    command += ["--control", where.control, "--report", str(folder / "report.json")]
    return subprocess.Popen([*command, "--record", str(folder / "received.npz"), *more])


def serve_while(server: Server, client: subprocess.Popen) -> None:
    """Streams at 100 Hz, and serves in between, until the client has ended."""
    due_ns = CLOCK.now_ns()
    while client.poll() is None:
        server.publish()
        due_ns += PERIOD_NS
        while (left_ns := due_ns - CLOCK.now_ns()) > 0:
            server.serve(max(1, left_ns // 2_000_000))


@pytest.fixture
def session(tmp_path, repository, monkeypatch):
    """A client's whole run against a server with two surfaces: the server, the report, the recording."""
    monkeypatch.chdir(repository)
    server = Server()
    surfaces = [bumpy_sphere(rows=150, columns=150), tetrahedron()]
    for surface in surfaces:
        server.offer(surface)
    with start_client(server, tmp_path, "--duration", "2") as client:
        serve_while(server, client)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    events = server.control.take_events()
    server.close()
    assert client.returncode == 0, report
    return surfaces, report, load_recording(tmp_path / "received.npz"), events


def test_everything_arrives_in_another_process(session):
    surfaces, report, recording, events = session
    assert report["complete"]
    assert report["poses_lost"] == 0
    assert report["messages_refused"] == 0
    assert report["batches_received"] >= 190  # two seconds at 100 Hz, less what a busy machine may take off either end

    np.testing.assert_array_equal(np.diff(recording.sequence), 1)
    stylus, drill = recording.tools.tolist().index("stylus"), recording.tools.tolist().index("drill")
    truth = [pose_to_unity(stylus_pose(sequence)) for sequence in recording.sequence.tolist()]
    np.testing.assert_allclose(recording.position_m[:, stylus], [pose.position_m for pose in truth], atol=SINGLE_M)
    np.testing.assert_allclose(recording.rotation_xyzw[:, stylus], [pose.rotation_xyzw for pose in truth], atol=1e-6)
    assert set(recording.validity[:, stylus].tolist()) == {"valid"}
    assert set(recording.validity[:, drill].tolist()) == {"lost"}
    assert set(recording.reason[:, drill].tolist()) == {"covered"}
    assert np.isnan(recording.position_m[:, drill]).all()

    received = {decoded.surface.name: decoded for decoded in recording.surfaces}
    assert set(received) == {surface.name for surface in surfaces}
    for surface in surfaces:
        got, sent = received[surface.name], surface_to_unity(surface)
        np.testing.assert_array_equal(got.surface.triangles, sent.triangles)
        off_m = np.abs(got.surface.vertices_m - sent.vertices_m).max()
        assert off_m <= got.quantisation_step_m / 2.0 * (1.0 + 1e-6)

    # The clocks are one and the exchange must not contradict it; nothing is decoded before the sensor saw it.
    assert abs(report["clock_offset_ns"]) <= report["clock_error_ns"]
    assert (recording.latency_ms > 0.0).all()
    assert report["latency_p50_ms"] == pytest.approx(np.percentile(recording.latency_ms, 50))

    told = [event.what for event in events if isinstance(event.what, ClientReport)]
    assert told[-1].batches_received == report["batches_received"]


def test_a_client_frozen_for_two_seconds_loses_nothing_and_is_up_to_date_at_once(tmp_path, repository, monkeypatch):
    """SIGSTOP stands for a busy machine. The queues hold 2 s; the backlog is drained, so that no lag remains."""
    import signal

    monkeypatch.chdir(repository)
    server = Server()
    with start_client(server, tmp_path, "--duration", "5") as client:
        frozen_at_ns = None
        thawed = False
        due_ns = CLOCK.now_ns()
        while client.poll() is None:
            server.publish()
            due_ns += PERIOD_NS
            server.serve()
            tested = any(isinstance(event.what, SelfTestVerdict) for event in server.control.take_events())
            if frozen_at_ns is None and tested:
                time.sleep(0.5)  # past its start, into its stream
                due_ns = CLOCK.now_ns()
                client.send_signal(signal.SIGSTOP)
                frozen_at_ns = due_ns
            elif frozen_at_ns and not thawed and due_ns - frozen_at_ns > 2_000_000_000:
                client.send_signal(signal.SIGCONT)
                thawed = True
            time.sleep(max(0, due_ns - CLOCK.now_ns()) / 1e9)
    server.close()
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    latency_ms = load_recording(tmp_path / "received.npz").latency_ms
    assert thawed
    assert client.returncode == 0, report
    assert report["poses_lost"] == 0
    assert latency_ms.max() > 1500.0  # it was frozen indeed
    assert np.median(latency_ms[-50:]) < 100.0  # a busy machine's scheduling, not the 2 s of before


def test_without_a_server_the_client_ends_and_says_so(tmp_path, capsys):
    nowhere = "tcp://127.0.0.1:9"
    code = main(
        ["--poses", nowhere, "--surfaces", nowhere, "--control", nowhere, "--timeout", "0.3", "--duration", "0.1"]
    )
    assert code == 2
    assert json.loads(capsys.readouterr().out)["ready"] is False


def test_a_refused_key_is_an_error_that_names_it(tmp_path, repository, monkeypatch):
    """On the screen, at once, and in the report; not a wait for a server that seems slow."""
    monkeypatch.chdir(repository)
    guarded, stranger = Guarded(tmp_path), KeyPair.new()
    guarded.enroll("somebody-else")
    with contextlib.closing(guarded.server()) as server:
        ports = {
            name: int(getattr(server.endpoints, name).rsplit(":", 1)[1]) for name in ("poses", "surfaces", "control")
        }
        enrolment = Enrolment(
            name="stranger",
            hosts=("127.0.0.1",),
            server_public=guarded.keys.public,
            secret=stranger.secret,
            **ports,
        )
        keys = tmp_path / "enrolment"
        write_private(keys, enrolment.to_text())
        command = [sys.executable, "-m", "unity_bridge.client", "--keys", str(keys)]
        command += ["--report", str(tmp_path / "report.json")]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as client:
            serve_while(server, client)
            said = client.stderr.read()
    assert client.returncode == 2
    assert f"the server refuses this client's key {fingerprint(stranger.public)}" in said
    assert "surgnav keys enroll" in said
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert fingerprint(stranger.public) in report["refused_by_server"]


@pytest.mark.parametrize("wrong", range(3))
def test_an_address_that_is_none_is_named(capsys, wrong):
    where = ["tcp://127.0.0.1:9"] * 3
    where[wrong] = "nowhere"
    assert main(["--poses", where[0], "--surfaces", where[1], "--control", where[2]]) == 2
    assert "nowhere" in capsys.readouterr().err
