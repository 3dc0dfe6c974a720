"""The C# that follows from the schema reads what the Python side writes, and refuses what it refuses."""

import json
import random
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from geometry.errors import SurgNavError
from scripts.csharp import toolchain
from scripts.csharp.build import Build, CompilationError, Runtime, compile_csharp
from scripts.wire.csharp_source import csharp_files
from scripts.wire.schema_file import load_schema
from tests.csharp.conftest import CORE
from tests.unity_bridge.wire.golden_vectors import FOLDER, meaning
from tests.unity_bridge.wire.mutation import GOLDEN, mutated
from tests.unity_bridge.wire.refused_vectors import REFUSED
from tests.unity_bridge.wire.schema_with_everything import WITH_EVERYTHING

POSES = [data for name, data in GOLDEN.items() if name.startswith("pose_batch")]


def test_golden_vectors_mean_the_same(probe):
    """Bit for bit: the JSON of every vector, and for the declared messages the bytes written again."""
    for (name, data), came in zip(GOLDEN.items(), probe("meaning", list(GOLDEN.values())), strict=True):
        encoded = came.pop("encoded", None)
        assert came == json.loads(Path(FOLDER / f"{name}.json").read_text("utf-8")), name
        if "message" in came:
            assert encoded == data.hex(), name


def test_what_the_page_says_to_refuse_is_refused(probe):
    """The same vectors as Python's (tests/unity_bridge/wire/test_refused_vectors.py), and the same code for each."""
    vectors = {path: json.loads(path.with_suffix(".json").read_text("utf-8")) for path in REFUSED.glob("*.bin")}
    vectors = {path: told for path, told in sorted(vectors.items()) if told["stage"] == "decode"}
    assert len(vectors) > 60
    came = probe("refusal", [path.read_bytes() for path in vectors] + list(GOLDEN.values()))
    assert dict(zip([path.stem for path in vectors], came, strict=False)) == {
        path.stem: told["code"] for path, told in vectors.items()
    }
    assert came[len(vectors) :] == [None] * len(GOLDEN), "the good ones are not"


def meant(data: bytes):
    """Python's meaning, as JSON has it; None where it refuses."""
    try:
        return json.loads(json.dumps(meaning(data)))
    except SurgNavError:
        return None


def test_both_languages_agree_on_damaged_messages(probe):
    """Neither accepts what the other refuses, and what both accept means the same."""
    rng = random.Random(20261124)
    inputs = [mutated(rng) for _ in range(6000)]
    accepted = 0
    for data, came in zip(inputs, probe("meaning", inputs), strict=True):
        expected = meant(data)
        if came is not None:
            came.pop("encoded", None)
            accepted += 1
        assert came == expected, data.hex()
    assert 200 < accepted < len(inputs) - 200, "too one-sided to tell anything"


def test_every_truncation_and_every_changed_byte_is_refused_or_read(probe):
    (result,) = probe("fuzz", list(GOLDEN.values()))
    assert result["tried"] == 17 * sum(map(len, GOLDEN.values()))
    assert 0 < result["accepted"] < result["tried"]


@pytest.mark.parametrize("runtime", [Runtime.DOTNET], ids=["dotnet"])  # Mono does not count
def test_pose_batches_make_no_garbage(probe):
    """Two batches in turn, whose string tables differ, do; the same tools again and again do not."""
    (steady,) = probe("allocations", [GOLDEN["pose_batch"]])
    (turning,) = probe("allocations", POSES)
    assert (steady["batches"], steady["bytes"]) == (1000, 0)
    assert turning["bytes"] > 0, "the count of allocations counts nothing"


def test_what_must_not_be_sent_is_refused(probe):
    (results,) = probe("refusals", [])
    assert {name for name, words in results.items() if words == "sent"} == {
        "good",
        "longest text",
        "good hash",
        "far enough",
    }
    assert "1025 bytes" in results["text too long"]
    assert "not finite" in results["not a number"]
    assert "a position with NaN m" in results["nowhere"]
    assert "a position with 1000.1 m" in results["too far"]


def test_every_kind_of_field_compiles(tools, tmp_path):
    """A message with all of them, in the place of today's."""
    shutil.copytree(CORE, tmp_path / "Core", ignore=shutil.ignore_patterns("Generated"))
    for name, text in csharp_files(load_schema(WITH_EVERYTHING)).items():
        (tmp_path / "Core" / name).write_text(text, "utf-8")
    compile_csharp(Build(sources=[tmp_path / "Core"], target=tmp_path / "Core.dll"), tools)


def test_a_mistake_is_reported_with_its_line(tools, tmp_path):
    source = tmp_path / "Wrong.cs"
    source.write_text("class Wrong\n{\n    int Number() { return missing; }\n}\n")
    with pytest.raises(CompilationError, match=r"Wrong.cs\(3,\d+\): error CS0103"):
        compile_csharp(Build(sources=[source], target=tmp_path / "Wrong.dll"), tools)


PACKS_ANOTHER = 'echo "$@" >../../../asked\necho another >autorest-csharp-0.tgz\necho autorest-csharp-0.tgz'


@pytest.mark.parametrize(
    ("npm", "complaint"),
    [
        (PACKS_ANOTHER, "SHA-256 .*Fix: find out why"),
        ("echo not found >&2\nexit 1", r"no @autorest/csharp@0: not found.*expected package sources within reach"),
        ("exit 0", "no @autorest/csharp@0"),
        (None, "no npm, .*Fix: make setup-tests"),
    ],
    ids=["another file", "out of reach", "says yes and brings nothing", "no npm"],
)
def test_tools_that_are_missing_or_not_the_right_ones_are_refused(tmp_path, monkeypatch, npm, complaint):
    """Never a skip: the test that wants them fails with these words."""
    monkeypatch.setenv("SURGNAV_CSHARP_TOOLS", str(tmp_path / "tools"))
    source = {"package": "@autorest/csharp@0", "sha256": "0", "folder": "npm"}
    (tmp_path / "toolchain.toml").write_text(
        "pypi = []\n[[npm]]\n" + "".join(f'{k} = "{v}"\n' for k, v in source.items())
    )
    monkeypatch.setattr(toolchain, "DECLARATION", tmp_path / "toolchain.toml")
    monkeypatch.setenv("PATH", str(tmp_path))
    if npm is not None:
        (tmp_path / "npm").write_text(f"#!/bin/sh\n{npm}\n")
        (tmp_path / "npm").chmod(0o755)
    with pytest.raises(toolchain.ToolchainError, match=r"(?s)" + complaint):
        toolchain.ensure_toolchain()
    assert [path.name for path in (tmp_path / "tools").iterdir() if path.name != "asked"] == ["lock"], (
        "nothing half-made"
    )
    if npm == PACKS_ANOTHER:
        assert (tmp_path / "tools" / "asked").read_text() == "pack --silent @autorest/csharp@0\n"


def test_packages_come_by_name_and_no_registry_is_named():
    """Whoever runs this has package sources of their own."""
    declared = toolchain.DECLARATION.read_text("utf-8")
    assert "://" not in declared
    for source in tomllib.loads(declared)["npm"]:
        assert set(source) == {"package", "sha256", "folder"}
        assert re.fullmatch(r"(@[a-z0-9-]+/)?[a-z0-9-]+@\d[0-9A-Za-z.-]*", source["package"]), "a name and one version"
