"""The headset's program is kept for each state of its sources, since two checkouts may be tested at once."""

import os
from pathlib import Path

from scripts.csharp import headset
from scripts.csharp.toolchain import Toolchain


def test_another_checkouts_program_is_left_alone_until_nobody_uses_it(tmp_path: Path, monkeypatch):
    made = []

    def compile_nothing(folder: Path, tools: Toolchain) -> None:
        folder.mkdir()
        (folder / "Headset.dll").write_text(folder.name)
        made.append(folder)

    monkeypatch.setattr(headset, "_compile", compile_nothing)
    tools = Toolchain(tmp_path / "tools")

    def build(sources: str) -> Path:
        monkeypatch.setattr(headset, "_fingerprint", lambda _: sources)
        return headset.build_headset(tools)

    first, second = build("one"), build("another")
    assert first.is_file()
    assert second.is_file()
    assert build("one") == first
    assert len(made) == 2, "compiled once each"
    os.utime(second.parent, (0, 0))
    assert build("another") == second, "used again: it stays"
    assert build("third").is_file()
    assert second.is_file()
    os.utime(second.parent, (0, 0))
    build("fourth")
    assert not second.parent.exists()
    assert first.is_file()
