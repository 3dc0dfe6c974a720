"""``python -m scripts.wire`` writes everything generated from wire_schema.toml, and missing .meta files of Unity."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.wire.files import generated_files, missing_metas
from scripts.wire.schema_file import REPOSITORY


def main() -> int:
    changed = _write(generated_files(REPOSITORY))
    changed += _write(missing_metas(REPOSITORY))  # after the code, since new files of it need them too
    sys.stdout.write(f"{changed} files changed\n")
    return 0


def _write(files: dict[Path, str]) -> int:
    """Writes the files that differ, prints their names, and returns their number."""
    changed = 0
    for path, text in files.items():
        target = REPOSITORY / path
        if not target.exists() or target.read_text("utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            sys.stdout.write(f"written: {path}\n")
            changed += 1
    return changed


if __name__ == "__main__":
    sys.exit(main())
