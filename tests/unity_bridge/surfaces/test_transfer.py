"""Levels, forms and broken links between a real server and the reference client."""

import contextlib
import dataclasses

import numpy as np
import pytest

from tests.unity_bridge.harness import CLOCK, Server, run_until
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from tests.unity_bridge.surfaces.harness import LIVER, PERSON, SPLEEN, client_with, levels, named
from tests.unity_bridge.transport.cutting_proxy import CuttingProxy
from tests.unity_bridge.transport.peer import Peer
from unity_bridge.client import ClientSettings, Endpoints
from unity_bridge.client.surfaces.level_plan import Form
from unity_bridge.client.surfaces.puller import PullerSettings
from unity_bridge.client.surfaces.transfer_window import WindowSettings
from unity_bridge.surfaces.compression import compress_surface, in_wire_order
from unity_bridge.surfaces.glb import surface_to_glb
from unity_bridge.surfaces.levels import EncodedLevel, encode_level
from unity_bridge.surfaces.payload import encode_surface
from unity_bridge.transport.endpoints import is_local
from unity_bridge.wire.convention import surface_to_unity
from unity_bridge.wire.messages import SurfaceChunkRequest, SurfaceListRequest


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


@pytest.fixture
def server(open_all) -> Server:
    server = open_all(Server())
    server.asked = []
    answer = server.surfaces.answer

    def noting(request):
        if isinstance(request.message, SurfaceChunkRequest):
            server.asked.append(request.message.sha256)
        return answer(request)

    server.surfaces.answer = noting
    return server


def in_order(hashes: list[str]) -> list[str]:
    """Each once, as first asked for."""
    return list(dict.fromkeys(hashes))


# -------------------------------------------------------------------------------------------------------------- levels
def test_every_surface_is_there_coarse_before_any_is_there_fine(server, open_all):
    for surface in (LIVER, SPLEEN):
        server.surfaces.offer_levels(surface, *PERSON)
    client = open_all(client_with(server))
    run_until(server, client, lambda: client.surfaces.is_coarse)
    seen = {each.entry.name: each.level.deviation_max_mm for each in client.surfaces.surfaces.values()}
    assert set(seen) == {"liver", "spleen"}
    run_until(server, client, lambda: client.is_ready)
    assert in_order(server.asked) == [
        level.payload.sha256 for pair in zip(LIVER, SPLEEN, strict=True) for level in pair
    ]
    assert {each.level.deviation_max_mm for each in client.surfaces.surfaces.values()} == {0.0}
    assert set(client.surfaces.surfaces) == set(server.surfaces.hashes)
    assert client.surfaces.missing == []


def test_a_budget_stops_at_a_level_that_says_how_far_off_it_is(server, open_all):
    for surface in (LIVER, SPLEEN):
        server.surfaces.offer_levels(surface, *PERSON)
    counts = [level.payload.triangle_count for level in LIVER]
    client = open_all(client_with(server, max_triangles=counts[1] + counts[1]))
    run_until(server, client, lambda: client.is_ready)
    shown = client.surfaces.surfaces.values()
    assert [(each.level.triangle_count, each.level.deviation_max_mm) for each in shown] == [(counts[1], 1.0)] * 2
    assert not {LIVER[2].payload.sha256, SPLEEN[2].payload.sha256} & set(server.asked)
    assert client.surfaces.missing == []
    report = client.report()
    assert [each.triangle_count for each in report.surfaces] == [counts[1]] * 2
    # Another surface comes: the budget is shared anew, and what is too fine for it goes.
    server.surfaces.offer_levels(levels("kidney"), *PERSON)
    run_until(server, client, lambda: len(client.surfaces.surfaces) == 3)
    assert sum(each.level.triangle_count for each in client.surfaces.surfaces.values()) <= 2 * counts[1]


def test_who_knows_no_levels_gets_the_full_surface(server, open_all):
    server.surfaces.offer_levels(LIVER, *PERSON)
    peer = open_all(Peer(server.surfaces.endpoint))
    (entry,) = peer.ask(server.surfaces, SurfaceListRequest()).surfaces
    got = b""
    while len(got) < entry.byte_count:
        request = SurfaceChunkRequest(sha256=entry.sha256, offset=len(got), length=65_536)
        got += peer.ask(server.surfaces, request).data
    assert got == LIVER[-1].payload.data


def test_an_offer_is_replaced_and_withdrawn_with_all_its_levels(server, open_all):
    server.surfaces.offer_levels(LIVER, *PERSON)
    peer = open_all(Peer(server.surfaces.endpoint))
    hashes = [sha for level in LIVER for sha in level.blobs()]
    assert all(not isinstance(ask(server, peer, sha), str) for sha in hashes)
    server.surfaces.offer_levels(LIVER[-1:], *PERSON)
    assert [ask(server, peer, sha) for sha in LIVER[0].blobs()] == ["UnknownSurface"] * 3
    server.surfaces.withdraw("liver")
    assert [ask(server, peer, sha) for sha in hashes] == ["UnknownSurface"] * 9


@pytest.mark.parametrize("form", ["raw", "compressed"])
def test_another_decision_on_the_same_surface_reaches_the_client_without_its_bytes(server, open_all, form):
    server.surfaces.offer_levels(LIVER, *PERSON)
    client = open_all(client_with(server, form=form))
    run_until(server, client, lambda: client.is_ready)
    client.surfaces.decode_all()
    taken = client.surfaces.bytes_taken
    server.surfaces.offer_levels(LIVER, "edited", "Dr. B. Example")
    run_until(server, client, lambda: client.surfaces.manifest.surfaces[0].approval == "edited")
    (pulled,) = client.surfaces.surfaces.values()
    assert (pulled.entry.approval, pulled.entry.approved_by) == ("edited", "Dr. B. Example")
    assert pulled.data == LIVER[-1].payload.data
    assert client.surfaces.bytes_taken == taken


def ask(server: Server, peer: Peer, sha256: str):
    answer = peer.ask(server.surfaces, SurfaceChunkRequest(sha256=sha256, offset=0, length=1))
    return getattr(answer, "code", answer)


# --------------------------------------------------------------------------------------------------------------- forms
def test_a_compressed_surface_is_the_same_surface(server, open_all):
    server.surfaces.offer_levels(LIVER, *PERSON)
    client = open_all(client_with(server, form="compressed"))
    run_until(server, client, lambda: client.is_ready)
    assert in_order(server.asked) == [level.describe().compressed_sha256 for level in LIVER]
    (pulled,) = client.surfaces.surfaces.values()
    assert pulled.item.form is Form.COMPRESSED
    assert pulled.data == LIVER[-1].payload.data
    assert len(pulled.received) * 4 < len(pulled.data)
    sent = surface_to_unity(in_wire_order(named(bumpy_sphere(60, 60), "liver")))
    np.testing.assert_array_equal(pulled.decoded.surface.triangles, sent.triangles)
    client.surfaces.decode_all()
    assert client.surfaces.refused == 0


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("tcp://127.0.0.1:5571", True),
        ("tcp://127.3.2.1:5571", True),
        ("tcp://localhost:5571", True),
        ("tcp://[::1]:5571", True),
        ("ipc:///run/surgnav", True),
        ("tcp://192.168.1.20:5571", False),
        ("tcp://theatre-3.example:5571", False),
        ("tcp://[2001:db8::1]:5571", False),
        ("nonsense", False),
    ],
)
def test_what_is_on_this_machine_travels_as_it_is(endpoint, local):
    assert is_local(endpoint) is local


OTHER = encode_surface(in_wire_order(named(tetrahedron(), "liver"))).data


@pytest.mark.parametrize(
    ("compressed", "complaint"),
    [
        (b"SNSC" + bytes(200), "begins with"),
        (compress_surface(OTHER), "unpacked, with hash"),
        (compress_surface(encode_surface(in_wire_order(bumpy_sphere(90, 90))).data), "at most"),
    ],
)
def test_a_compressed_form_of_something_else_is_refused_and_the_coarse_level_stays(
    server, open_all, compressed, complaint
):
    lying = dataclasses.replace(LIVER[-1], compressed=compressed)
    server.surfaces.offer_levels([LIVER[0], lying], *PERSON)
    client = open_all(client_with(server, form="compressed", refresh_ns=10**12))
    run_until(server, client, lambda: client.is_ready)
    client.surfaces.decode_all()
    assert complaint in client.surfaces.last_refusal
    (shown,) = client.surfaces.surfaces.values()
    assert shown.level.sha256 == LIVER[0].payload.sha256
    assert client.surfaces.missing == ["liver"]


def test_a_payload_that_is_not_what_the_manifest_says_is_refused(server, open_all):
    payload = dataclasses.replace(LIVER[-1].payload, name="spleen")
    server.surfaces.offer_levels([EncodedLevel(payload)], *PERSON)
    client = open_all(client_with(server))
    run_until(server, client, lambda: client.is_ready)
    client.surfaces.decode_all()
    assert "'spleen'" in client.surfaces.last_refusal
    assert client.surfaces.surfaces == {}


def test_a_glb_comes_on_request_only_and_last(server, open_all):
    server.surfaces.offer_levels(LIVER, *PERSON)
    plain, curious = open_all(client_with(server)), open_all(client_with(server, glb=True))
    run_until(server, plain, lambda: plain.is_ready)
    assert plain.surfaces.glbs == {}
    assert len(in_order(server.asked)) == 3
    run_until(server, curious, lambda: curious.is_ready)
    assert curious.surfaces.glbs == {"liver": surface_to_glb(named(bumpy_sphere(60, 60), "liver"))}
    assert in_order(server.asked)[3:] == [LIVER[-1].describe().glb_sha256]
    assert set(curious.surfaces.surfaces) == {LIVER[-1].payload.sha256}


def test_no_form_of_what_nobody_approved_is_served(server):
    with pytest.raises(Exception, match="approv"):
        server.surfaces.offer_levels(LIVER, "suggested")
    assert server.surfaces.hashes == ()


# --------------------------------------------------------------------------------------------------------- broken links
def rough_sphere():
    """With noise on it, so that its compressed form is of some size too."""
    sphere = bumpy_sphere(300, 300)
    noise = np.random.default_rng(1).normal(0.0, 0.1, sphere.vertices_mm.shape)
    return dataclasses.replace(sphere, vertices_mm=sphere.vertices_mm + noise)


@pytest.mark.parametrize("form", ["raw", "compressed"])
def test_a_cut_link_goes_on_where_it_was(server, open_all, form):
    """Cut three times. What was under way is lost, and what came out of order after ZeroMQ had mended the link: a
    window each. What had come is not asked for again."""
    organ = encode_level(rough_sphere(), glb=False)
    server.surfaces.offer_levels([organ], *PERSON)
    size = len(organ.payload.data if form == "raw" else organ.compressed)
    proxy = open_all(CuttingProxy(server.surfaces.endpoint, [size // 3, size // 4, size // 5]))
    window = WindowSettings(first_bytes=16_384, max_bytes=32_768)
    client = open_all(client_with(server, proxy.endpoint, form=form, window=window))
    run_until(server, client, lambda: client.is_ready)
    (pulled,) = client.surfaces.surfaces.values()
    assert pulled.data == organ.payload.data
    assert proxy.cuts == 3
    twice, lost = client.surfaces.bytes_taken - size, proxy.bytes_down - client.surfaces.bytes_taken
    assert twice <= 3 * window.max_bytes
    heads = 2000 + 300 * (size // window.min_chunk_bytes)
    # And one piece of the proxy's, which it reads to find that it is too much.
    assert lost <= 3 * (window.max_bytes + 65_536) + heads


def test_answers_that_were_dropped_are_asked_for_again_at_once(server, open_all):
    """Every seventh answer goes missing: the next one tells, without silence or a new link. (The very last could only
    be noticed by silence, so those go missing in the first half.)"""
    payload = encode_surface(bumpy_sphere(100, 100))
    server.surfaces.offer(payload, *PERSON)
    client = open_all(client_with(server, timeout_ns=10**11, window=WindowSettings(max_bytes=65_536)))
    answer, asked = server.surfaces.answer, 0

    def losing(request):
        nonlocal asked
        if not isinstance(request.message, SurfaceChunkRequest) or request.message.offset > len(payload.data) // 2:
            return answer(request)
        asked += 1
        return None if asked % 7 == 3 else answer(request)

    server.surfaces.answer = losing
    run_until(server, client, lambda: client.is_ready)
    assert asked > 14
    assert client.surfaces.surfaces[payload.sha256].data == payload.data
    assert client.surfaces.reconnects == 0


def test_a_refusal_in_the_middle_throws_nothing_away(server, open_all):
    """One surface is withdrawn while another is on its way, and asked for once more."""
    organ, other = encode_surface(bumpy_sphere(300, 300)), encode_surface(named(bumpy_sphere(20, 20), "other"))
    server.surfaces.offer(other, *PERSON)
    server.surfaces.offer(organ, *PERSON)
    window = WindowSettings(first_bytes=16_384, max_bytes=16_384)
    client = open_all(client_with(server, window=window))
    run_until(server, client, lambda: client.surfaces.bytes_received >= 500_000)
    server.surfaces.withdraw("other")
    client.surfaces._send(SurfaceChunkRequest(sha256=other.sha256, offset=0, length=1))
    run_until(server, client, lambda: client.surfaces.refused == 1)
    assert not client.surfaces.is_done
    assert client.surfaces.bytes_received >= 500_000
    run_until(server, client, lambda: list(client.surfaces.surfaces) == [organ.sha256])
    assert client.surfaces.bytes_taken <= len(other.data) + len(organ.data) + window.max_bytes
    assert client.surfaces.reconnects == 0


def test_a_client_is_served_in_its_turn_whatever_others_pile_up(server, open_all):
    """Counted in answers, not in time: ZeroMQ takes connections in turn. Two have piled up a thousand requests each,
    for manifests and the largest chunks, and never read; few are served before thirty of another client's."""
    organ = encode_surface(bumpy_sphere(200, 200))
    server.surfaces.offer(organ, *PERSON)
    deaf = [open_all(Peer(server.surfaces.endpoint, RCVHWM=1, RCVBUF=4096, SNDHWM=0)) for _ in range(2)]
    for peer in deaf:
        for number in range(1000):
            wish = SurfaceChunkRequest(sha256=organ.sha256, offset=0, length=2**31)
            peer.say(wish if number % 2 else SurfaceListRequest())
    patient = open_all(Peer(server.surfaces.endpoint))
    served_between = []
    answer = server.surfaces.answer
    others = 0

    def counting(request):
        nonlocal others
        if request.message.__class__ is SurfaceChunkRequest and request.message.length == 7:
            served_between.append(others)
            others = 0
        else:
            others += 1
        return answer(request)

    server.surfaces.answer = counting
    for offset in range(30):
        patient.say(SurfaceChunkRequest(sha256=organ.sha256, offset=offset, length=7))
    got = 0
    deadline_ns = CLOCK.now_ns() + 30_000_000_000
    while got < 30:
        assert CLOCK.now_ns() < deadline_ns
        server.surfaces.poll(5)
        got += sum(patient.socket.poll(0) and len(patient.socket.recv()) > 0 for _ in range(8))
    assert len(served_between) == 30
    # Two for each of its own, and some while its requests were on their way.
    assert sum(served_between[1:]) <= 200


def test_settings_of_the_command_line(server, tmp_path, monkeypatch, capsys):
    """Pulled in a process's worth of code: everything the options promise, in the report and on disk."""
    import json
    import threading

    from unity_bridge.client.__main__ import main

    server.surfaces.offer_levels(LIVER, *PERSON)
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            server.publish()
            server.serve(5)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        where: Endpoints = server.endpoints
        arguments = ["--poses", where.poses, "--surfaces", where.surfaces, "--control", where.control]
        budget = LIVER[1].payload.triangle_count
        arguments += ["--form", "compressed", "--max-triangles", str(budget), "--glb", str(tmp_path / "glb")]
        assert main([*arguments, "--duration", "0.2"]) == 0
    finally:
        stop.set()
        thread.join(10)
    report = json.loads(capsys.readouterr().out)
    (level,) = report["surface_levels"]
    assert (level["triangles"], level["of"]) == (budget, LIVER[2].payload.triangle_count)
    assert (level["deviation_max_mm"], level["form"]) == (1.0, "compressed")
    assert (tmp_path / "glb" / "01_liver.glb").read_bytes() == LIVER[1].glb


def test_defaults_are_what_the_page_says():
    assert (PullerSettings().form, PullerSettings().max_triangles, PullerSettings().glb) == ("auto", None, False)
    assert ClientSettings().puller == PullerSettings()
