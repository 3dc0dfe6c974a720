"""The transport probe, a C# program with one socket, remote-controlled by a test."""

import queue
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from scripts.csharp.build import Runtime, run_command
from scripts.csharp.toolchain import Toolchain

_PATIENCE_S = 120.0  # nothing is timed by it: only what hangs waits for so long


class RemoteProbe:
    """Starts the program; see Program.cs for what it understands and says."""

    def __init__(self, program: Path, tools: Toolchain, runtime: Runtime) -> None:
        self._process = subprocess.Popen(
            run_command(program, tools, runtime), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.states: list[tuple[str, str]] = []
        self.messages: list[tuple[int, str]] = []

    def open(self, kind: str, endpoint: str, **options: object) -> None:
        """A new socket in the place of the last one; of the last one nothing comes any more."""
        self._say(" ".join(["open", kind, endpoint, *(f"{name}={value}" for name, value in options.items())]))
        self.await_line("opened")
        self.states.clear()
        self.messages.clear()

    def send(self, message: bytes) -> bool:
        self._say(f"send {message.hex()}")
        return self.await_line("sent") == ["True"]

    def report(self) -> list[int]:
        """Messages, bytes, reconnections, bytes of memory."""
        self._say("report")
        return [int(word) for word in self.await_line("report")]

    def stop(self) -> float:
        """Closes the socket from another thread than the one that polls it; milliseconds that this took."""
        self._say("stop")
        return float(self.await_line("stopped")[0])

    def measure(self, count: int) -> None:
        """Begins to count what receiving so many messages allocates; `await_line("measured")` has the bytes."""
        self._say(f"measure {count}")

    def await_state(self, state: str, reason: str = "", work: Callable[[], object] = lambda: None) -> str:
        """Waits for a state with these words in its reason, and returns the reason; `work` is done all the while."""
        return self.until(
            lambda: next(([why] for name, why in self.states if name == state and reason in why), None), work
        )[0]

    def await_line(self, kind: str, work: Callable[[], object] = lambda: None) -> list[str]:
        """Waits for a line that begins with this word, and returns the others."""
        found: list[list[str]] = []
        self._take(lambda words: found.append(words[1:]) if words[0] == kind else None, lambda: bool(found), work)
        return found[0]

    def until(self, condition: Callable[[], object], work: Callable[[], object] = lambda: None):
        """Takes in what the probe says until the condition holds, and returns what it gave; fails if it never does."""
        found: list[object] = []

        def done() -> bool:
            found[:] = [condition()]
            return bool(found[0])

        self._take(lambda words: None, done, work)
        return found[0]

    def close(self) -> None:
        """Ends the program; it must still be well."""
        alive = self._process.poll() is None
        if alive:
            self._say("quit")
        try:
            self._process.wait(_PATIENCE_S)
        finally:
            self._process.kill()
        assert alive, "the probe had ended before it was told to"
        assert self._process.returncode == 0

    def _say(self, line: str) -> None:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))

    def _take(self, note: Callable[[list[str]], object], done: Callable[[], bool], work: Callable[[], object]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not done():
            assert self._process.poll() is None, "the probe has ended"
            assert time.monotonic() < deadline, (self.states, self.messages[-3:])
            work()
            try:
                words = self._lines.get(timeout=0.002).split(" ")
            except queue.Empty:
                continue
            if words[0] == "state":
                self.states.append((words[1], " ".join(words[2:])))
            elif words[0] == "message":
                self.messages.append((int(words[1]), words[2]))
            note(words)
