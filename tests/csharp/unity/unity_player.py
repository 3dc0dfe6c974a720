"""The Unity package in the stub engine, a C# program remote-controlled by a test: see unity_player/Program.cs."""

import json
import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.csharp.build import Runtime, run_command
from scripts.csharp.toolchain import Toolchain
from tests.conftest import REPOSITORY
from tests.csharp.unity.unity_scene import SceneFile

PACKAGE = REPOSITORY / "unity_bridge" / "unity"
SAMPLE = PACKAGE / "Samples~" / "Basic" / "SurgNavBasic.unity"
_PATIENCE_S = 120.0  # nothing is timed by it: only what hangs waits for so long


def script_names() -> dict[str, str]:
    """Class names of the package's components by the GUID of their script."""
    return {
        re.search(r"guid: (\w+)", meta.read_text("utf-8"))[1]: meta.name.removesuffix(".cs.meta")
        for meta in (PACKAGE / "Runtime" / "Unity").glob("*.cs.meta")
    }


class UnityPlayer:
    """Plays the sample scene; `work` is done while it waits, such as a server's; `data` is the app's own folder."""

    def __init__(
        self, program: Path, tools: Toolchain, runtime: Runtime, work: Callable[[], object], data: Path
    ) -> None:
        self._process = subprocess.Popen(
            run_command(program, tools, runtime),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"STUB_DATA_PATH": str(data)},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._work = work
        self._scene = SceneFile.read(SAMPLE)
        self._scripts = script_names()

    def load(self, *before: str, **endpoints: str) -> None:
        """After `before` builds the sample scene, with these fields of its connection, and presses play."""
        *commands, go = self._scene.commands(self._scripts)
        for command in [*before, *commands]:
            self.do(*command.split("\t"))
        for name, value in endpoints.items():
            self.set("SurgNav", "SurgNavConnection", name, value)
        self.do(go)

    def id_of(self, name: str) -> str:
        """File id of an object, by its name."""
        (found,) = (key for key, fields in self._scene.of_kind("GameObject").items() if fields["m_Name"] == name)
        return found

    def component(self, name: str, script: str) -> str:
        """File id of a component, by its object's name and its class."""
        owner = self.id_of(name)
        (found,) = (
            key
            for key, fields in self._scene.of_kind("MonoBehaviour").items()
            if fields["m_GameObject"]["fileID"] == owner and self._scripts[fields["m_Script"]["guid"]] == script
        )
        return found

    def set(self, name: str, script: str, field: str, value: str) -> None:
        self.do("set", self.component(name, script), field, "value", value)

    def move(self, name: str, position=(0, 0, 0), rotation=(0, 0, 0, 1), scale=(1, 1, 1)) -> None:
        self.do("transform", self.id_of(name), " ".join(map(str, (*position, *rotation, *scale))))

    def call(self, name: str, script: str, method: str, *words: str) -> str:
        return self.do("call", self.component(name, script), method, *words)

    def do(self, *words: str) -> str:
        """One command, and its answer."""
        self._process.stdin.write("\t".join(words) + "\n")
        self._process.stdin.flush()
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            self._work()
            try:
                line = self._lines.get(timeout=0.002)
            except queue.Empty:
                continue
            assert not line.startswith("error: "), line.replace("|", "\n")
            return line
        raise AssertionError(f"no answer to {words}")

    def show(self) -> dict[str, Any]:
        """Everything in the scene after some more frames."""
        self.do("step", "3", "5")
        return json.loads(self.do("show"))

    def until(self, condition: Callable[[dict[str, Any]], object], seconds: float = _PATIENCE_S) -> dict[str, Any]:
        """Plays until what is shown is so, and returns it."""
        deadline = time.monotonic() + seconds
        while True:
            shown = self.show()
            if condition(shown):
                return shown
            assert time.monotonic() < deadline, json.dumps(_short(shown), indent=1)

    def close(self) -> None:
        self._process.stdin.close()
        try:
            assert self._process.wait(timeout=_PATIENCE_S) == 0
        finally:
            self._process.kill()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))


def _short(shown: dict[str, Any]) -> dict[str, Any]:
    for surface in shown["surfaces"].values():
        surface["vertices"] = surface["indices"] = "..."
    return shown
