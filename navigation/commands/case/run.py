"""Shows, verifies and exports a case."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from case.case import Artefact, Case
from case.errors import CaseError
from case.findings.finding import Finding
from case.findings.kept import findings
from geometry.frames import REFERENCE
from reconstruction.archive.case_objects import make_objects, write_for_slicer
from reconstruction.archive.errors import ArchiveError
from reconstruction.archive.segmentation import SegmentationKind


def show(path: Path, console: Console) -> None:
    """Prints the chain of the case, and every decision.

    Raises:
        CaseError: no case there.
    """
    case = Case.open(path)
    wrong = problems(case)
    table = Table(title=f"{escape(case.name)}, {case.manifest.created}", expand=True)
    for heading in ("file", "made by", "from", "state"):
        table.add_column(heading, overflow="fold")
    for artefact in case.artefacts:
        made = f"{artefact.made_by.program} {artefact.made_by.version}, {artefact.made_by.time}"
        sources = ", ".join(source.id for source in artefact.made_from)
        state = f"[red]{escape(wrong[artefact.id])}[/]" if artefact.id in wrong else _decided(case, artefact)
        table.add_row(escape(artefact.id), escape(made), escape(sources), state)
    console.print(table)
    for each in case.decisions:
        looked = {True: ", looked at pictures", False: ", without looking at pictures", None: ""}[each.looked_at]
        why = f": {each.reason}" if each.reason else ""
        said = f"{each.time} {each.person}: {each.structure} {each.state}{looked} ({each.surface_sha256[:12]}){why}"
        console.print(escape(said), highlight=False, soft_wrap=True)
    for artefact, finding in findings(case):
        style = "yellow" if isinstance(finding, str) or finding.in_frame == REFERENCE else ""
        console.print(escape(_found(case, artefact, finding)), style=style, highlight=False, soft_wrap=True)


def verify(path: Path, console: Console) -> None:
    """Prints how many files are as they were made.

    Raises:
        CaseError: no case there, or files that are not as they were made, each named.
    """
    case = Case.open(path)
    wrong = problems(case)
    if wrong:
        raise CaseError(
            f"a case with {len(wrong)} of {len(case.artefacts)} files not as they were made: "
            + "; ".join(f"{name} ({how})" for name, how in wrong.items()),
            "files with the fingerprints of the manifest, made from inputs that have not changed since",
            "restore the files, or make again what is out of date",
        )
    console.print(f"[green]✓[/] {len(case.artefacts)} files are as they were made, from inputs that have not changed")


def export_dicom(path: Path, out: Path, kind: SegmentationKind, suggested: bool, console: Console) -> None:
    """Writes the DICOM objects into a new folder, all of them or none.

    Raises:
        ArchiveError: the folder is there, or nothing may leave.
        SurgNavError: as `make_objects`.
    """
    with _new_folder(out) as folder:
        objects = make_objects(Case.open(path), kind, suggested=suggested)
        for each in objects:
            each.dataset.save_as(folder / f"{each.name}.dcm", enforce_file_format=True)
    for each in objects:
        console.print(f"[green]✓[/] {escape(str(out / each.name))}.dcm: {each.what}", highlight=False, soft_wrap=True)
    console.print("These files name the patient, as the CT does.", style="yellow")


def export_for_slicer(path: Path, out: Path, suggested: bool, console: Console) -> None:
    """Writes files for 3D Slicer into a new folder, all of them or none; raises as `write_for_slicer`."""
    with _new_folder(out) as folder:
        names = write_for_slicer(Case.open(path), folder, suggested=suggested)
    for name in names:
        console.print(f"[green]✓[/] {escape(str(out / name))}", highlight=False, soft_wrap=True)


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder that appears at `out` when the block ends, or not at all.

    Raises:
        ArchiveError: something is there.
    """
    if out.exists():
        raise ArchiveError(f"the path {out}, which is there already", "a folder that is not", "name another --out")
    composed = out.absolute().parent / f".{out.name}.part"
    shutil.rmtree(composed, ignore_errors=True)
    composed.mkdir(parents=True)
    try:
        yield composed
        composed.replace(out)
    finally:
        shutil.rmtree(composed, ignore_errors=True)


def problems(case: Case) -> dict[str, str]:
    """Every file that is not as it was made: its id and how."""
    return {name: f"out of date: {why}" for name, why in case.stale().items()} | case.verify()


def _found(case: Case, artefact: Artefact, finding: Finding | str) -> str:
    """A finding in one line; one in ``reference`` says that it is not in the CT, and of which session it is."""
    if isinstance(finding, str):
        return f"{artefact.id}: {finding}"
    of = f" of {finding.structure}" if finding.structure else ""
    x, y, z = finding.middle_mm
    where = f"at {x:.1f}, {y:.1f}, {z:.1f} mm in {finding.in_frame}"
    active = case.active_registration()
    if finding.in_frame == REFERENCE:
        where += f" of session {finding.marked_in.session[:12]}: NOT in the CT"
    elif active is None or active.registration != finding.registration:
        now = "none" if active is None else active.registration
        where += f" by {finding.registration} (in force now: {now})"
    else:
        where += f" by {finding.registration}"
    return (
        f"{finding.time} {finding.person}: finding {finding.name}, {finding.shape}{of} {where}, {finding.error_words}; "
        f"in {finding.marked_in.images}"
    )


def _decided(case: Case, artefact: Artefact) -> str:
    structure = artefact.details.get("structure") if artefact.path.endswith(".glb") else None
    return case.state(structure) if structure in case.structures() else ""
