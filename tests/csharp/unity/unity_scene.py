"""Reads a .unity file as far as the tests need it: Unity's text format, which is a small part of YAML."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_DOCUMENT = re.compile(r"^--- !u!(\d+) &(\d+)\n", re.MULTILINE)
_BUILTIN = re.compile(r"0{16}[ef]0{15}")  # Unity's own meshes, fonts and materials


@dataclass
class SceneFile:
    """Objects by file id: class number, class name, fields."""

    text: str
    documents: dict[str, tuple[int, str, dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "SceneFile":
        scene = cls(path.read_text("utf-8"))
        parts = _DOCUMENT.split(scene.text)[1:]
        for number, file_id, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            ((kind, fields),) = _block(body.splitlines()).items()
            assert file_id not in scene.documents, f"{file_id} twice"
            scene.documents[file_id] = (int(number), kind, fields)
        return scene

    @property
    def guids(self) -> set[str]:
        """Of other files, without Unity's own."""
        found = re.findall(r"guid: ([0-9a-f]{32})", self.text)
        return {guid for guid in found if not _BUILTIN.fullmatch(guid)}

    def dangling(self) -> set[str]:
        """File ids of this file that are named, but not there."""
        named = re.findall(r"\{fileID: (\d+)\}", self.text)
        return set(named) - set(self.documents) - {"0"}

    def of_kind(self, kind: str) -> dict[str, dict[str, Any]]:
        return {key: fields for key, (_, name, fields) in self.documents.items() if name == kind}

    def commands(self, scripts: dict[str, str]) -> list[str]:
        """What the player needs to build the scene; `scripts` are class names by GUID."""
        transforms = self.of_kind("Transform")
        owner = {key: fields["m_GameObject"]["fileID"] for key, fields in transforms.items()}
        lines: list[str] = []
        for key in _parents_first(transforms):
            lines += _object(self.documents[owner[key]][2], transforms[key], owner[key], owner)
            lines.append(f"component\t{key}\t{owner[key]}\tTransform")
        settings = []
        for key, (_, kind, fields) in self.documents.items():
            if "m_GameObject" not in fields or kind == "Transform":
                continue
            name = scripts[fields["m_Script"]["guid"]] if kind == "MonoBehaviour" else kind
            lines.append(f"component\t{key}\t{fields['m_GameObject']['fileID']}\t{name}")
            own = {name: value for name, value in fields.items() if not name.startswith("m_")}
            settings += _settings(key, "", own) if kind == "MonoBehaviour" else []
        return [*lines, *settings, "go"]


def _parents_first(transforms: dict[str, dict[str, Any]]) -> list[str]:
    roots = [key for key, fields in transforms.items() if fields["m_Father"]["fileID"] == "0"]
    ordered: list[str] = []
    while roots:
        key = roots.pop(0)
        ordered.append(key)
        roots += [child["fileID"] for child in transforms[key]["m_Children"]]
    assert len(ordered) == len(transforms), "a Transform that no parent lists among its children"
    return ordered


def _object(fields: dict[str, Any], transform: dict[str, Any], key: str, owner: dict[str, str]) -> list[str]:
    father = transform["m_Father"]["fileID"]
    parent = owner[father] if father != "0" else "0"
    numbers = [transform[f"m_Local{part}"] for part in ("Position", "Rotation", "Scale")]
    return [
        f"object\t{key}\t{parent}\t{fields['m_Name']}\t{fields['m_IsActive']}",
        f"transform\t{key}\t{' '.join(value for part in numbers for value in part.values())}",
    ]


def _settings(key: str, prefix: str, fields: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in fields.items():
        path = f"{prefix}{name}"
        if isinstance(value, list):
            lines.append(f"set\t{key}\t{path}\tvalue\t{len(value)}")
            for index, each in enumerate(value):
                lines += _settings(key, f"{path}.{index}.", each)
        elif not isinstance(value, dict):
            lines.append(f"set\t{key}\t{path}\tvalue\t{value}")
        elif "fileID" in value:
            own = "guid" not in value
            if value["fileID"] != "0":
                lines.append(f"set\t{key}\t{path}\t{'ref' if own else 'value'}\t{value['fileID']}")
        elif set(value) <= set("xyzwrgba"):
            lines.append(f"set\t{key}\t{path}\tvalue\t{' '.join(value.values())}")
        elif "m_PersistentCalls" in value:
            lines.append(f"set\t{key}\t{path}\tevent\t")
        else:
            lines += _settings(key, f"{path}.", value)
    return lines


def _block(lines: list[str]) -> Any:
    """Lines of one indentation: a table, or a list of them."""
    if lines and lines[0].lstrip().startswith("- "):
        return [_block(each) for each in _items(lines)]
    if len(lines) == 1 and lines[0].lstrip().startswith("{"):
        return _scalar(lines[0].strip())
    table: dict[str, Any] = {}
    at = 0
    while at < len(lines):
        indent = len(lines[at]) - len(lines[at].lstrip())
        key, _, value = lines[at].strip().partition(":")
        end = at + 1
        while end < len(lines) and _is_below(lines[end], indent):
            end += 1
        below = lines[at + 1 : end]
        table[key] = _block(below) if below else _scalar(value.strip())
        at = end
    return table


def _is_below(line: str, indent: int) -> bool:
    own = len(line) - len(line.lstrip())
    return own > indent or (own == indent and line.lstrip().startswith("- "))


def _items(lines: list[str]) -> list[list[str]]:
    """A list's items, each with its dash taken for indentation."""
    indent = len(lines[0]) - len(lines[0].lstrip())
    items: list[list[str]] = []
    for line in lines:
        if line[indent:].startswith("- "):
            items.append([])
            items[-1].append(f"{line[:indent]}  {line[indent + 2 :]}")
        else:
            items[-1].append(line)
    return items


def _scalar(text: str) -> Any:
    if text == "[]":
        return []
    if text.startswith("{"):
        return {key.strip(): value.strip() for key, value in (pair.split(":") for pair in text[1:-1].split(","))}
    return text
