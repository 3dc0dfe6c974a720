"""``python -m scripts.wire``: writes everything that follows from wire_schema.toml."""

from __future__ import annotations

import sys

from scripts.wire.files import generated_files
from scripts.wire.schema_file import REPOSITORY


def main() -> int:
    changed = 0
    for path, text in generated_files(REPOSITORY).items():
        target = REPOSITORY / path
        if not target.exists() or target.read_text("utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            sys.stdout.write(f"written: {path}\n")
            changed += 1
    sys.stdout.write(f"{changed} files changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
