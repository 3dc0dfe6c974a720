"""The Unity package as Unity takes it in: compiled for each platform, its assets whole, nothing that IL2CPP lacks."""

import json
import re
from pathlib import Path

import pytest

from scripts.csharp.build import Build, CompilationError, compile_csharp
from tests.csharp.unity.unity_builds import PACKAGE, STUBS, SYMBOLS, build_editor, build_runtime, build_stubs
from tests.csharp.unity.unity_player import SAMPLE, script_names
from tests.csharp.unity.unity_scene import SceneFile

GOLDEN = Path(__file__).with_name("unity_guids.json")
SCRIPTS = sorted(PACKAGE.rglob("*.cs"))
LAYER = [path for path in SCRIPTS if "Tests" not in path.relative_to(PACKAGE).parts]


@pytest.fixture(scope="session")
def stubs(tools, tmp_path_factory):
    return build_stubs(tmp_path_factory.mktemp("unity_stubs"), tools)


# --------------------------------------------------------------------------------------------------------- it compiles
@pytest.mark.parametrize("platform", SYMBOLS)
def test_the_layer_compiles_for_each_platform_without_a_warning(tools, core_assembly, stubs, tmp_path, platform):
    engine, editor = stubs
    runtime = build_runtime(tmp_path, core_assembly, engine, SYMBOLS[platform], tools)
    if platform == "editor":
        build_editor(tmp_path, [core_assembly, engine, editor, runtime], SYMBOLS[platform], tools)


def test_what_unity_does_not_have_does_not_compile(tools, stubs, tmp_path):
    """The stubs refuse what is not in them: the check above can fail."""
    source = tmp_path / "Newer.cs"
    source.write_text(
        "using UnityEngine; class Newer : MonoBehaviour\n"
        "{ void Update() { transform.SetLocalPositionAndRotation(Vector3.zero, Quaternion.identity); } }\n"
    )
    build = Build(sources=[source], target=tmp_path / "Newer.dll", references=[stubs[0]], standard=True)
    with pytest.raises(CompilationError, match=r"CS1061.*SetLocalPositionAndRotation"):
        compile_csharp(build, tools)


def test_every_type_of_the_stubs_names_its_page_in_unitys_documentation():
    root = "https://docs.unity3d.com/2021.3/Documentation/ScriptReference/"
    declared = re.compile(
        r"^(?P<above>.*)\n(?:\s*\[.*\]\n)*\s*public (?:static |sealed |abstract )*"
        r"(?:class|struct|enum|delegate void) (?P<name>\w+)(?P<generic><\w+>)?",
        re.MULTILINE,
    )
    unnamed = []
    for path in STUBS.rglob("*.cs"):
        for part in re.split(r"^namespace ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            if part.startswith("UnityStubs"):
                continue
            for found in declared.finditer(part):
                page = f"{found['name']}{'_1' if found['generic'] else ''}.html"
                if not (f"// {root}" in found["above"] and found["above"].endswith(page)):
                    unnamed.append(f"{path.name}: {found['name']}")
    assert not unnamed


# ------------------------------------------------------------------------------------------------------------- its code
FORBIDDEN = {
    r"\bSystem\.Reflection\b": "reflection: IL2CPP strips what only reflection uses",
    r"\bReflection\.Emit\b|\bDynamicMethod\b": "code made at run time",
    r"(?<!\w)dynamic\s+\w+\s*[=;,)]": "dynamic",
    r"\bLinq\.Expressions\b|\bExpression<": "expression trees",
    r"\bunsafe\b|\bstackalloc\s+\w+\s*\*|\bfixed\s*\(": "unsafe code",
    r"\bDllImport\b|\bextern\b": "native code",
    r"\bActivator\.CreateInstance\b|\bType\.GetType\(": "types by their name",
}


def code_of(path: Path) -> str:
    """Without comments and texts."""
    text = re.sub(r"//.*|/\*.*?\*/", "", path.read_text("utf-8"))
    return re.sub(r'\$?@?"(?:\\.|[^"\\\n])*"', '""', text)


@pytest.mark.parametrize("pattern", FORBIDDEN, ids=FORBIDDEN.values())
def test_nothing_that_il2cpp_lacks_or_strips(pattern):
    found = [str(path.relative_to(PACKAGE)) for path in LAYER if re.search(pattern, code_of(path))]
    assert not found, FORBIDDEN[pattern]


@pytest.mark.parametrize(
    ("code", "pattern"),
    [
        ("using System.Reflection.Emit;", r"\bReflection\.Emit\b|\bDynamicMethod\b"),
        ("dynamic thing = 1;", r"(?<!\w)dynamic\s+\w+\s*[=;,)]"),
        ("unsafe struct A {}", r"\bunsafe\b|\bstackalloc\s+\w+\s*\*|\bfixed\s*\("),
        ('[DllImport("x")] static extern int F();', r"\bDllImport\b|\bextern\b"),
    ],
)
def test_the_patterns_find_what_they_forbid(code, pattern):
    assert pattern in FORBIDDEN
    assert re.search(pattern, code)


def test_components_stay_thin():
    written = [path for path in LAYER if path.parent.name != "Generated"]
    assert {path.name for path in written if len(path.read_text("utf-8").splitlines()) > 400} == set()


def test_no_component_prints_in_its_frame():
    """Debug.Log makes garbage and fills a headset's log: only what happens once says something there."""
    talking = {path.name for path in LAYER if "Debug.Log" in path.read_text("utf-8")}
    assert talking <= {"SurgNavConnection.cs", "PatientAnatomy.cs"}


# ----------------------------------------------------------------------------------------------------------- its assets
def guid_of(meta: Path) -> str:
    return re.search(r"^guid: ([0-9a-f]{32})$", meta.read_text("utf-8"), re.MULTILINE)[1]


def test_guids_that_scenes_refer_to_never_change():
    """Somebody's scene has them. A new component: add its line here."""
    golden = json.loads(GOLDEN.read_text("utf-8"))
    kept = {name: guid_of(PACKAGE / f"{name}.meta") for name in golden}
    assert kept == golden
    referable = [*(PACKAGE / "Runtime" / "Unity").glob("*.cs"), *PACKAGE.rglob("*.asmdef"), SAMPLE]
    assert {path.relative_to(PACKAGE).as_posix() for path in referable} - set(golden) == set()


def test_guids_are_unique_in_the_samples_too():
    guids = [guid_of(meta) for meta in PACKAGE.rglob("*.meta")]
    assert len(set(guids)) == len(guids)
    assert guid_of(Path(f"{SAMPLE}.meta")) in guids


def test_the_sample_scene_refers_to_nothing_that_is_not_there():
    scene = SceneFile.read(SAMPLE)
    assert scene.dangling() == set()
    assert scene.guids <= set(script_names())
    used = {script_names()[fields["m_Script"]["guid"]] for fields in scene.of_kind("MonoBehaviour").values()}
    assert used == {
        "SurgNavConnection",
        "HeadsetAnchor",
        "TrackedTool",
        "TipErrorEllipsoid",
        "TrajectoryOverlay",
        "PatientAnatomy",
        "UltrasoundPlane",
        "StatusPanel",
        "GuidanceReadout",
        "LandmarkPicker",
    }


def test_the_sample_scene_has_each_component_in_its_object():
    scene = SceneFile.read(SAMPLE)
    for key, (_, _, fields) in scene.documents.items():
        if "m_GameObject" in fields:
            owner = scene.documents[fields["m_GameObject"]["fileID"]][2]
            assert {"component": {"fileID": key}} in owner["m_Component"], key


def test_the_package_says_what_it_is():
    manifest = json.loads((PACKAGE / "package.json").read_text("utf-8"))
    assert (manifest["name"], manifest["unity"], manifest["dependencies"]) == ("org.surgnav.client", "2021.3", {})
    for sample in manifest["samples"]:
        assert (PACKAGE / sample["path"]).is_dir()
    assert f"[{manifest['version']}]" in (PACKAGE / "CHANGELOG.md").read_text("utf-8")
    licence = PACKAGE.parent.parent / "LICENSE"
    assert (PACKAGE / "LICENSE").read_text("utf-8") == licence.read_text("utf-8")


def test_assemblies_refer_to_one_another_by_name_and_in_one_direction():
    found = {each["name"]: each for path in PACKAGE.rglob("*.asmdef") for each in [json.loads(path.read_text("utf-8"))]}
    assert found["SurgNav.Core"]["noEngineReferences"] is True
    assert "references" not in found["SurgNav.Core"]
    assert found["SurgNav.Unity"]["references"] == ["SurgNav.Core"]
    assert found["SurgNav.Unity.Editor"]["includePlatforms"] == ["Editor"]
    for name, each in found.items():
        ours = {reference for reference in each.get("references", []) if reference.startswith("SurgNav")}
        assert ours <= set(found) - {name}
