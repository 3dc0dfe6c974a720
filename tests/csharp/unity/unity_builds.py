"""Compiles the package's Unity layer against the stubs, once for each set of symbols that Unity defines."""

from pathlib import Path

from scripts.csharp.build import Build, compile_csharp
from scripts.csharp.toolchain import Toolchain
from tests.csharp.conftest import CORE, SOURCES

PACKAGE = CORE.parent.parent
STUBS = SOURCES / "unity_stubs"
SYMBOLS = {
    "editor": ("UNITY_EDITOR", "UNITY_2021_3_OR_NEWER"),
    "hololens": ("UNITY_WSA", "ENABLE_IL2CPP", "UNITY_2021_3_OR_NEWER"),
    "android": ("UNITY_ANDROID", "ENABLE_IL2CPP", "UNITY_2021_3_OR_NEWER"),  # Quest and Magic Leap 2
}


def build_stubs(folder: Path, tools: Toolchain) -> tuple[Path, Path]:
    """UnityEngine and UnityEditor, as far as the package uses them."""
    engine = Build(sources=[STUBS / "UnityEngine"], target=folder / "UnityEngine.dll", standard=True)
    compile_csharp(engine, tools)
    editor = folder / "UnityEditor.dll"
    compile_csharp(
        Build(sources=[STUBS / "UnityEditor"], target=editor, references=[engine.target], standard=True), tools
    )
    return engine.target, editor


def build_runtime(folder: Path, core: Path, engine: Path, symbols: tuple[str, ...], tools: Toolchain) -> Path:
    """SurgNav.Unity."""
    build = Build(
        sources=[PACKAGE / "Runtime" / "Unity"],
        target=folder / "SurgNav.Unity.dll",
        references=[core, engine],
        defines=symbols,
        standard=True,
    )
    return compile_csharp(build, tools)


def build_editor(folder: Path, references: list[Path], symbols: tuple[str, ...], tools: Toolchain) -> Path:
    """SurgNav.Unity.Editor."""
    build = Build(
        sources=[PACKAGE / "Editor"],
        target=folder / "SurgNav.Unity.Editor.dll",
        references=references,
        defines=symbols,
        standard=True,
    )
    return compile_csharp(build, tools)


def build_player(core: Path, tools: Toolchain) -> Path:
    """The program that plays scenes, beside everything that it loads."""
    folder = core.parent
    engine, _ = build_stubs(folder, tools)
    runtime = build_runtime(folder, core, engine, SYMBOLS["editor"], tools)
    build = Build(
        sources=[SOURCES / "unity_player", SOURCES / "wire_probe" / "Json.cs"],
        target=folder / "UnityPlayer.dll",
        references=[core, engine, runtime],
        program=True,
        standard=True,
    )
    return compile_csharp(build, tools)
