"""Levels of detail on the wire: what the manifest may say of them, and in which order a client pulls what."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from unity_bridge.client.surfaces.level_plan import Form, choose_levels, plan
from unity_bridge.errors import MalformedMessageError, SurfaceRefusedError
from unity_bridge.surfaces.levels import EncodedLevel, encode_level, levels_of, make_entry
from unity_bridge.surfaces.payload import encode_surface
from unity_bridge.wire.messages import SurfaceEntry, SurfaceLevel
from unity_bridge.wire.schema import decode, encode

COARSE, FINE = bumpy_sphere(6, 8), bumpy_sphere(20, 30)


@pytest.fixture(scope="module")
def entry() -> SurfaceEntry:
    return make_entry([encode_level(COARSE, 9.0, 4.0), encode_level(FINE)], "approved", "Dr. A. Example")


def test_an_old_client_finds_the_full_surface_where_it_always_was(entry):
    full = encode_level(FINE).payload
    assert (entry.sha256, entry.byte_count, entry.triangle_count) == (full.sha256, len(full.data), full.triangle_count)
    # An old client's declaration: the same tags, no levels.
    old = dataclasses.make_dataclass(
        "OldEntry",
        [(each.name, each.type, each) for each in dataclasses.fields(SurfaceEntry) if each.name != "levels"],
        frozen=True,
        kw_only=True,
    )
    assert decode(old, memoryview(encode(entry))).sha256 == full.sha256


def test_a_new_client_takes_an_old_server_for_one_level(entry):
    (level,) = levels_of(dataclasses.replace(entry, levels=()))
    assert (level.sha256, level.deviation_max_mm, level.compressed_sha256) == (entry.sha256, 0.0, None)


def test_every_form_is_addressed_by_its_own_hash(entry):
    blobs = encode_level(FINE).blobs()
    level = levels_of(entry)[-1]
    assert set(blobs) == {level.sha256, level.compressed_sha256, level.glb_sha256}
    assert len(blobs[level.compressed_sha256]) == level.compressed_byte_count < level.byte_count
    assert len(blobs[level.glb_sha256]) == level.glb_byte_count


def changed(level: SurfaceLevel, **values) -> SurfaceLevel:
    return dataclasses.replace(level, **values)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda coarse, full: (full, coarse), "not the surface itself"),
        (lambda coarse, full: (coarse, coarse, full), "do not grow"),
        (lambda coarse, full: (coarse,), "not the surface itself"),
        (lambda coarse, full: (changed(coarse, deviation_p95_mm=-1.0), full), "cannot be"),
        (lambda coarse, full: (changed(coarse, deviation_p95_mm=10.0), full), "cannot be"),
        (lambda coarse, full: (coarse, changed(full, deviation_max_mm=0.1)), "from itself"),
        (lambda coarse, full: (coarse, changed(full, byte_count=1)), "not the surface itself"),
        (lambda coarse, full: (coarse, changed(full, vertex_count=1)), "not the surface itself"),
        (lambda coarse, full: (changed(coarse, compressed_byte_count=0), full), "without its size"),
        (lambda coarse, full: (changed(coarse, glb_sha256=None), full), "without its size"),
        (lambda coarse, full: tuple(changed(coarse, triangle_count=n) for n in range(8)) + (full,), "9 of them"),
    ],
)
def test_levels_that_contradict_are_refused(entry, spoil, complaint):
    with pytest.raises(MalformedMessageError, match=complaint):
        levels_of(dataclasses.replace(entry, levels=spoil(*entry.levels)))


@pytest.mark.parametrize(
    ("levels", "complaint"),
    [
        ([], "0 of them"),
        ([encode_level(FINE), encode_level(COARSE)], "do not grow"),
        ([encode_level(tetrahedron(), 1.0), encode_level(FINE)], "different surfaces"),
        ([encode_level(COARSE, 1.0), encode_level(FINE, 1.0)], "from itself"),
        ([encode_level(COARSE, float("nan")), encode_level(FINE)], "cannot be"),
    ],
)
def test_the_server_does_not_offer_such_levels(levels, complaint):
    with pytest.raises(SurfaceRefusedError, match=complaint):
        make_entry(levels, "approved", "Dr. A. Example")


# ---------------------------------------------------------------------------------------------------------------- plan
def offer_of(counts: list[list[int]]) -> dict:
    """Surfaces with levels of so many triangles each."""
    offer = {}
    for number, levels in enumerate(counts):
        described = [
            SurfaceLevel(
                sha256=f"{number}-{count}",
                vertex_count=count,
                triangle_count=count,
                byte_count=10 * count,
                quantisation_step_mm=0.001,
                deviation_max_mm=0.0,
                deviation_p95_mm=0.0,
                compressed_sha256=f"{number}-{count}-small",
                compressed_byte_count=count,
            )
            for count in levels
        ]
        offer[str(number)] = (f"surface {number}", described)
    return offer


def test_the_budget_by_hand():
    offer = offer_of([[10, 100, 1000], [10, 50], [20]])
    assert choose_levels(offer, None) == {"0": 2, "1": 1, "2": 0}
    assert choose_levels(offer, 0) == {"0": 0, "1": 0, "2": 0}  # something of each, whatever the budget
    assert choose_levels(offer, 129) == {"0": 0, "1": 1, "2": 0}  # 130 would be 0's next level and no more
    assert choose_levels(offer, 130) == {"0": 1, "1": 0, "2": 0}
    assert choose_levels(offer, 170) == {"0": 1, "1": 1, "2": 0}
    assert choose_levels(offer, 1069) == {"0": 1, "1": 1, "2": 0}
    assert choose_levels(offer, 1070) == {"0": 2, "1": 1, "2": 0}


growing = st.sets(st.integers(1, 1000), min_size=1, max_size=5).map(sorted)


@given(st.lists(growing, min_size=1, max_size=6), st.integers(0, 5000))
def test_the_budget_holds_wherever_it_can_and_leaves_no_step_that_fits(counts, budget):
    offer = offer_of(counts)
    chosen = choose_levels(offer, budget)
    spent = sum(levels[chosen[str(number)]] for number, levels in enumerate(counts))
    assert spent <= max(budget, sum(levels[0] for levels in counts))
    for number, levels in enumerate(counts):
        rank = chosen[str(number)]
        if rank + 1 < len(levels):
            assert spent + levels[rank + 1] - levels[rank] > budget


@given(st.lists(growing, min_size=1, max_size=6), st.one_of(st.none(), st.integers(0, 5000)))
def test_coarse_levels_are_pulled_before_finer_ones(counts, budget):
    offer = offer_of(counts)
    items = plan(offer, choose_levels(offer, budget), Form.COMPRESSED, with_glb=False)
    ranks = [item.rank for item in items]
    assert ranks == sorted(ranks)
    assert [item.entry for item in items[: len(counts)]] == [f"surface {number}" for number in range(len(counts))]
    assert len({item.sha256 for item in items}) == len(items)


def test_what_has_no_compressed_form_travels_as_it_is():
    plain = make_entry([EncodedLevel(encode_surface(FINE))], "approved", "Dr. A. Example")
    offer = {plain.sha256: (plain, levels_of(plain))}
    (item,) = plan(offer, choose_levels(offer, None), Form.COMPRESSED, with_glb=True)
    assert (item.form, item.sha256, item.byte_count) == (Form.RAW, plain.sha256, plain.byte_count)
