"""Which kind of network lies at a path, its card, and the network itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from geometry.errors import SurgNavError
from geometry.extras import require_extras
from reconstruction.guests.card import KINDS, Kind, ModelCard
from reconstruction.guests.errors import ModelError
from reconstruction.guests.files import digests
from reconstruction.guests.guest import Guest
from reconstruction.guests.monai_bundle import MonaiBundle, is_monai_bundle, read_monai_card
from reconstruction.guests.nnunet.folder import NnunetModel, is_nnunet_folder, read_nnunet_card
from reconstruction.guests.onnx.file import OnnxFile, is_onnx_file, read_onnx_card
from reconstruction.guests.own import is_own_network, read_own_card

ALLOWED = (
    "the folder of a MONAI bundle or of a trained nnU-Net v2 model (the one with plans.json), an ONNX file with its "
    "sidecar, or the JSON that 'surgnav train' wrote"
)

EXTRAS: dict[Kind, tuple[str, ...]] = {
    "monai": ("training",),
    "nnunet": ("training", "reconstruction"),
    "onnx": ("segmentation",),
    "surgnav": ("segmentation",),
}


def read_card(
    path: Path, name: str, *, trusted: bool = False, orientation: str | None = None, mirror: bool = False
) -> ModelCard:
    """Finds out what lies at a path, and reads its card without running anything.

    Args:
        path: a folder or a file.
        name: what the network will be called here.
        trusted: a person has said that its files may run code.
        orientation: which way its training scans lay, for an nnU-Net model whose files do not say it.
        mirror: average over mirrored windows, for an nnU-Net model.

    Raises:
        ModelError: nothing there that this program runs.
    """
    path = path.absolute()
    if not path.exists():
        raise ModelError(f"the path {path.name}, which does not exist", ALLOWED, "check the path")
    if is_nnunet_folder(path):
        return read_nnunet_card(path, name, trusted, orientation, mirror)
    if orientation is not None or mirror:
        raise ModelError(
            "an orientation, or mirroring, for a network that is no nnU-Net model",
            "these options with nnU-Net models only",
            "leave them out: the network's own files say it",
        )
    if is_monai_bundle(path):
        return read_monai_card(path, name, trusted)
    if is_onnx_file(path):
        return read_onnx_card(path, name)
    if is_own_network(path):
        return read_own_card(path, name)
    raise ModelError(f"{path.name}, which is no network that this program knows", ALLOWED, "give one of these")


def open_guest(card: ModelCard) -> Guest:
    """Loads a network of others, if its files are still those that its card was made from.

    Raises:
        ModelError: files are missing, have changed, or cannot be used; or the network is of our own format, which is
            no guest (`reconstruction.guests.own.load_own`).
    """
    check_unchanged(card)
    made: dict[Kind, Callable[[ModelCard], Guest]] = {"nnunet": NnunetModel, "monai": MonaiBundle, "onnx": OnnxFile}
    if card.kind not in made:
        raise ModelError(f"'{card.name}', which is a {KINDS[card.kind]}", "a network of others", "run it as ours")
    return made[card.kind](card)


def check_unchanged(card: ModelCard) -> None:
    """Raises `ModelError` where a file of the network is missing or differs from when it was added."""
    root = Path(card.path)
    folder = root if root.is_dir() else root.parent
    now = digests(folder, [folder / name for name in card.files])
    changed = [name for name, digest in card.files.items() if now[name] != digest]
    if changed:
        raise ModelError(
            f"files of '{card.name}' that have changed since it was added: {', '.join(changed)}",
            f"the {KINDS[card.kind]} that was added",
            "if the change was meant, add it again with 'surgnav models add'",
        )


def why_not_here(card: ModelCard) -> str:
    """Why a network does not run on this machine, in words; empty where its files and packages are here."""
    try:
        check_unchanged(card)
        require_extras(*EXTRAS[card.kind])
    except SurgNavError as error:
        return f"{error.came}; {error.action}"
    return ""


def combined_sha256(card: ModelCard) -> str:
    """One SHA-256 for all files that decide what the network does."""
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(card.files.items()))
    return hashlib.sha256(text.encode()).hexdigest()
