"""What ``surgnav models list`` and ``show`` print."""

from __future__ import annotations

import shlex

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from navigation.commands.models.folders import model_folder, open_registry, totalsegmentator_models
from reconstruction.guests.card import KINDS, NOT_STATED, ModelCard
from reconstruction.guests.kinds import why_not_here
from reconstruction.network.weights import Weights, load_weights, shipped_ct_networks

LISTED = 4  # structures that a line of the list names


def list_models(console: Console) -> None:
    """Ours first, then those that were added."""
    table = Table("name", "kind", "structures", "spacing", "licence", "runs here")
    cards = open_registry().cards()
    # A name is typed again: it is never cut, however narrow the terminal.
    table.columns[0].min_width = max(map(len, (*shipped_ct_networks(), *(card.name for card in cards))))
    for ours in map(load_weights, shipped_ct_networks().values()):
        structures, spacing = _some(ours.ct_anatomy.offered), f"{ours.ct_spacing_mm:g} mm"
        table.add_row(ours.name, "SurgNav", structures, spacing, "Apache-2.0", "yes")
    reasons: dict[str, str] = {}
    for card in cards:
        why_not = why_not_here(card)
        runs = "[red]no[/]" if why_not else "yes"
        row = (card.name, KINDS[card.kind], escape(_some(card.structures)), _spacing(card), escape(card.licence), runs)
        table.add_row(*row)
        reasons |= {card.name: why_not} if why_not else {}
    console.print(table)
    added = {card.path for card in cards}
    for folder in totalsegmentator_models():
        if str(folder.absolute()) not in added:
            name = folder.parent.name.lower()
            console.print(
                f"TotalSegmentator's {folder.parent.name} is here; to use it: "
                f"surgnav models add {shlex.quote(str(folder))} --name {name}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
    for name, why_not in reasons.items():
        console.print(f"{name} does not run: {why_not}", style="yellow", highlight=False, markup=False)
    console.print(f"descriptions: {model_folder()}", highlight=False, markup=False, soft_wrap=True)


def show_model(card: ModelCard, console: Console) -> None:
    """One network's card."""
    spacing = card.trained_spacing_mm
    lines = {
        "kind": KINDS[card.kind],
        "path": card.path,
        "structures": f"{len(card.structures)}: {', '.join(card.structures)}",
        "spacing": _spacing(card) + ("" if spacing is None else f" (its training scans: {_mm(spacing)})"),
        "orientation": card.orientation,
        "intensities": NOT_STATED
        if card.intensities_hu is None
        else f"{card.intensities_hu[0]:g} to {card.intensities_hu[1]:g} HU",
        "window": "any" if card.window is None else " x ".join(map(str, card.window)) + " voxels",
        "modality": card.modality,
        "training data": card.trained_on,
        "licence": card.licence,
        "trusted": "yes: its files may run code" if card.trusted else "no",
    }
    _print_card(card.name, lines, console)
    for note in card.notes:
        console.print(f"  - [yellow]{escape(note)}[/]", highlight=False)


def show_shipped(weights: Weights, console: Console) -> None:
    """The card of the network in the package, whose long form is its model card."""
    lines = {
        "kind": "SurgNav",
        "structures": ", ".join(weights.ct_anatomy.offered),
        "spacing": f"{weights.ct_spacing_mm:g} mm",
        "window": " x ".join(map(str, reversed(weights.window))) + " voxels",
        "training data": "reconstruction/network/weights/MODEL_CARD.md",
        "licence": "Apache-2.0",
    }
    _print_card(weights.name, lines, console)


def _print_card(name: str, lines: dict[str, str], console: Console) -> None:
    console.print(escape(name), style="bold", highlight=False)
    for title, text in lines.items():
        console.print(f"  {title}: {escape(text)}", highlight=False, soft_wrap=True)


def _some(structures: tuple[str, ...]) -> str:
    more = len(structures) - LISTED
    return ", ".join(structures[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _spacing(card: ModelCard) -> str:
    return "the CT's own" if card.spacing_mm is None else _mm(card.spacing_mm)


def _mm(spacing_mm: tuple[float, ...]) -> str:
    same = max(spacing_mm) - min(spacing_mm) < 1e-6
    return f"{spacing_mm[0]:.3g} mm" if same else " x ".join(f"{value:.3g}" for value in spacing_mm) + " mm"
