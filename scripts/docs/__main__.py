"""``python -m scripts.docs [FOLDER]``: writes the API pages; ends with 1 if a reference in them leads nowhere."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.docs.pages import public_modules, write_pages

REPOSITORY = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "out" / "docs"
    modules = public_modules(REPOSITORY)
    problems = write_pages(modules, folder)
    for problem in problems:
        sys.stderr.write(f"docs: {problem}\n")
    sys.stdout.write(f"{len(modules)} pages: {folder / 'index.html'}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
