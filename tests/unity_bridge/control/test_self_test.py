"""The self-test: a client that places things where they are passes; each kind of wrong one is told what it does.

The wrong clients are wrong in their own code path: the reference client's placing with one mistake made where a
programmer would make it, not the formulas that the verdict compares with.
"""

import contextlib
import dataclasses

import numpy as np
import pytest

from geometry.clock import ManualClock
from tests.unity_bridge.harness import Server, client_of, run_until
from tests.unity_bridge.transport.test_hostile_clients import HELLO, Peer
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
TO_UNITY = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


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


def inverted(position, rotation):
    conjugate = rotation * [-1.0, -1.0, -1.0, 1.0]
    return -placing.rotated(conjugate, position), conjugate


def again(position, rotation):
    x, y, z, w = rotation
    return TO_UNITY @ position, np.array([x, -z, y, w])  # what the server has done already, done again


POSE_MISTAKES = {
    "quaternion order: (x, y, z, w) was read as (w, x, y, z)": lambda p, q: (p, q[[1, 2, 3, 0]]),
    "transposed matrices or conjugated quaternions": lambda p, q: (p, q * [-1.0, -1.0, -1.0, 1.0]),
    "each pose was inverted": inverted,
    "quaternion (x, y, z, w) was read as (x, -y, z, w)": lambda p, q: (p, q * [1.0, -1.0, 1.0, 1.0]),
    "quaternion (x, y, z, w) was read as (x, z, y, w)": lambda p, q: (p, q[[0, 2, 1, 3]]),
    "the rotations were not applied": lambda p, q: (p, np.array([0.0, 0.0, 0.0, 1.0])),
    "the poses' positions were not applied": lambda p, q: (0.0 * p, q),
    "the poses' positions were scaled by 1000": lambda p, q: (1000.0 * p, q),
    "the poses' positions were scaled by 0.001": lambda p, q: (0.001 * p, q),
    "the poses' positions alone: mirrored along z": lambda p, q: (p * [1.0, 1.0, -1.0], q),
    "the poses' positions alone: axes exchanged: (x, y, z) became (x, z, y), which mirrors": lambda p, q: (
        p[[0, 2, 1]],
        q,
    ),
    "the poses alone: axes exchanged: (x, y, z) became (-x, z, -y), which mirrors": again,
}


def unit(vertices):
    low = vertices.min(axis=0)
    return (vertices - low) / (vertices - low).max()


MESH_MISTAKES = {
    "the surface's minimum was not applied": lambda v: v - v.min(axis=0),
    "the surface's edge was not applied": lambda v: v.min(axis=0) + unit(v),
    "neither the surface's minimum nor its edge": unit,
    "the vertices were not divided by 65,535": lambda v: v.min(axis=0) + (v - v.min(axis=0)) * 65535.0,
    "the surface was scaled by 1000": lambda v: v * 1000.0,
    "the surface alone: mirrored along x": lambda v: v * [-1.0, 1.0, 1.0],
    "the surface alone: axes exchanged: (x, y, z) became (-x, z, -y), which mirrors": lambda v: v @ TO_UNITY.T,
}

WORLD_MISTAKES = {
    "mirrored along x": lambda p: p * [-1.0, 1.0, 1.0],
    "mirrored along z": lambda p: p * [1.0, 1.0, -1.0],
    "mirrored along x and y and z": lambda p: -p,
    "turned by 180 degrees about y": lambda p: p * [-1.0, 1.0, -1.0],
    "scaled by 1000": lambda p: p * 1000.0,
    "scaled by 0.001": lambda p: p * 0.001,
    "mirrored along x and scaled by 1000": lambda p: p * [-1000.0, 1000.0, 1000.0],
    "axes exchanged: (x, y, z) became (x, z, y), which mirrors": lambda p: p[:, [0, 2, 1]],
    "axes exchanged: (x, y, z) became (y, z, x)": lambda p: p[:, [1, 2, 0]],
    "converted to Unity's convention once more": lambda p: p @ TO_UNITY.T,
    "turned by 30.0 degrees": lambda p: placing.rotated(
        np.array([0.0, np.sin(np.pi / 12), 0.0, np.cos(np.pi / 12)]), p
    ),
    "shifted by (100, 0, 0) mm": lambda p: p + [0.1, 0.0, 0.0],
    "shifted by (0.2, 0, -0.15) mm": lambda p: p + [0.0002, 0.0, -0.00015],  # seen rounded to (0, 0, 0) m
    "shifted by (2.5, 0, 0.004) m": lambda p: p + [2.5, 0.0, 0.004],
    "stretched or sheared": lambda p: p * [1.0, 1.0, 1.2],
}


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
