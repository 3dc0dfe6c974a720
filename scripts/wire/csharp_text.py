"""Helpers for C# text: names, comments, indentation, and the beginning of every file."""

from __future__ import annotations

from html import escape

NAMESPACE = "SurgNav.Core.Wire"
NOTICE = "Generated from unity_bridge/wire/wire_schema.toml by `make wire`: edit that, not this."
_INDENT = " " * 4


def pascal(name: str) -> str:
    """The name in PascalCase: capture_ns -> CaptureNs."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def summary(text: str) -> str:
    """The text as a C# documentation comment."""
    return f"/// <summary>{escape(text, quote=False)}</summary>\n"


def indented(text: str, levels: int = 1) -> str:
    """The text with each line indented by `levels`; empty lines stay empty."""
    return "".join(_INDENT * levels + line if line.strip() else line for line in text.splitlines(keepends=True))


def source(declarations: str) -> str:
    """The text of a whole C# file with these declarations."""
    body = f"namespace {NAMESPACE}\n{{\n{indented(declarations)}}}\n"
    return f"// {NOTICE}\n#nullable enable\nusing System;\nusing System.Collections.Generic;\n\n{body}"
