"""The C# client as a whole against the Python server, in both runtimes: what it wrote down, against the truth."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from geometry import Surface
from navigation.live.offered_surfaces import LevelSettings, encode_levels
from navigation.live.pose_graph import PoseGraph
from navigation.live.session_state import SessionState
from scripts.csharp.build import Runtime, run_command
from scripts.csharp.headset import build_headset
from scripts.csharp.toolchain import Toolchain
from tests.unity_bridge.harness import CLOCK, Server, stylus_pose
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from tests.unity_bridge.transport.cutting_proxy import CuttingProxy
from tests.unity_bridge.transport.guarded import Guarded
from unity_bridge.client import Endpoints, load_recording
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.control.event_window import Outcome
from unity_bridge.control.self_test import IssuedTest, SelfTest
from unity_bridge.surfaces.server import SurfaceServerSettings
from unity_bridge.transport.keys import Enrolment, KeyPair
from unity_bridge.wire.convention import pose_to_unity, surface_to_unity
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import ClientEvent, ClientReport, SelfTestVerdict

PERIOD_NS = 10_000_000
# Single precision at 2 m.
SINGLE_M = 2.5e-7


class Handler:
    """Takes every event, and counts how often it was handed each."""

    sessions: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.handled: list[ClientEvent] = []

    def earlier(self, key: str, stream: str) -> tuple:
        return ()

    def handle(self, event: ClientEvent, sender: object) -> Outcome:
        self.handled.append(event)
        return Outcome(note=f"'{event.name}' kept")


class Run:
    """A headset in a process of its own, served until it ends.

    Attributes:
        server: the one that serves now; a test may put another in its place.
    """

    def __init__(self, server: Server, folder: Path, tools: Toolchain, runtime: Runtime) -> None:
        self.server, self._folder, self._tools, self._runtime = server, folder, tools, runtime
        self.published = 0

    def __call__(
        self, *options: str, where: Endpoints | None = None, each: Callable[["Run"], object] = lambda run: None
    ) -> tuple[int, dict]:
        """Streams at 100 Hz while the headset runs, calls `each` after every batch; exit code and report."""
        command = [*run_command(build_headset(self._tools), self._tools, self._runtime), *options]
        if "--keys" not in options:
            where = where or self.server.endpoints
            command += ["--poses", where.poses, "--surfaces", where.surfaces, "--control", where.control]
        command += ["--report", str(self._folder / "report.json"), "--record", str(self._folder / "received.npz")]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as client:
            self._serve_while(client, each)
            assert client.returncode is not None
            said = client.stderr.read()
        assert "Exception" not in said, said
        return client.returncode, json.loads((self._folder / "report.json").read_text("utf-8"))

    def recording(self):
        return load_recording(self._folder / "received.npz")

    def _serve_while(self, client: subprocess.Popen, each: Callable[["Run"], object]) -> None:
        deadline_ns = CLOCK.now_ns() + 180_000_000_000  # a busy machine takes a while to begin
        due_ns = CLOCK.now_ns()
        while client.poll() is None:
            if CLOCK.now_ns() > deadline_ns:
                client.kill()
            self.server.publish()
            self.published += 1
            each(self)
            due_ns = max(due_ns + PERIOD_NS, CLOCK.now_ns() - 10 * PERIOD_NS)
            while (left_ns := due_ns - CLOCK.now_ns()) > 0:
                self.server.serve(max(1, left_ns // 2_000_000))


@pytest.fixture
def run(tmp_path, tools, runtime):
    run = Run(Server(handler=Handler()), tmp_path, tools, runtime)
    yield run
    run.server.close()


def test_everything_arrives_late_and_whole(run):
    """It joins after the server has been streaming for a while, and misses nothing from then on."""
    surfaces = [bumpy_sphere(rows=150, columns=150), tetrahedron()]
    for surface in surfaces:
        run.server.offer(surface)
    for _ in range(50):
        run.server.publish()
    code, report = run("--duration", "2")
    assert code == 0, report
    assert report["complete"]
    assert (report["poses_lost"], report["messages_refused"], report["surfaces_missing"]) == (0, 0, [])
    assert report["first_sequence"] > 50
    # A stream, not a few: how many of 200 is for a busy machine to say, that none is missing is asserted above.
    assert report["batches_received"] == report["last_sequence"] - report["first_sequence"] + 1 >= 50
    check_recording(run.recording(), surfaces)
    events = [event.what for event in run.server.control.take_events()]
    assert [event.state for event in events if isinstance(event, SelfTestVerdict)] == ["passed"]
    told = next(event for event in events if isinstance(event, ClientReport))
    assert {surface.name for surface in told.surfaces} == {surface.name for surface in surfaces}
    assert abs(report["clock_offset_ns"]) <= report["clock_error_ns"], "one machine, one clock"


class GrowingSurface:
    """What a sweep puts on offer while it runs: the next surface once the one before has arrived."""

    def __init__(self, server: Server, *, ends: bool) -> None:
        self._ends = ends
        self._state = SessionState(
            PoseGraph(), server.surfaces, lambda graph: None, server.control.announce, lambda tools: None
        )
        self._chunks = server.surfaces.chunk_offsets
        self._asked = self._waited = 0
        self.offered: list[Surface] = []
        self.is_gone = False

    def __call__(self, run: Run) -> None:
        # A batch is published every 10 ms: a surface that was asked for has arrived long before 50 of them.
        self._waited = self._waited + 1 if len(self._chunks) > self._asked or not self.offered else 0
        if self._waited < 50 or self.is_gone:
            return
        self._waited, self._asked = 0, len(self._chunks)
        if len(self.offered) == 3:
            self.is_gone = True
            if self._ends:
                self._state.withdraw_measured("ultrasound sweep", "the operator has withdrawn it")
            return
        grown = bumpy_sphere(rows=20 + 10 * len(self.offered), columns=40)
        self.offered.append(replace(grown, frame="reference", name="ultrasound sweep"))
        self._state.offer_measured(encode_levels(self.offered[-1], LevelSettings(glb=False)))


@pytest.mark.parametrize("became", ["withdrawn", "left", "hidden"])
def test_what_is_measured_grows_is_suggested_and_is_withdrawn(tmp_path, tools, runtime, became):
    settings = SurfaceServerSettings(research_session=True)
    run = Run(Server(handler=Handler(), surface_settings=settings), tmp_path, tools, runtime)
    growing = GrowingSurface(run.server, ends=became == "withdrawn")
    try:
        run.server.offer(tetrahedron())
        shown = "hidden" if became == "hidden" else "shown"
        _, report = run("--duration", "5", "--suggested", shown, each=growing)
    finally:
        run.server.close()
    there = {each["name"]: each["triangle_count"] for each in report["surfaces"]}
    if became == "left":
        newest = growing.offered[-1]
        assert there == {tetrahedron().name: 4, "ultrasound sweep": len(newest.triangles)}
        assert report["surfaces_suggested"] == ["ultrasound sweep"]
        [seen] = [each.surface for each in run.recording().surfaces if each.surface.name == newest.name]
        assert seen.frame == "reference"
        off_m, _ = cKDTree(surface_to_unity(newest).vertices_m).query(seen.vertices_m)
        assert off_m.max() < 1e-5, "a step of its positions"
    else:
        assert there == {tetrahedron().name: 4}
        assert report["surfaces_suggested"] == []
    assert report["surfaces_added"] == (1 if became == "hidden" else 1 + len(growing.offered))


def test_this_machines_clock_has_one_name_in_both_languages(tools, runtime):
    command = [*run_command(build_headset(tools), tools, runtime), "clock"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.strip() == CLOCK.clock_id


def check_recording(recording, surfaces) -> None:
    np.testing.assert_array_equal(np.diff(recording.sequence), 1)
    stylus, drill = recording.tools.tolist().index("stylus"), recording.tools.tolist().index("drill")
    truth = [pose_to_unity(stylus_pose(sequence)) for sequence in recording.sequence.tolist()]
    np.testing.assert_allclose(recording.position_m[:, stylus], [pose.position_m for pose in truth], atol=SINGLE_M)
    np.testing.assert_allclose(recording.rotation_xyzw[:, stylus], [pose.rotation_xyzw for pose in truth], atol=1e-6)
    assert set(recording.validity[:, stylus].tolist()) == {"valid"}
    assert set(recording.validity[:, drill].tolist()) == {"lost"}
    assert np.isnan(recording.position_m[:, drill]).all()
    assert (recording.latency_ms > 0.0).all(), "nothing is decoded before the sensor has seen it"
    by_name = {decoded.surface.name: decoded for decoded in recording.surfaces}
    for surface in surfaces:
        decoded, expected = by_name[surface.name], surface_to_unity(surface)
        off_m = np.abs(decoded.surface.vertices_m - expected.vertices_m).max()
        assert off_m <= 0.501 * decoded.quantisation_step_m
        np.testing.assert_array_equal(decoded.surface.triangles, expected.triangles)


def test_what_a_display_shows(run):
    """The stylus as it is, of a lost drill nothing, in every frame from the first valid one on."""
    code, report = run("--duration", "1")
    assert code == 0, report
    assert report["frames_valid"] > 0.5 * report["frames"] - 30
    assert report["displayed"]["stylus"]["shown"] > 0.5 * report["frames_valid"]
    drill = report["displayed"]["drill"]
    assert (drill["shown"], drill["greyed"]) == (0, 0)
    assert drill["hidden"] > 0
    # How old that was, measured as the reference client measures it; whatever was too old was not shown as valid.
    display = report["display"]
    assert display["valid_too_old"] == 0
    assert 0.0 < display["valid_age_ms"]["p50"] <= display["valid_age_ms"]["max"] <= 100.0
    assert display["valid_share"]["drill"] == 0.0
    assert 0.0 < display["valid_share"]["stylus"] <= 1.0 - display["too_old_share"] + 1e-9


def test_events_go_both_ways_each_once(run):
    def announce(now: Run) -> None:
        if now.published in (60, 70):
            now.server.control.announce(ServerNotice(kind="notice", name=str(now.published)))

    sent = ("landmark_touched:nasion", "select_target:tumour")
    code, report = run("--duration", "2", *(word for event in sent for word in ("--send", event)), each=announce)
    assert code == 0, report
    answers = [(answer["outcome"], answer["note"]) for answer in report["events_answered"]]
    assert answers == [("accepted", "'nasion' kept"), ("accepted", "'tumour' kept")]
    handled = run.server.handler.handled
    assert [event.name for event in handled] == ["nasion", "tumour"]
    assert all(event.happened_ns is not None for event in handled)
    heard = [event["name"] for event in report["server_events"]]
    assert heard == sorted(set(heard)), "each once, in order"
    assert set(heard) <= {"60", "70"}


def test_with_keys(tmp_path, tools, runtime):
    guarded = Guarded(tmp_path)
    keys = guarded.enroll("headset-1")
    run = Run(guarded.server(), tmp_path, tools, runtime)
    run.server.offer(tetrahedron())
    try:
        code, report = run("--duration", "1", "--keys", str(enrolment_file(tmp_path, run.server, keys.own, guarded)))
    finally:
        run.server.close()
    assert code == 0, report
    assert [surface["name"] for surface in report["surfaces"]] == ["tetrahedron"]
    assert report["batches_received"] >= 25


def test_a_stranger_is_told_so(tmp_path, tools, runtime):
    guarded = Guarded(tmp_path)
    guarded.enroll("headset-1")
    run = Run(guarded.server(), tmp_path, tools, runtime)
    try:
        code, report = run(
            "--timeout", "20", "--keys", str(enrolment_file(tmp_path, run.server, KeyPair.new(), guarded))
        )
    finally:
        run.server.close()
    assert (code, report["ready"], report["batches_received"]) == (2, False, 0)
    assert report["refused_by_server"]


def enrolment_file(folder: Path, server: Server, own: KeyPair, guarded: Guarded) -> Path:
    ports = {name: int(getattr(server.endpoints, name).rpartition(":")[2]) for name in ("poses", "surfaces", "control")}
    enrolment = Enrolment(
        name="headset-1", hosts=("127.0.0.1",), server_public=guarded.keys.public, secret=own.secret, **ports
    )
    path = folder / "enrolment.txt"
    path.write_text(enrolment.to_text() + "\n", "utf-8")
    return path


class OtherTest(SelfTest):
    """Judges each client by another test than the one that it gave it, so that whatever it reports is wrong."""

    def issue(self, session: Session) -> IssuedTest:
        issued = super().issue(session)
        return replace(issued, task=replace(super().issue(session).task, challenge=issued.task.challenge))


def test_a_client_that_fails_the_self_test_gets_no_poses(run):
    run.server.control._self_test = OtherTest(np.random.default_rng(1))
    there = set()
    code, report = run("--timeout", "3", each=lambda now: there.add(now.server.poses._connections.count))
    assert (code, report["ready"], report["batches_received"]) == (2, False, 0)
    assert 1 in there, "it was never there"
    assert run.server.poses.subscriber_count == 0
    states = {event.what.state for event in run.server.control.take_events() if isinstance(event.what, SelfTestVerdict)}
    assert states == {"failed"}


def test_a_restarted_server_is_joined_again(run):
    """Another run of the server at the same place: poses go on, it is greeted, tests anew, and serves its surfaces."""
    run.server.offer(tetrahedron())
    first = run.server

    def restart(now: Run) -> None:
        if now.server is first and now.server.control.client_count and now.published >= 150:
            where = first.endpoints
            first.close()
            now.server = Server(where=where, handler=Handler())
            now.server.offer(bumpy_sphere())

    code, report = run("--duration", "5", each=restart)
    assert run.server is not first, "it was never restarted"
    assert report["server_sessions"] == 2, report
    assert (code, report["ready"], report["report_taken"]) == (0, True, True), report
    assert [surface["name"] for surface in report["surfaces"]] == ["bumpy sphere"], "the first one's is gone"
    verdicts = [event.what for event in run.server.control.take_events() if isinstance(event.what, SelfTestVerdict)]
    assert [verdict.state for verdict in verdicts] == ["passed"]
    validity = run.recording()
    assert len(set(validity.session_id.tolist())) == 2


def test_a_cut_link_goes_on_where_it_stopped(run):
    """The surface's link is cut twice in the middle, the poses' once; only what was under way then comes again."""
    surface = bumpy_sphere(rows=200, columns=200)
    run.server.offer(surface)
    size = len(run.server.surfaces._blobs[surface.name][run.server.surfaces.hashes[0]])
    surfaces = CuttingProxy(run.server.endpoints.surfaces, [150_000, 250_000])
    poses = CuttingProxy(run.server.endpoints.poses, [20_000])
    where = Endpoints(poses=poses.endpoint, surfaces=surfaces.endpoint, control=run.server.endpoints.control)
    try:
        code, report = run("--duration", "3", where=where)
    finally:
        surfaces.close()
        poses.close()
    assert (surfaces.cuts, poses.cuts) == (2, 1)
    assert report["surfaces_missing"] == []
    assert report["surface_reconnects"] >= 2
    assert report["report_taken"]
    decoded = run.recording().surfaces[0]
    assert decoded.surface.name == surface.name
    # What was under way when it was cut comes again: two windows at most, and no start from the first byte.
    offsets = run.server.surfaces.chunk_offsets
    assert offsets.count(0) == 1
    assert surfaces.bytes_down < 1.5 * size
    assert code == (1 if report["poses_lost"] else 0), "poses of the cut are lost and said to be"


@pytest.mark.slow
def test_links_that_die_without_a_word_are_made_anew(run):
    """Poses and control at once, behind a relay that keeps them open and forwards nothing: what a lost Wi-Fi does."""
    poses = CuttingProxy(run.server.endpoints.poses, [])
    control = CuttingProxy(run.server.endpoints.control, [])
    where = Endpoints(poses=poses.endpoint, surfaces=run.server.endpoints.surfaces, control=control.endpoint)
    cut_at = []

    def swallow_once(running: Run) -> None:
        if not cut_at and poses.bytes_down > 50_000:
            cut_at.append(running.server.poses.last_sequence)
            poses.swallow()
            control.swallow()

    try:
        code, report = run("--duration", "12", where=where, each=swallow_once)
    finally:
        poses.close()
        control.close()
    sequence = run.recording().sequence
    assert cut_at, "nothing was cut: the test shows nothing"
    assert (poses.connections, control.connections) == (2, 2)
    assert report["last_sequence"] > cut_at[0] + 300
    assert np.diff(sequence).max() > 100, "what came meanwhile is lost, and nothing else"
    assert report["poses_lost"] == np.diff(sequence).sum() - len(sequence) + 1
    assert report["report_taken"]
    assert (code, report["messages_refused"]) == (1, 0)


def test_no_server_at_all(run):
    nowhere = Endpoints(poses="tcp://127.0.0.1:1", surfaces="tcp://127.0.0.1:1", control="tcp://127.0.0.1:1")
    code, report = run("--timeout", "1", where=nowhere)
    assert code == 2
    assert not report["ready"]
    assert "127.0.0.1" in report["obstacle"] or report["obstacle"], report
