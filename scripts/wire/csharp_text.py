"""How C# is written: names, comments, indentation, and what every file begins with."""

from __future__ import annotations

from html import escape

NAMESPACE = "SurgNav.Core.Wire"
NOTICE = "Generated from unity_bridge/wire/wire_schema.toml by `make wire`: edit that, not this."
_INDENT = " " * 4


def pascal(name: str) -> str:
    """capture_ns -> CaptureNs."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def summary(text: str) -> str:
    """A documentation comment."""
    return f"/// <summary>{escape(text, quote=False)}</summary>\n"


def indented(text: str, levels: int = 1) -> str:
    """Each line further in, empty ones left empty."""
    return "".join(_INDENT * levels + line if line.strip() else line for line in text.splitlines(keepends=True))


def source(declarations: str) -> str:
    """A whole file."""
    body = f"namespace {NAMESPACE}\n{{\n{indented(declarations)}}}\n"
    return f"// {NOTICE}\n#nullable enable\nusing System;\nusing System.Collections.Generic;\n\n{body}"
