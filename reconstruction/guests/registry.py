"""The networks that a person has added: one small description a network; the networks stay where they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from case.atomic import atomic_write
from case.names import in_ascii
from reconstruction.guests.card import ModelCard
from reconstruction.guests.errors import ModelError
from reconstruction.guests.files import read_json
from reconstruction.guests.kinds import read_card

SCHEMA, VERSION = "surgnav.model", 1


class Registry:
    """Descriptions of networks in a folder.

    Args:
        folder: where the descriptions lie; it is made when the first is added.
        taken: names that no guest may have: those of the networks that come with the program.
    """

    def __init__(self, folder: Path, taken: tuple[str, ...] = ()) -> None:
        self._folder, self._taken = folder, taken

    def add(
        self,
        path: Path,
        name: str | None = None,
        *,
        trusted: bool = False,
        orientation: str | None = None,
        mirror: bool = False,
    ) -> ModelCard:
        """Describes the network at a path under a name; the same name again replaces the description.

        Args:
            path, trusted, orientation, mirror: as for `read_card`.
            name: by default that of the folder or file.

        Raises:
            ModelError: nothing there that this program runs, or a name that cannot be used.
        """
        wanted = in_ascii(name if name is not None else path.absolute().name)
        if not wanted or wanted in self._taken:
            raise ModelError(
                f"the name '{wanted or name}' for a network",
                "letters, digits, '_' and '-', and not the name of a network that comes with the program",
                "choose one with --name",
            )
        card = read_card(path, wanted, trusted=trusted, orientation=orientation, mirror=mirror)
        self._folder.mkdir(parents=True, exist_ok=True)
        document = {"schema": SCHEMA, "version": VERSION} | card.to_json()
        atomic_write(self._file(wanted), (json.dumps(document, indent=2) + "\n").encode())
        return card

    def cards(self) -> tuple[ModelCard, ...]:
        """All that were added, by name.

        Raises:
            ModelError: a description that is broken.
        """
        return tuple(self._read(path) for path in sorted(self._folder.glob("*.json")))

    def card(self, name: str) -> ModelCard:
        """One of them.

        Raises:
            ModelError: no such network.
        """
        path = self._file(in_ascii(name) or "_")
        if not path.is_file():
            known = [*self._taken, *(file.stem for file in sorted(self._folder.glob("*.json")))]
            raise ModelError(f"the network '{name}'", f"one of {', '.join(known)}", "see 'surgnav models list'")
        return self._read(path)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _read(self, path: Path) -> ModelCard:
        values = read_json(path)
        if (values.pop("schema", None), values.pop("version", None)) != (SCHEMA, VERSION):
            raise ModelError(
                f"{path.name}, which describes no network for this version",
                f"{SCHEMA} of version {VERSION}",
                f"remove it from {self._folder}, or add the network again",
            )
        return replace(ModelCard.from_json(values), name=path.stem)
