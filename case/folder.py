"""A folder with a manifest: atomic additions, fingerprints, and what became stale. Which artefacts: see `case`.

A new folder is composed in a hidden one beside its place and renamed at the end, so an error leaves nothing behind. An
addition to an existing one writes the file first and the manifest last, each atomically. Nothing here reads the clock.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from case.atomic import atomic_path, atomic_write, file_sha256, held, sibling, sync
from case.errors import CaseError
from case.leftovers import MANIFEST
from case.manifest import Artefact, Decision, Input, MadeBy, Manifest, stays_inside

__all__ = ["MANIFEST", "CaseFolder", "Fingerprint", "validated"]

Fingerprint = Callable[[Path], str]
"""A file's SHA-256, in hexadecimal."""
Record = TypeVar("Record", bound=BaseModel)


class CaseFolder:
    """A folder with a manifest of its artefacts; the base of `Case`."""

    def __init__(self, root: Path, manifest: Manifest, fingerprint: Fingerprint = file_sha256) -> None:
        self._root = root
        self._manifest = manifest
        self._on_disk: bytes | None = None
        self._fingerprint = fingerprint
        self._is_held = False

    @classmethod
    @contextmanager
    def create(cls, path: str | PathLike[str], name: str, time: str) -> Iterator[Self]:
        """Composes a new case; it appears at `path` when the block ends, or not at all if the block raises.

        Args:
            path: a place that does not exist yet, or an empty folder.
            name: what people call the case; not the patient's name.
            time: ISO 8601 with a time zone.

        Raises:
            CaseError: the place is taken, or the time is not ISO 8601.
        """
        target = Path(path).absolute()
        _check_free(target)
        case = cls(sibling(target), validated(Manifest, name=name, created=time))
        case._root.mkdir(parents=True)
        try:
            with case._held():  # so that nobody takes it for what a killed run left behind
                case.save(case.manifest)
                yield case
                _check_free(target)
                case._root.replace(target)
            sync(target.parent)
            case._root = target
        finally:
            if case._root != target:
                shutil.rmtree(case._root, ignore_errors=True)  # what went wrong first is what is told

    @classmethod
    def open(cls, path: str | PathLike[str], fingerprint: Fingerprint = file_sha256) -> Self:
        """Opens an existing case.

        Args:
            fingerprint: computes a file's SHA-256; a caller that polls may pass one that caches unchanged files.

        Raises:
            CaseError: no case there, or a manifest that this version cannot read.
        """
        root = Path(path).absolute()
        try:
            content = (root / MANIFEST).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise CaseError(f"no case at {root}", f"a folder with {MANIFEST}", "check the path") from error
        except OSError as error:
            came = f"a {MANIFEST} in {root} that cannot be read ({error.strerror})"
            raise CaseError(came, "a case that you may read", "check its permissions and the disk") from error
        try:
            manifest = Manifest.model_validate_json(content)
        except ValidationError as error:
            raise CaseError(
                f"a {MANIFEST} that does not hold together ({_first_fault(error)})",
                "a case of schema version 1",
                "restore it, or open it with the version that wrote it",
            ) from error
        case = cls(root, manifest, fingerprint)
        case._on_disk = content
        return case

    @property
    def root(self) -> Path:
        """Where the case is: while it is being composed, a hidden folder beside its place."""
        return self._root

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @property
    def name(self) -> str:
        return self._manifest.name

    @property
    def artefacts(self) -> tuple[Artefact, ...]:
        """In the order they were made."""
        return self._manifest.artefacts

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Every decision ever made, in order."""
        return self._manifest.decisions

    def artefact(self, artefact_id: str) -> Artefact:
        """The artefact with this id, or `CaseError` listing those there are."""
        for artefact in self.artefacts:
            if artefact.id == artefact_id:
                return artefact
        known = ", ".join(artefact.id for artefact in self.artefacts)
        allowed = f"one of {known}" if known else "an artefact that was added before"
        raise CaseError(f"no artefact '{artefact_id}' in the case", allowed, "add it first, or use another id")

    def path_of(self, artefact_id: str) -> Path:
        """Where an artefact's file is; for a CT by reference, where the CT was."""
        return self._root / self.artefact(artefact_id).path

    def add(
        self,
        kind: str,
        path: str,
        write: Callable[[Path], None],
        made_by: MadeBy,
        made_from: Sequence[str] = (),
        *,
        artefact_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Artefact:
        """Adds a file of any kind, or replaces the one at the same path: the file first, the manifest last.

        Args:
            kind: the artefact's kind, such as ``surface``.
            path: its path relative to the case.
            write: writes the file to the temporary path that it is given.
            made_by: program, version, parameters and time.
            made_from: ids of the artefacts it was made from.
            artefact_id: its id, where that is not `path`.
            details: facts for the reader, as JSON values.

        Raises:
            CaseError: a path outside the case, an unknown input, or a case that another process has changed.
        """
        inputs = self._inputs(made_from)
        if not stays_inside(path):
            raise CaseError(f"the path {path!r}", "a relative path inside the case", "leave out '..' and leading '/'")
        with self._held():
            self._check_unchanged()
            target = self._root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(target) as temporary:
                write(temporary)
                artefact = validated(
                    Artefact,
                    id=artefact_id or path,
                    kind=kind,
                    path=path,
                    sha256=file_sha256(temporary),
                    made_by=made_by,
                    made_from=inputs,
                    details=dict(details or {}),
                )
            self.save(self._manifest.with_artefacts(artefact))
        return artefact

    def accept_edit(self, artefact_id: str, made_by: MadeBy) -> Artefact:
        """Accepts a file that was edited in another program; artefacts made from it become stale.

        Raises:
            CaseError: the artefact is not a file in the case.
        """
        old = self.artefact(artefact_id)
        if old.by_reference or not self.path_of(artefact_id).is_file():
            came = f"the artefact '{artefact_id}', which is no file of this case"
            raise CaseError(came, "a file in the case", "add it instead")
        new = old.model_copy(update={"sha256": file_sha256(self.path_of(artefact_id)), "made_by": made_by})
        self.save(self._manifest.with_artefacts(new))
        return new

    def verify(self) -> dict[str, str]:
        """Artefacts that are not what the manifest says: id -> ``missing``, ``unreadable`` or ``altered``.

        A CT by reference is only looked for; whether it changed is known once it is read again.
        """
        wrong = {}
        for artefact in self.artefacts:
            found = self._current_sha256(artefact)
            if not _is_there(self._root / artefact.path):
                wrong[artefact.id] = "missing"
            elif found != artefact.sha256:
                wrong[artefact.id] = "altered" if found else "unreadable"
        return wrong

    def stale(self) -> dict[str, str]:
        """Artefacts whose inputs are no longer what they were made from, directly or further up: id -> why.

        Files are hashed as they are now, so an input that was changed behind the manifest's back counts as well.
        """
        current = {artefact.id: self._current_sha256(artefact) for artefact in self.artefacts}
        stale: dict[str, str] = {}
        for _ in self.artefacts:  # as many rounds as the longest chain can need
            known = len(stale)
            for artefact in self.artefacts:
                changed = [i.id for i in artefact.made_from if current.get(i.id) != i.sha256]
                passed_on = [i.id for i in artefact.made_from if i.id in stale]
                if changed:
                    stale[artefact.id] = f"{', '.join(changed)} changed since"
                elif passed_on:
                    stale.setdefault(artefact.id, f"{', '.join(passed_on)} is stale")
            if len(stale) == known:
                break
        return stale

    # ------------------------------------------------------------------------------------------------------- internals

    def _inputs(self, ids: Sequence[str]) -> tuple[Input, ...]:
        return tuple(Input(id=input_id, sha256=self.artefact(input_id).sha256) for input_id in ids)

    def _current_sha256(self, artefact: Artefact) -> str | None:
        if artefact.by_reference:
            return artefact.sha256
        try:
            return self._fingerprint(self._root / artefact.path)
        except OSError:  # not there, not a file, or not for us to read
            return None

    def save(self, manifest: Manifest) -> None:
        """Puts another manifest in place, atomically.

        Raises:
            CaseError: the manifest on disk is not the one this object read or wrote last.
        """
        content = (manifest.model_dump_json(indent=2) + "\n").encode()
        with self._held():
            self._check_unchanged()
            atomic_write(self._root / MANIFEST, content)
        self._manifest, self._on_disk = manifest, content

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Locks the case, so that no other process writes between reading and replacing the manifest."""
        if self._is_held:
            yield
            return
        with held(self._root):
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False

    def _check_unchanged(self) -> None:
        if self._on_disk is not None and _content(self._root / MANIFEST) != self._on_disk:
            came = "a case that somebody else has changed meanwhile"
            raise CaseError(came, "one writer at a time", "open the case again and repeat the change")


def validated(model: type[Record], **fields: Any) -> Record:
    """Builds a manifest record; what does not fit raises `CaseError` instead of pydantic's own error."""
    try:
        return model(**fields)
    except ValidationError as error:
        allowed = "names that are not empty, times as ISO 8601 with a time zone, plain JSON values"
        raise CaseError(f"an invalid field ({_first_fault(error)})", allowed, "correct this field") from error


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that is not for us to look into
        return False


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _check_free(target: Path) -> None:
    if (target / MANIFEST).exists():
        action = "name another folder (--case), or look at this one with 'surgnav review'"
        raise CaseError(f"the path {target}, where a case is already", "a path that does not exist yet", action)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        came = f"the path {target}, which is {'not empty' if target.is_dir() else 'a file'}"
        raise CaseError(came, "a path that does not exist yet, or an empty folder", "name another folder (--case)")


def _first_fault(error: ValidationError) -> str:
    """The field and the fault of the first validation error, without the value, which may bear a name."""
    fault = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
