"""Remedies: what to do about a problem, as data that a door words for its user.

`do("cluster.restart", "node2", rolling=True)` is an operation with its arguments. A text may stand
around it: `"end that process, or " + do("cluster.down")`. Everything else that a person may do (a
command of the system, an edit of a file) is a plain text.

A remedy is a text: the one that stands in records, reports and JSON, with operations as Invoke
calls them. It keeps its parts, so that another door can call the same operations in its own way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

if TYPE_CHECKING:
    from typing import TypedDict, TypeGuard

    class CallFields(TypedDict):
        """An operation with its arguments, in JSON."""

        operation: str
        words: list[str]
        options: dict[str, OptionValue]
        rest: list[str]


__all__ = [
    "DEFAULT_CLUSTER",
    "NAMELESS",
    "OF_A_PROFILE",
    "SHOWS_A_PROFILE",
    "OperationCall",
    "Part",
    "Remedy",
    "do",
    "invoked",
    "revived",
]

DEFAULT_CLUSTER = "default"
"""The name of a cluster if none is given."""
NAMELESS = frozenset({"cluster.doctor", "cluster.operations", "cluster.serve"})
"""The operations of the group `cluster` that are not about one cluster, and so take no `name`."""
OF_A_PROFILE = frozenset({"cluster.doctor", "cluster.up"})
"""The operations that remedies advise for a profile. Without its name they take the default one."""
SHOWS_A_PROFILE = frozenset({"profile.check", "profile.show"})
"""Those whose first word is the profile."""
OptionValue = str | bool


class OperationCall:
    """An operation with its arguments.

    No frozen value, because the smallest process imports this module."""

    __slots__ = ("operation", "options", "rest", "words")

    def __init__(
        self,
        operation: str,
        words: Sequence[str] = (),
        options: Mapping[str, OptionValue] | None = None,
        rest: Sequence[str] = (),
    ) -> None:
        self.operation = operation
        """As a shell names it: `cluster.restart`."""
        self.words = tuple(words)
        self.options = dict(options or {})
        self.rest = tuple(rest)
        """The words after `--`."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OperationCall) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.operation, self.words))

    def to_json(self) -> CallFields:
        """The fields, ready for JSON."""
        return {
            "operation": self.operation,
            "words": list(self.words),
            "options": dict(self.options),
            "rest": list(self.rest),
        }

    def of_cluster(self, cluster: str) -> OperationCall:
        is_about_one = self.operation.startswith("cluster.") and self.operation not in NAMELESS
        if not is_about_one or self.options.keys() & {"name", "all"}:
            return self
        return OperationCall(self.operation, self.words, {**self.options, "name": cluster}, self.rest)

    def of_profile(self, profile: str) -> OperationCall:
        """`profile` is as its user gave it, so it may be a file. A cluster knows only its name."""
        name = profile.rpartition("/")[2].removesuffix(".toml")
        if self.operation in OF_A_PROFILE and self.options.get("profile", name) == name:
            return OperationCall(self.operation, self.words, {**self.options, "profile": profile}, self.rest)
        if self.operation in SHOWS_A_PROFILE and self.words in {(), (name,)}:
            return OperationCall(self.operation, [profile], self.options, self.rest)
        return self

    def typed(self, command: str) -> str:
        """As it is typed in a shell, where `command` is what calls the operation.

        The same rule holds for all operations, so it needs none of their declarations."""
        words = [command, *map(_quoted, self.words)]
        for name, value in self.options.items():
            flag = name.replace("_", "-")
            words += [f"--{flag}"] if isinstance(value, bool) else [f"--{flag}", _quoted(value)]
        return " ".join([*words, *(["--", *map(_quoted, self.rest)] if self.rest else [])])


Part = str | OperationCall


class Remedy(str):
    """A text with the operations in it."""

    __slots__ = ("parts",)
    parts: tuple[Part, ...]

    def __new__(cls, *parts: Part) -> Self:
        remedy = super().__new__(cls, _worded(parts, invoked))
        remedy.parts = parts
        return remedy

    @staticmethod
    def of(what: object) -> Remedy:
        return what if isinstance(what, Remedy) else Remedy(str(what))

    def worded(self, call: Callable[[OperationCall], str]) -> str:
        """The text with operations as `call` words them."""
        return _worded(self.parts, call)

    def of_cluster(self, name: str) -> Remedy:
        """The same about that cluster. Without a name, an operation is about the one that the
        environment names, else about the default one."""
        is_meant = name == DEFAULT_CLUSTER and os.environ.get("CLUSTERLIB_NAME", name) == name
        return self if is_meant else self._with(lambda call: call.of_cluster(name))

    def of_profile(self, name: str) -> Remedy:
        """The same about that profile. Without a name, an operation takes the default one."""
        return self._with(lambda call: call.of_profile(name))

    def _with(self, change: Callable[[OperationCall], OperationCall]) -> Remedy:
        return Remedy(*(change(part) if isinstance(part, OperationCall) else part for part in self.parts))

    def to_json(self) -> list[str | CallFields]:
        """The parts, ready for JSON."""
        return [part.to_json() if isinstance(part, OperationCall) else part for part in self.parts]

    def __add__(self, other: str) -> Remedy:
        return Remedy(*self.parts, *_parts_of(other))

    def __radd__(self, other: str) -> Remedy:
        return Remedy(*_parts_of(other), *self.parts)

    def __reduce_ex__(self, _protocol: SupportsIndex) -> tuple[Any, ...]:
        return Remedy, self.parts


def do(operation: str, /, *words: object, **options: object) -> Remedy:
    """The remedy to call this operation.

    An option that is None or False is left out, as the operation itself takes it. What is on by
    default is turned off as on a command line: `no_colour=True`. A list is for the words after
    `--`."""
    single: dict[str, OptionValue] = {}
    rest: list[str] = []
    for name, value in options.items():
        if isinstance(value, list):
            rest += map(str, value)
        elif value is not None and value is not False:
            single[name] = _value(value)
    return Remedy(OperationCall(operation, [str(word) for word in words], single, rest))


def invoked(call: OperationCall) -> str:
    """As Invoke calls it."""
    return call.typed(f"invoke {call.operation}")


def revived(data: object, text: object = "") -> Remedy:
    """A remedy that was sent as its text, or as its parts.

    If the parts are not readable, because another version has sent them, it is the text."""
    if isinstance(data, Remedy):
        return data
    parts = [_revived_part(one) for one in data] if isinstance(data, list) else [data]
    return Remedy(*parts) if _are_parts(parts) else Remedy(str(text))


def _revived_part(data: object) -> object:
    if not isinstance(data, Mapping):
        return data
    try:
        return OperationCall(
            str(data["operation"]),
            [str(word) for word in data["words"]],
            {str(name): _value(value) for name, value in data["options"].items()},
            [str(word) for word in data["rest"]],
        )
    except (KeyError, TypeError, AttributeError):
        return None


def _value(value: object) -> OptionValue:
    return value if isinstance(value, bool) else str(value)


def _are_parts(parts: Sequence[object]) -> TypeGuard[Sequence[Part]]:
    return all(isinstance(part, str | OperationCall) for part in parts)


def _quoted(word: str) -> str:
    if word.replace("-", "").replace("_", "").isalnum() and word.isascii():
        return word  # the usual case, which needs no import
    import shlex

    return shlex.quote(word)


def _parts_of(text: str) -> tuple[Part, ...]:
    return text.parts if isinstance(text, Remedy) else (text,)


def _worded(parts: Iterable[Part], call: Callable[[OperationCall], str]) -> str:
    return "".join(call(part) if isinstance(part, OperationCall) else part for part in parts)
