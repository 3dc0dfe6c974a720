"""A plan that changed, on its way to the pose process: in a file, which is read beside the loop.

The distance grids of a plan have tens of megabytes. Through the pipe, whatever takes them out would keep the poses
waiting; so the file is read and made ready in a thread, and the loop only takes the guide that is finished.
"""

from __future__ import annotations

import pickle
import tempfile
import threading
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from geometry.errors import SurgNavError
from navigation.guidance.guide import Guide, GuideSettings
from navigation.guidance.plan import SurgicalPlan


@dataclass(frozen=True, kw_only=True)
class GuidanceSetup:
    """What the pose process guides by; can be sent to it.

    Attributes:
        plan: the plan, with its distance grids.
        tools: tool -> whether its axis is known, as `Guide` takes it.
        followed: name of the trajectory at the start; empty for the only one, or none.
        settings: distances and rates.
    """

    plan: SurgicalPlan
    tools: dict[str, bool]
    followed: str = ""
    settings: GuideSettings = field(default_factory=GuideSettings)

    def guide(self) -> Guide:
        """Leads along what is followed at the start."""
        guide = Guide(self.plan, self.tools, self.settings)
        if self.followed:
            guide.follow(self.followed)
        return guide


class PlanShelf:
    """Holds the files, in a folder that only this user can open, until it is closed: a pose process that is started
    again reads the newest anew."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._numbers = count()

    def put(self, setup: object) -> str:
        """Writes one, or what else a process of this program takes of a plan; returns its path.

        Raises:
            OSError: no room for it.
        """
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="surgnav-plan-")
        path = Path(self._folder.name) / f"{next(self._numbers)}.pickle"
        path.write_bytes(pickle.dumps(setup))
        return str(path)

    def close(self) -> None:
        """May be called again."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


class PlanReader:
    """Reads a file of the shelf in a thread, and makes its guide.

    Attributes:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._made: tuple[GuidanceSetup, Guide] | None = None
        self._problem = "the new plan could not be read"
        self._thread = threading.Thread(target=self._read, name="surgnav-new-plan", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    @property
    def made(self) -> tuple[GuidanceSetup, Guide] | None:
        """Once it is done: what was read; None where that failed."""
        return self._made

    @property
    def problem(self) -> str:
        """Why it failed; empty where it did not."""
        return self._problem

    def _read(self) -> None:
        try:
            setup: GuidanceSetup = pickle.loads(Path(self.path).read_bytes())  # of this program and this user alone
            self._made, self._problem = (setup, setup.guide()), ""
        except (OSError, EOFError, MemoryError, pickle.UnpicklingError, SurgNavError) as error:
            self._problem += f": {type(error).__name__}: {error}"
