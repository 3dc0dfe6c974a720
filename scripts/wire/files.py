"""The files that are generated from the schema, with their content."""

from __future__ import annotations

from pathlib import Path

from scripts.wire.csharp_source import csharp_files
from scripts.wire.protocol_page import with_tables
from scripts.wire.python_source import python_files
from scripts.wire.schema_file import SCHEMA_FILE, load_schema
from scripts.wire.unity_meta import assets, meta_path, meta_text

UNITY_BRIDGE = Path("unity_bridge")
UNITY_PACKAGE = UNITY_BRIDGE / "unity"
CSHARP_FOLDER = UNITY_PACKAGE / "Runtime" / "Core" / "Wire" / "Generated"
PROTOCOL_PAGE = Path("docs") / "unity_bridge" / "protocol.md"


def generated_files(repository: Path) -> dict[Path, str]:
    """Texts by path below the repository; in the protocol page only the tables between the marks are replaced.

    Raises:
        SchemaFileError: the schema is inconsistent, or the page lacks the marks of a table.
    """
    schema = load_schema(SCHEMA_FILE.read_text("utf-8"))
    files = {UNITY_BRIDGE / "wire" / path: text for path, text in python_files(schema).items()}
    files |= {CSHARP_FOLDER / path: text for path, text in csharp_files(schema).items()}
    files[PROTOCOL_PAGE] = with_tables((repository / PROTOCOL_PAGE).read_text("utf-8"), schema)
    return files


def missing_metas(repository: Path) -> dict[Path, str]:
    """Texts of the .meta files that are missing in the Unity package, by path below the repository."""
    package = repository / UNITY_PACKAGE
    lacking = [asset for asset in assets(package) if not meta_path(asset).exists()]
    return {meta_path(asset).relative_to(repository): meta_text(asset, package) for asset in lacking}
