"""What the page says to refuse is refused, for the reason that the page gives; the C# decoders: tests/csharp."""

import json
import re

import pytest

from geometry.errors import SurgNavError
from tests.unity_bridge.wire.golden_vectors import meaning
from tests.unity_bridge.wire.refused_vectors import GOOD, REFUSED, build_refused
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.surfaces.levels import levels_of
from unity_bridge.wire.messages import decode_message

VECTORS = build_refused()
NAMES = sorted(path.stem for path in REFUSED.glob("*.bin"))


def code_of(error: SurgNavError) -> str:
    """As `Error.code` has it."""
    return type(error).__name__.removesuffix("Error")


def decode(data: bytes, stage: str) -> None:
    if stage == "decode":
        meaning(data)
        return
    _, manifest = decode_message(data)
    for entry in manifest.surfaces:
        levels_of(entry)


def test_the_vectors_are_these():
    assert sorted(VECTORS) == NAMES
    assert len(NAMES) > 60
    # The C# tests of levels (SurfacePlanTests.cs) name these, and take this code for granted.
    levels = {name: vector.code for name, vector in VECTORS.items() if vector.stage == "levels"}
    assert len(levels) == 7
    assert set(levels.values()) == {"MalformedMessage"}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_for_its_rule(name, repository):
    vector = VECTORS[name]
    data, told = (REFUSED / f"{name}.bin").read_bytes(), json.loads((REFUSED / f"{name}.json").read_text("utf-8"))
    if not name.startswith("compressed"):  # another deflate may find other bytes for the same
        assert data == vector.data
    assert told == vector.told()
    with pytest.raises(SurgNavError) as refused:
        decode(data, told["stage"])
    assert code_of(refused.value) == told["code"]
    assert vector.came in str(refused.value), "refused, but for something else"
    page = (repository / "docs" / "unity_bridge" / "protocol.md").read_text("utf-8")
    assert re.sub(r"\s+", " ", told["rule"]) in re.sub(r"\s+", " ", page), "the page does not say so"


@pytest.mark.parametrize("name", [name for name in NAMES if VECTORS[name].data[6:8] == b"\1\0"])
def test_a_pose_batch_is_refused_whatever_came_before_it(name):
    """The decoder keeps what it has accepted, and looks less closely at what is like it: not at what is wrong."""
    decoder = PoseBatchDecoder()
    for _ in range(2):
        decoder.decode(GOOD["pose_batch"])
    with pytest.raises(SurgNavError):
        decoder.decode(VECTORS[name].data)
    assert decoder.decode(GOOD["pose_batch"]).sequence == 1001
