"""Resolves "pkg.mod:function" to the function, with a helpful error if there is none."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys
from collections.abc import Callable
from typing import Any

from clusterlib.errors import RemoteError

__all__ = ["resolve"]


def resolve(target: str) -> Callable[..., Any]:
    """Imports the module and follows the attributes.

    Raises RemoteError with the reason and the nearest names."""
    module_name, separator, path = target.partition(":")
    if not separator or not module_name or not path:
        raise RemoteError(
            f"{target!r} is not a target",
            cause="a target is written pkg.module:function",
            remedies=_spelled_with_a_dot(target),
        )
    found: Any = _import(module_name, target)
    walked = module_name
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            near = difflib.get_close_matches(
                name, [known for known in dir(found) if not known.startswith("__")]
            )
            raise RemoteError(
                f"{target!r} does not exist: {walked} has no {name!r}",
                cause=f"{walked} was imported from {getattr(sys.modules[module_name], '__file__', 'no file')}",
                remedies=[f"did you mean {other!r}?" for other in near],
            ) from error
        walked = f"{walked}.{name}" if ":" in walked else f"{walked}:{name}"
    if not callable(found):
        raise RemoteError(f"{target!r} cannot be called: it is a {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def _import(name: str, target: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name != missing and not name.startswith(f"{missing}."):
            raise  # the module exists, but one of its imports does not: its own traceback explains this best
        parent, _, last = missing.rpartition(".")
        near = difflib.get_close_matches(last, _modules_in(parent))
        raise RemoteError(
            f"{target!r} cannot be imported: there is no module {missing!r}",
            cause=f"looked for in {', '.join(entry or '.' for entry in sys.path[:4])}, ...",
            remedies=[f"did you mean {f'{parent}.{other}' if parent else other!r}?" for other in near],
        ) from error


def _modules_in(package: str) -> list[str]:
    if package:
        path = getattr(sys.modules.get(package), "__path__", None)
        return [module.name for module in pkgutil.iter_modules(path)] if path is not None else []
    return [module.name for module in pkgutil.iter_modules()]


def _spelled_with_a_dot(target: str) -> list[str]:
    module, _, function = target.rpartition(".")
    return [f"did you mean {f'{module}:{function}'!r}?"] if module and ":" not in target else []
