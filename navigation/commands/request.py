"""Commands that take one dataclass: its fields are the command's parameters, so that each is said once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, get_type_hints


def takes(request: type[Any]) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """Makes a command of a function that takes one request.

    Args:
        request: a dataclass whose fields are annotated as Typer annotates parameters: ``Annotated[type, Option(...)]``.

    Returns:
        A decorator: what it makes takes the fields by name, and Typer sees their types, defaults and help.
    """
    hints = get_type_hints(request, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=_default(field), annotation=hints[field.name]
        )
        for field in fields(request)
    ]

    def decorate(run: Callable[[Any], None]) -> Callable[..., None]:
        def command(**values: Any) -> None:
            run(request(**values))

        command.__doc__, command.__name__ = run.__doc__, run.__name__
        command.__annotations__ = get_type_hints(request)
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def _default(field: Field[Any]) -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default
