"""What the methods of a driver from outside must return, and which of them must not stop the
keeper when they fail."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any

from clusterlib.errors import ClusterError

__all__ = [
    "ASYNC",
    "AT_ANY_COST",
    "CALLS",
    "FOR_THE_CALLER",
    "FUNCTIONS",
    "awaitable",
    "checked",
    "is_missing",
]

FUNCTIONS = (
    "driver",
    "calls",
    "sections",
    "mistakes",
    "traits",
    "settings",
    "settings_type",
    "code",
    "environment",
    "preflight",
)
"""The fields of a kind that are called. An author may have written something else there."""
ASYNC = frozenset({"prepare", "load", "ask_to_stop", "examine", "stale_files"})
AT_ANY_COST: Mapping[str, Any] = {
    "stopping": None,
    "ask_to_stop": False,
    "forget": None,
    "close": None,
    "last_words": [],
    "ports_stolen": False,
    "hear": None,
    "matters": True,
    "complaint": None,
    "failure": None,
}
"""Methods that are called when a node ends or prints something, and what is taken for their result
if they fail. The node ends all the same."""
CALLS = (
    "__init__",
    "call",
    "run",
    "members",
    "ping",
    "digest",
    "stacks",
    "evaluate",
    "complete",
    "forget",
    "close",
)
FOR_THE_CALLER = frozenset({"call", "run"})
"""An exception of these may be that of the called function, and is raised as it is."""


PAIRS = "pairs of group and name"
MODULES = "the names of modules for each node"


def checked(name: str, value: Any) -> Any:
    """The result of the method of that name. Raises TypeError where nothing can be made of it."""
    return _CHECKS[name](value) if name in _CHECKS else value


def awaitable(value: Any) -> Awaitable[Any]:
    if not inspect.isawaitable(value):
        raise TypeError("it is no coroutine; write `async def`")
    return value


def _of(types: type | tuple[type, ...], what: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, types):
            raise TypeError(f"it returned {_shown(value)}, not {what}")
        return value

    return check


def _each(types: type | tuple[type, ...], what: str) -> Callable[[Any], Any]:
    """A generator fails only when its items are taken, so they are taken here."""

    def check(value: Any) -> Any:
        items = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else None
        if items is None or not all(isinstance(one, types) for one in items):
            raise TypeError(f"it returned {_shown(value)}, not {what}")
        return value if isinstance(value, tuple | list | frozenset | set) else items

    return check


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{value!r:.80}"


def _order(value: Any) -> Any:
    from clusterlib.drivers.api import Link
    from clusterlib.hosts.api import Spawn

    match value:
        case (Spawn(), link):
            lacking = [name for name in ("view", "ladder") if is_missing(link, name, Link)]
            if lacking:
                raise TypeError(f"its link, {type(link).__name__}, has no {' and no '.join(lacking)}")
            return value
    raise TypeError(f"it returned {_shown(value)}, not a Spawn and a link")


def is_missing(thing: object, name: str, declared: type) -> bool:
    """A class that inherits from `Driver` or `Link` has the empty method of the protocol, which
    does not count."""
    own = getattr(type(thing), name, None)
    inherited = own is None or own is vars(declared).get(name)
    return inherited and name not in getattr(thing, "__dict__", {})


def _ladder(value: Any) -> Any:
    from clusterlib.health.probes import Rung

    return _each(Rung, "a list of rungs")(value)


def _answer(value: Any) -> Any:
    from clusterlib.health.probes import Never, NotYet, Ready

    return _of((Ready, NotYet, Never), "Ready(), NotYet(why) or Never(why)")(value)


def _findings(value: Any) -> Any:
    from clusterlib.messages.findings import Finding

    return _each(Finding, "findings")(value)


def _examined(value: Any) -> Any:
    from clusterlib.messages.findings import Finding

    _of(Mapping, "a finding for each column")(value)
    _each(Finding, "a finding for each column")(value.values())
    return value


def _view(value: Any) -> Any:
    return frozenset(_each(str, "the names of nodes")(value))


def _facts(value: Any) -> Any:
    _of(Mapping, "texts by their names")(value)
    for name, fact in value.items():
        if not isinstance(name, str) or not isinstance(fact, str):
            raise TypeError(f"it returned {name!r}: {fact!r:.80}, and a fact is a text with a name")
    return value


def _failure(value: Any) -> Any:
    return _of((ClusterError, NoneType), "a ClusterError or None")(value)


def _columns(value: Any) -> Any:
    items = _each(tuple, PAIRS)(value)
    for pair in items:
        if len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise TypeError(f"it returned {pair!r:.80}, not {PAIRS}")
    return tuple(items)


def _stale_files(value: Any) -> Any:
    return None if value is None else _each(str, "the names of files, or None")(value)


def _shell(value: Any) -> Any:
    from clusterlib.messages.status import OwnShell

    return _of((OwnShell, NoneType), "an OwnShell or None")(value)


def _loaded(value: Any) -> Any:
    _of(Mapping, MODULES)(value)
    _each(str, MODULES)(value)
    return {name: list(_each(str, MODULES)(modules)) for name, modules in value.items()}


def _traits(value: Any) -> Any:
    from clusterlib.drivers.kind import Traits

    return _of(Traits, "Traits")(value)


def _code(value: Any) -> Any:
    from clusterlib.messages.plan import CodeSources

    return _of(CodeSources, "CodeSources")(value)


def _calls(value: Any) -> Any:
    from clusterlib.drivers.calls import NodeCalls

    if not (isinstance(value, type) and issubclass(value, NodeCalls)):
        raise TypeError(f"it returned {_shown(value)}, not a class that extends NodeCalls")
    return value


def _settings(value: Any) -> Any:
    from clusterlib.messages.codec import plain

    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"it returned {_shown(value)}, not a value of a frozen dataclass")
    for one in fields(value):
        try:
            plain(getattr(value, one.name))
        except TypeError as error:
            raise TypeError(f"its field {one.name}: {error}, so the keeper cannot be given it") from None
    return value


def _driver(value: Any) -> Any:
    if value is None:
        raise TypeError("it returned nothing, not a driver")
    return value


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    # No name is used by two of the three for different results.
    # of a kind
    "driver": _driver,
    "sections": _of(Mapping, "its tables by their names"),
    "mistakes": _each(object, "mistakes"),
    "traits": _traits,
    "settings": _settings,
    "settings_type": _of(type, "a type"),
    "code": _code,
    "environment": _of(Mapping, "variables by their names"),
    "preflight": _findings,
    "calls": _calls,
    # of a driver
    "name": _of(str, "a text"),
    "purposes": _each(str, "the names of purposes"),
    "order": _order,
    "facts": _facts,
    "last_words": _each(str, "a list of lines"),
    "columns": _columns,
    "stack_signal": _of((int, NoneType), "the number of a signal, or None"),
    "stacks_file": _of(str, "the name of a file"),
    "why_not_fresh": _of((str, NoneType), "a text or None"),
    "shell": _shell,
    "load": _loaded,
    "ports_stolen": _of(bool, "True or False"),
    # of a link
    "view": _view,
    "failure": _failure,
    "remark": _of(str, "a text"),
    "complaint": _of((str, NoneType), "a text or None"),
    "matters": _of(bool, "True or False"),
    "ask_to_stop": _of(bool, "True or False"),
    "stale_files": _stale_files,
    "ladder": _ladder,
    "probe": _answer,
    "examine": _examined,
}
