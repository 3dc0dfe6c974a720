"""What comes is not what was offered: a byte changed on the way, or by the server. None of it is ever shown."""

import contextlib
import dataclasses
from collections.abc import Callable

import pytest

from tests.unity_bridge.harness import Server, run_until
from tests.unity_bridge.surfaces.harness import LIVER, PERSON, SPLEEN, client_with
from unity_bridge.client.surfaces.level_plan import Form
from unity_bridge.client.surfaces.transfer import PulledSurface
from unity_bridge.surfaces.compression import compress_surface, decompress_surface
from unity_bridge.wire.messages import SurfaceChunk

FULL = LIVER[-1]
# Of the payload: a vertex's position, which no check of counts or indices can see.
A_POSITION = FULL.payload.data.index(b"liver") + 5 + 7 + 1200


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


def spoil(server: Server, sha256: str, change: Callable[[SurfaceChunk], SurfaceChunk]) -> Callable[[], object]:
    """Lets the server change the chunks of one form; what is returned ends that."""
    honest = server.surfaces.answer

    def lying(request):
        answer = honest(request)
        return change(answer) if isinstance(answer, SurfaceChunk) and answer.sha256 == sha256 else answer

    server.surfaces.answer = lying
    return lambda: setattr(server.surfaces, "answer", honest)


def changed_byte(at: int) -> Callable[[SurfaceChunk], SurfaceChunk]:
    def change(chunk: SurfaceChunk) -> SurfaceChunk:
        place = at - chunk.offset
        if not 0 <= place < len(chunk.data):
            return chunk
        data = bytearray(chunk.data)
        data[place] ^= 1
        return dataclasses.replace(chunk, data=bytes(data))

    return change


@pytest.mark.parametrize("form", ["raw", "compressed"])
def test_a_byte_that_was_changed_on_the_way_is_never_shown(open_all, form):
    """The hash of what travelled finds it, before anything is unpacked; then the honest bytes are pulled."""
    described = FULL.describe()
    sha256, place = {
        "raw": (described.sha256, A_POSITION),
        "compressed": (described.compressed_sha256, described.compressed_byte_count - 40),
    }[form]
    server = open_all(Server())
    server.surfaces.offer_levels([FULL], *PERSON)
    be_honest = spoil(server, sha256, changed_byte(place))
    client = open_all(client_with(server, form=form, refresh_ns=100_000_000))
    run_until(server, client, lambda: client.surfaces.refused >= 2)  # it is pulled again, and refused again
    assert "'liver' with hash" in client.surfaces.last_refusal
    assert client.surfaces.surfaces == {}
    assert client.surfaces.missing == ["liver"]
    be_honest()
    run_until(server, client, lambda: client.surfaces.surfaces)
    (pulled,) = client.surfaces.surfaces.values()
    assert pulled.data == FULL.payload.data


def test_a_byte_that_was_changed_in_a_glb_is_not_handed_on(open_all):
    server = open_all(Server())
    server.surfaces.offer_levels([FULL], *PERSON)
    spoil(server, FULL.describe().glb_sha256, changed_byte(5000))
    client = open_all(client_with(server, glb=True, refresh_ns=10**12))
    run_until(server, client, lambda: client.surfaces.refused > 0)
    assert client.surfaces.glbs == {}
    assert len(client.surfaces.surfaces) == 1


def test_right_on_the_way_and_wrong_as_a_whole(open_all):
    """The compressed form is as its hash says, but holds another vertex than the payload: the second hash finds it."""
    moved = bytearray(decompress_surface(FULL.compressed))
    moved[A_POSITION] ^= 1
    lying = dataclasses.replace(FULL, compressed=compress_surface(bytes(moved)))
    server = open_all(Server())
    server.surfaces.offer_levels([lying], *PERSON)
    client = open_all(client_with(server, form="compressed", refresh_ns=10**12))
    run_until(server, client, lambda: client.surfaces.surfaces)
    (pulled,) = client.surfaces.surfaces.values()
    assert isinstance(pulled, PulledSurface)
    assert pulled.item.form is Form.COMPRESSED
    client.surfaces.decode_all()
    assert "unpacked, with hash" in client.surfaces.last_refusal
    assert client.surfaces.surfaces == {}


LIES = {
    "another size": lambda chunk: dataclasses.replace(chunk, total_bytes=chunk.total_bytes + 1),
    "nothing": lambda chunk: dataclasses.replace(chunk, data=b""),
    "more than there is": lambda chunk: dataclasses.replace(chunk, data=bytes(chunk.total_bytes + 1)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_chunk_that_contradicts_the_manifest_ends_that_transfer_only(open_all, lie):
    server = open_all(Server())
    server.surfaces.offer_levels(LIVER[-1:], *PERSON)
    server.surfaces.offer_levels(SPLEEN[-1:], *PERSON)
    spoil(server, FULL.payload.sha256, LIES[lie])
    client = open_all(client_with(server, refresh_ns=10**12))
    run_until(server, client, lambda: client.surfaces.is_done)
    assert client.surfaces.refused > 0
    assert "no more than the" in client.surfaces.last_refusal
    assert [each.entry.name for each in client.surfaces.surfaces.values()] == ["spleen"]
    assert client.surfaces.missing == ["liver"]


def test_chunks_that_nobody_asked_for_change_nothing(open_all):
    """Bytes under the name of another surface, and bytes from elsewhere in the right one."""
    server = open_all(Server())
    server.surfaces.offer_levels([FULL], *PERSON)
    honest, strayed = server.surfaces.answer, []

    def lying(request):
        answer = honest(request)
        if isinstance(answer, SurfaceChunk) and len(strayed) < 2:
            stray = {"sha256": "0c" * 32} if not strayed else {"offset": answer.offset + 7}
            strayed.append(stray)
            return dataclasses.replace(answer, **stray)
        return answer

    server.surfaces.answer = lying
    client = open_all(client_with(server, timeout_ns=300_000_000))
    run_until(server, client, lambda: client.surfaces.surfaces)
    (pulled,) = client.surfaces.surfaces.values()
    assert len(strayed) == 2
    assert pulled.data == FULL.payload.data
