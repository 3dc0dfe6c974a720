"""Makes the .meta files of the Unity package; Unity ignores an asset of an installed package without one.

A GUID is computed from the asset's path, so that it is the same on every machine; an existing file is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

_END = "  userData: \n  assetBundleName: \n  assetBundleVariant: \n"
_MONO = "  serializedVersion: 2\n  defaultReferences: []\n  executionOrder: 0\n  icon: {instanceID: 0}\n"
_IMPORTERS = {
    ".cs": "MonoImporter:\n  externalObjects: {}\n" + _MONO,
    ".asmdef": "AssemblyDefinitionImporter:\n  externalObjects: {}\n",
    ".json": "TextScriptImporter:\n  externalObjects: {}\n",
    ".md": "TextScriptImporter:\n  externalObjects: {}\n",
}


def assets(package: Path) -> Iterator[Path]:
    """Every file and folder that Unity imports: those whose names neither begin with a dot nor end with a tilde.

    The files of each sample in Samples~ are included, since Unity copies them into a project with their .meta files.
    """
    for path in sorted(package.iterdir()):
        if path.name == "Samples~":
            for sample in sorted(path.iterdir()):
                yield from assets(sample)
        if path.name.startswith(".") or path.name.endswith("~") or path.suffix == ".meta":
            continue
        yield path
        if path.is_dir():
            yield from assets(path)


def meta_path(asset: Path) -> Path:
    """The path of an asset's .meta file."""
    return asset.with_name(f"{asset.name}.meta")


def meta_text(asset: Path, package: Path) -> str:
    """The text of a new .meta file for an asset of the package."""
    guid = hashlib.md5(f"org.surgnav.client/{asset.relative_to(package).as_posix()}".encode()).hexdigest()
    default = "DefaultImporter:\n  externalObjects: {}\n"
    if asset.is_dir():
        importer = f"folderAsset: yes\n{default}"
    elif asset.name == "package.json":
        importer = "PackageManifestImporter:\n  externalObjects: {}\n"
    else:
        importer = _IMPORTERS.get(asset.suffix, default)
    return f"fileFormatVersion: 2\nguid: {guid}\n{importer}{_END}"
