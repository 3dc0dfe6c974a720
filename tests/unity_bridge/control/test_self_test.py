"""The self-test: a client that places things where they are passes; each kind of wrong one is told what it does.

The wrong clients are wrong in their own code path: the reference client's placing with one mistake made where a
programmer would make it, not the formulas that the verdict compares with.
"""

import contextlib
import dataclasses

import numpy as np
import pytest

from geometry.clock import ManualClock
from tests.unity_bridge.control.mistakes import (
    MESH_MISTAKES,
    POSE_MISTAKES,
    WORLD_MISTAKES,
)
from tests.unity_bridge.harness import Server, client_of, run_until
from tests.unity_bridge.transport.peer import HELLO, Peer
from unity_bridge.client import placing
from unity_bridge.client.placing import take_self_test
from unity_bridge.control.self_test import OBJECT, SelfTest
from unity_bridge.control.self_test_verdict import judge
from unity_bridge.errors import InvalidPoseError, WireError
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.surfaces.payload import decode_surface
from unity_bridge.wire.convention import UnityPose, UnitySurface
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.generated.constants import SelfTestState
from unity_bridge.wire.messages import ClockRequest, SelfTestReport, SelfTestRequest, SelfTestTask, SelfTestVerdict

SESSION = Session(bytes(16), ManualClock())


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


def issue(seed: int = 1):
    return SelfTest(np.random.default_rng(seed)).issue(SESSION)


class WrongPlacer(placing.Placer):
    """A placer whose poses were changed after they were decoded."""

    change = staticmethod(lambda position, rotation: (position, rotation))

    def __init__(self, batch, frame, root) -> None:
        super().__init__(batch, frame, root)
        changed = (self.change(pose.position_m, pose.rotation_xyzw) for pose in self._chain)
        self._chain = [
            UnityPose.trusted(np.asarray(position), np.asarray(rotation), old.to_frame, old.from_frame)
            for (position, rotation), old in zip(changed, self._chain, strict=True)
        ]


@pytest.mark.parametrize("seed", range(20))
def test_who_places_things_where_they_are_passes(seed):
    test = issue(seed)
    assert judge(test, take_self_test(test.task)) == ()


def test_single_precision_is_good_enough(monkeypatch):
    """What Unity computes with, rounded after every step."""
    monkeypatch.setattr(
        placing, "rotated", lambda q, v, turn=placing.rotated: turn(q.astype("f4"), v.astype("f4")).astype("f4")
    )
    test = issue()
    assert judge(test, take_self_test(test.task)) == ()


def test_the_expected_places_by_hand():
    """A pose written out by hand, so that the server's own expectation rests on something."""
    test = issue()
    for pair, positions in zip(test.poses, test.expected.positions_m, strict=True):
        matrices = []
        for pose in pair:
            x, y, z, w = pose.rotation_xyzw
            matrices.append(
                np.array(
                    [
                        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
                    ]
                )
            )
        held = test.vertices_m @ matrices[1].T + pair[1].position_m
        np.testing.assert_allclose(held @ matrices[0].T + pair[0].position_m, positions, atol=2e-6)


@pytest.mark.parametrize("reason", POSE_MISTAKES)
def test_a_mistake_in_the_poses_is_named(reason, monkeypatch):
    class Wrong(WrongPlacer):
        change = staticmethod(POSE_MISTAKES[reason])

    monkeypatch.setattr(placing, "Placer", Wrong)
    assert_named(reason)


@pytest.mark.parametrize("reason", MESH_MISTAKES)
def test_a_mistake_in_the_mesh_is_named(reason, monkeypatch):
    def wrong(data):
        decoded = decode_surface(data)
        vertices = MESH_MISTAKES[reason](decoded.surface.vertices_m)
        return dataclasses.replace(decoded, surface=dataclasses.replace(decoded.surface, vertices_m=vertices))

    monkeypatch.setattr(placing, "decode_surface", wrong)
    assert_named(reason)


@pytest.mark.parametrize("reason", WORLD_MISTAKES)
def test_a_mistake_in_the_whole_world_is_named(reason, monkeypatch):
    right = placing.Placer.points
    monkeypatch.setattr(placing.Placer, "points", lambda self, points: WORLD_MISTAKES[reason](right(self, points)))
    assert_named(reason)


@pytest.mark.parametrize(
    ("reason", "chain"),
    [
        ("the order of the two tools was exchanged", lambda chain: chain[::-1]),
        ("the first tool was left out", lambda chain: chain[:1]),
        ("the second tool was left out", lambda chain: chain[1:]),
        ("the poses were not applied", lambda chain: []),
    ],
)
def test_a_mistake_in_the_hierarchy_is_named(reason, chain, monkeypatch):
    class Wrong(placing.Placer):
        def __init__(self, batch, frame, root) -> None:
            super().__init__(batch, frame, root)
            self._chain = chain(self._chain)

    monkeypatch.setattr(placing, "Placer", Wrong)
    assert_named(reason)


def test_a_display_that_does_not_move_is_named(monkeypatch):
    first = {}

    class Wrong(placing.Placer):
        def __init__(self, batch, frame, root) -> None:
            if batch.sequence == 1:
                first["batch"] = batch
            super().__init__(first["batch"], frame, root)

    monkeypatch.setattr(placing, "Placer", Wrong)
    assert_named("batch 0 was shown under every batch")


def test_a_mistake_that_nobody_foresaw_is_measured(monkeypatch):
    right = placing.Placer.points
    monkeypatch.setattr(placing.Placer, "points", lambda self, points: right(self, points) + 0.2 * points**2)
    [reason] = judge(*answered())
    assert "m from where it should be" in reason
    assert "no known mistake explains it" in reason


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("wound the wrong way", lambda s: dataclasses.replace(s, triangles=s.triangles[:, ::-1])),
        ("normals point inwards", lambda s: dataclasses.replace(s, normals=-s.normals)),
        ("the normal of a vertex is off by", lambda s: dataclasses.replace(s, normals=s.normals[:, [1, 0, 2]])),
        ("the normal of a vertex is not told", lambda s: dataclasses.replace(s, normals=0.0 * s.normals)),
    ],
)
def test_winding_and_normals_are_looked_at(reason, change, monkeypatch):
    def wrong(data):
        decoded = decode_surface(data)
        surface: UnitySurface = change(decoded.surface)
        return dataclasses.replace(decoded, surface=surface)

    monkeypatch.setattr(placing, "decode_surface", wrong)
    assert_named(reason)


def test_one_triangle_wound_the_wrong_way_is_enough(monkeypatch):
    def wrong(data):
        decoded = decode_surface(data)
        triangles = decoded.surface.triangles.copy()
        triangles[2] = triangles[2, ::-1]
        return dataclasses.replace(decoded, surface=dataclasses.replace(decoded.surface, triangles=triangles))

    monkeypatch.setattr(placing, "decode_surface", wrong)
    assert_named("the visible side of a triangle is off by 180.0 degrees")


@pytest.mark.parametrize(
    ("complaint", "change"),
    [
        ("placements under the batches", lambda p: p[:2]),
        ("placements under the batches", lambda p: (*p, p[0])),
        ("placements under the batches", lambda p: (p[0], p[1], dataclasses.replace(p[2], batch=7))),
        ("the vertices", lambda p: (dataclasses.replace(p[0], points=p[0].points[1:]), *p[1:])),
        ("the vertices", lambda p: (dataclasses.replace(p[0], points=p[0].points + p[0].points[:1]), *p[1:])),
        ("the triangles", lambda p: (dataclasses.replace(p[0], triangles=()), *p[1:])),
        (
            "beyond 1,000,000 m",
            lambda p: (
                dataclasses.replace(
                    p[0],
                    points=(dataclasses.replace(p[0].points[0], position_m=(1e300, 0.0, 0.0)), *p[0].points[1:]),
                ),
                *p[1:],
            ),
        ),
    ],
)
def test_a_report_that_is_not_whole_fails(complaint, change):
    test, report = answered()
    [reason] = judge(test, dataclasses.replace(report, placements=change(report.placements)))
    assert complaint in reason


def test_a_placer_wants_a_chain_of_poses():
    batch = PoseBatchDecoder().decode(issue().task.batches[0])
    with pytest.raises(InvalidPoseError, match="a chain of tools"):
        placing.Placer(batch, "ct", "self_test_root")
    with pytest.raises(InvalidPoseError, match="a chain of tools"):
        placing.Placer(batch, OBJECT, "elsewhere")


def test_a_task_that_is_malformed_is_refused():
    with pytest.raises(WireError):
        take_self_test(dataclasses.replace(issue().task, surface=b"no surface"))


def answered():
    test = issue()
    return test, take_self_test(test.task)


def assert_named(reason: str) -> None:
    for seed in range(5):
        test = issue(seed)
        [told] = judge(test, take_self_test(test.task))
        assert reason in told, (seed, told)


# ---------------------------------------------------------------------------------------------------- over the sockets
def test_a_client_is_tested_before_it_shows_anything(open_all):
    server = open_all(Server())
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.control.welcome is not None and client.poses.log.received > 0)
    if client.control.verdict is None:
        assert client.newest is None
    run_until(server, client, lambda: client.newest is not None)
    assert client.control.verdict.state is SelfTestState.PASSED
    assert [e.what.state for e in server.control.take_events() if isinstance(e.what, SelfTestVerdict)] == ["passed"]
    client.control.say_hello()
    run_until(server, client, lambda: client.control.welcome is not None)
    assert client.control.welcome.self_test is SelfTestState.PASSED


def test_a_mirrored_client_shows_nothing_and_is_not_heard(open_all, monkeypatch):
    right = placing.Placer.points
    monkeypatch.setattr(placing.Placer, "points", lambda self, points: right(self, points) * [-1.0, 1.0, 1.0])
    server = open_all(Server())
    client = open_all(client_of(server))
    run_until(server, client, lambda: client.control.verdict is not None)
    assert client.control.verdict.reasons == ("mirrored along x",)
    assert client.newest is None
    assert not client.is_ready
    assert client.refusal == "this client fails the self-test: mirrored along x"
    told = [event.what for event in server.control.take_events() if isinstance(event.what, SelfTestVerdict)]
    assert told == [client.control.verdict]
    client.control.say_hello()
    run_until(server, client, lambda: client.control.welcome is not None)
    assert client.control.welcome.self_test is SelfTestState.FAILED
    assert client.control.welcome.self_test_reasons == ("mirrored along x",)


def test_each_answer_is_kept_for_who_asks_again(open_all):
    server = open_all(Server())
    peer = open_all(Peer(server.control.endpoint))
    assert peer.ask(server.control, HELLO).self_test is SelfTestState.UNTESTED
    task = peer.ask(server.control, SelfTestRequest())
    assert isinstance(task, SelfTestTask)
    assert peer.ask(server.control, SelfTestRequest()) == task
    stranger = SelfTestReport(challenge=task.challenge + 1)
    assert peer.ask(server.control, stranger).code == "UnexpectedMessage"
    verdict = peer.ask(server.control, take_self_test(task))
    assert verdict.state is SelfTestState.PASSED
    assert peer.ask(server.control, take_self_test(task)) == verdict
    again = peer.ask(server.control, SelfTestRequest())
    assert again.challenge != task.challenge
    assert peer.ask(server.control, SelfTestReport(challenge=again.challenge)).state is SelfTestState.FAILED
    assert peer.ask(server.control, HELLO).self_test is SelfTestState.FAILED


def test_tests_are_rationed(open_all):
    """Explaining a failed test takes time: who fails all day gets few, and others go on."""
    server = open_all(Server())
    peer, other = open_all(Peer(server.control.endpoint)), open_all(Peer(server.control.endpoint))
    peer.ask(server.control, HELLO)
    refused = 0
    for _ in range(40):
        task = peer.ask(server.control, SelfTestRequest())
        if isinstance(task, SelfTestTask):
            peer.ask(server.control, SelfTestReport(challenge=task.challenge))
        else:
            assert task.code == "TooManyRequests"
            refused += 1
    assert refused > 20
    other.ask(server.control, HELLO)
    assert isinstance(other.ask(server.control, SelfTestRequest()), SelfTestTask)
    assert peer.ask(server.control, ClockRequest(client_sent_ns=1)).client_sent_ns == 1
