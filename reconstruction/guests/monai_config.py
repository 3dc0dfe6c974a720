"""The configuration of a MONAI bundle: the parts that inference needs, and whether reading them would run code.

A bundle's configuration is a program: ``$`` begins a Python expression, ``_target_`` names anything that can be called.
Without a person's trust only those parts are read that inference needs, expressions must be plain arithmetic, and
targets must be MONAI's transforms, inferers, networks and torch's layers.
"""

from __future__ import annotations

import ast
import pydoc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geometry.extras import from_extra
from reconstruction.guests.errors import ModelError

NETWORK, PREPROCESSING, INFERER, POSTPROCESSING = "network_def", "preprocessing", "inferer", "postprocessing"
NEEDED = (NETWORK, PREPROCESSING, INFERER)
CONFIGS = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
READS_OR_WRITES = ("LoadImage", "LoadImaged", "SaveImage", "SaveImaged")  # this program reads and writes by itself
HARMLESS_MODULES = ("monai.transforms.", "monai.inferers.", "torch.nn.modules.") + (
    *("monai.networks.nets.", "monai.networks.blocks.", "monai.networks.layers."),
)
HARMLESS = (ast.Expression, ast.Constant, ast.Name, ast.Load, ast.BinOp, ast.operator, ast.UnaryOp, ast.unaryop) + (
    *(ast.BoolOp, ast.boolop, ast.Compare, ast.cmpop, ast.IfExp, ast.Tuple, ast.List, ast.Dict, ast.Subscript),
)
MOST_REFERENCES = 16  # from one to the next; more is a circle
REFERENCE = re.compile(r"@[\w:#]+")


def config_file(folder: Path) -> Path:
    """The bundle's inference configuration.

    Raises:
        ModelError: there is none.
    """
    for name in CONFIGS:
        if (folder / name).is_file():
            return folder / name
    raise ModelError("a MONAI bundle without an inference configuration", " or ".join(CONFIGS), "restore the file")


def read_config(folder: Path, trusted: bool) -> Any:
    """MONAI's parser of the bundle's configuration, on the CPU, without the steps that read and write files.

    Raises:
        ModelError: a part is missing, or would run code and is not trusted.
    """
    with from_extra("training"):
        from monai.bundle import ConfigParser

    parser = ConfigParser()
    try:
        parser.read_config(str(config_file(folder)))
        parser["bundle_root"] = str(folder)
        parser["device"] = "cpu"
        parser.resolve_macro_and_relative_ids()
    except Exception as error:  # MONAI and YAML raise whatever they like on a broken file
        raise _broken(error) from error
    missing = [part for part in NEEDED if parser.get(part) is None]
    if missing:
        raise ModelError(
            f"an inference configuration without {', '.join(missing)}",
            f"the parts that MONAI's bundle specification names: {', '.join(NEEDED)}",
            "ask the bundle's maker, or export the network to ONNX",
        )
    for part in (PREPROCESSING, POSTPROCESSING):
        for step in steps(parser, part):
            if short_name(step) in READS_OR_WRITES:
                step["_disabled_"] = True
    if trusted:
        return parser
    return ConfigParser(config=_checked(parser))


def steps(parser: Any, part: str) -> list[dict[str, Any]]:
    """The transforms of a part, as they are written; empty where it is no chain of transforms."""
    content = parser.get(part)
    chain = content.get("transforms", []) if isinstance(content, dict) else []
    return [step for step in chain if isinstance(step, dict)] if isinstance(chain, list) else []


def plain(parser: Any, value: Any) -> Any:
    """A value, or what a plain reference to another entry stands for; an expression stays as it is written."""
    seen = 0
    while isinstance(value, str) and REFERENCE.fullmatch(value) and seen < MOST_REFERENCES:
        value, seen = parser.get(value[1:].replace("#", "::")), seen + 1
    return value


def short_name(step: dict[str, Any]) -> str:
    """The class of a transform, without its module."""
    return str(step.get("_target_", "")).rpartition(".")[2]


def evaluated(parser: Any, part: str) -> Any:
    """A part of the configuration as MONAI makes it.

    Raises:
        ModelError: MONAI cannot make it.
    """
    try:
        return parser.get_parsed_content(part)
    except Exception as error:  # any constructor of MONAI may raise anything
        raise _broken(error, part) from error


def _checked(parser: Any) -> dict[str, Any]:
    """The entries that inference reaches, all harmless; the others, imports among them, are left out."""
    reached: dict[str, Any] = {}
    waiting = [part for part in (*NEEDED, POSTPROCESSING) if parser.get(part) is not None]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached[name] = parser.get(name)
        for text in _texts(reached[name]):
            waiting += [found[1:].replace("#", "::").partition("::")[0] for found in REFERENCE.findall(text)]
        _check_harmless(name, reached[name])
        waiting = [entry for entry in waiting if parser.get(entry) is not None]
    return reached


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        if content.startswith(("@", "$")):
            yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from _texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)


def _check_harmless(entry: str, content: Any) -> None:
    for text in _texts(content):
        if text.startswith("$") and not _is_arithmetic(text[1:]):
            raise _distrust(f"the expression {text[:80]!r} in '{entry}'")
    for target in _targets(content):
        module = _module_of(target)
        if not f"{module}.".startswith(HARMLESS_MODULES):
            raise _distrust(f"'{target[:80]}' in '{entry}', which is none of MONAI's transforms, inferers or networks")


def _is_arithmetic(expression: str) -> bool:
    try:
        tree = ast.parse(REFERENCE.sub("reference", expression).strip(), mode="eval")
    except SyntaxError:
        return False
    return all(isinstance(node, HARMLESS) for node in ast.walk(tree))


def _targets(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        if "_target_" in content and not content.get("_disabled_"):
            yield str(content["_target_"])
        if content.get("_mode_", "default") != "default":
            yield f"_mode_ {content['_mode_']}"
        for value in content.values():
            yield from _targets(value)
    elif isinstance(content, list):
        for value in content:
            yield from _targets(value)


def _module_of(target: str) -> str:
    """The module that defines what a target names, not the one it is named in: ``monai.x.os.system`` is of posix."""
    with from_extra("training"):
        from monai.bundle import ConfigComponent

    resolved = str(ConfigComponent({"_target_": target}).resolve_module_name())
    if not resolved.startswith(("monai.", "torch.nn.")):
        return resolved  # not looked up, for that imports it
    return str(getattr(pydoc.locate(resolved), "__module__", None))


def _distrust(what: str) -> ModelError:
    return ModelError(
        f"a MONAI bundle that would run {what}",
        "a configuration without code: transforms, inferers and networks of MONAI, and plain arithmetic",
        "leave it alone, unless you know who made it: then add it again with --trust",
    )


def _broken(error: Exception, part: str = "the configuration") -> ModelError:
    said = str(error.__cause__ or error).partition("\n")[0][:160]
    return ModelError(
        f"a MONAI bundle of which {part} cannot be read ({type(error).__name__}: {said})",
        "a bundle that MONAI itself runs",
        "try it with 'python -m monai.bundle run', and report what that says to its maker",
    )
