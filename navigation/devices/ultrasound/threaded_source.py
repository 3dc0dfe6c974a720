"""What live sources of ultrasound have in common: a thread that receives, and the newest frame for the reader."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import replace

from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S
from navigation.devices.reader import in_words
from navigation.devices.ultrasound.source import UltrasoundFrame

_STOP_S = 3.0


class ThreadedSource(ABC):
    """Satisfies `UltrasoundSource`; a kind of source says in `_receive` how its frames come.

    Args:
        name: of the source.
        rate_hz: frames a second, as stated.
    """

    def __init__(self, name: str, rate_hz: float) -> None:
        self.name, self.rate_hz = name, rate_hz
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._newest: UltrasoundFrame | None = None
        self._ended = ""
        self._count = 0

    @property
    def ended(self) -> str:
        with self._changed:
            return self._ended

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=f"surgnav-{self.name}", daemon=True)
        self._thread.start()

    def next_frame(self, timeout_ns: int) -> UltrasoundFrame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or bool(self._ended), timeout_ns / NS_PER_S)
            newest, self._newest = self._newest, None
            return newest

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    @abstractmethod
    def _receive(self) -> None:
        """Gives frames until `_stopping` is set; raises OSError or SurgNavError where the source ends."""

    def _give(self, frame: UltrasoundFrame) -> None:
        """Makes this the newest frame, with the next number."""
        with self._changed:
            self._newest = replace(frame, sequence=self._count)
            self._count += 1
            self._changed.notify_all()

    def _run(self) -> None:
        why = "it was stopped"
        try:
            self._receive()
        except (OSError, SurgNavError) as error:
            why = in_words(error)
        except BaseException as error:
            why = f"the driver failed: {type(error).__name__}: {error}"
            raise
        finally:
            with self._changed:
                self._ended = why
                self._changed.notify_all()
