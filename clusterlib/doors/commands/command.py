"""What a shell makes of an operation: its options, by their flags."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from clusterlib.frozen import frozen
from clusterlib.operations.catalogue import catalogue
from clusterlib.operations.listing import ListedOperation, ListedParameter, SourceTrouble

__all__ = ["JSON", "Command", "Option", "commands", "troubles"]


@frozen
class Option:
    parameter: ListedParameter

    @property
    def name(self) -> str:
        return self.parameter.name

    @property
    def negates(self) -> bool:
        return self.parameter.negates

    @property
    def flag(self) -> str:
        return self.flags[0]

    @property
    def flags(self) -> tuple[str, ...]:
        return self.parameter.flags

    @property
    def word(self) -> bool:
        """Whether it may also be given as a bare word: `restart node2`."""
        return self.parameter.word

    @property
    def required(self) -> bool:
        return self.parameter.required

    @property
    def takes_value(self) -> bool:
        return self.parameter.takes_value

    @property
    def choices(self) -> tuple[str, ...]:
        known = self.parameter.schema.get("enum", ())
        return tuple(map(str, known))

    @property
    def stands_for(self) -> str:
        """What a help has in place of the value: of a number an N, of a time its unit."""
        schema = self.parameter.schema
        if not self.takes_value:
            return ""
        if self.choices:
            return "|".join(self.choices)
        if "format" in schema:
            return str(schema["format"]).upper()
        return "N" if schema.get("type") in {"integer", "number"} else self.name.upper().replace("_", "-")

    @property
    def help(self) -> str:
        default = self.parameter.default
        said = self.parameter.help
        if default is None or isinstance(default, bool) or default in ("", []):
            return said
        return f"{said} Default: {default}.".strip()


JSON = Option(
    ListedParameter(
        "json",
        "Answer with one JSON document on stdout, errors included.",
        {"type": "boolean"},
        required=False,
        default=False,
    )
)


@frozen
class Command:
    operation: ListedOperation

    @property
    def group(self) -> str:
        return self.operation.group

    @property
    def name(self) -> str:
        """As a shell names it."""
        return self.operation.name.replace("_", "-")

    @property
    def full_name(self) -> str:
        """As Invoke calls it."""
        return self.operation.full_name

    @property
    def help(self) -> str:
        return self.operation.help

    @property
    def summary(self) -> str:
        return self.operation.summary

    @property
    def of_project(self) -> bool:
        """Whether it is the project's, and not one of clusterlib."""
        return self.operation.module.endswith(".py")

    @property
    def takes_rest(self) -> bool:
        """Whether it does something with the words after `--`."""
        return bool(self.operation.words)

    @property
    def options(self) -> tuple[Option, ...]:
        """Its own, the name of its cluster, and how it is to answer."""
        return (*map(Option, self.operation.parameters), *_OF_SCOPE[self.operation.scope], JSON)


_CLUSTER = Option(
    ListedParameter(
        "name",
        "Name of the cluster; several can run side by side. Default: $CLUSTERLIB_NAME, else default.",
        {"type": "string"},
        required=False,
        completes="clusters",
    )
)
_OF_SCOPE: Mapping[str, tuple[Option, ...]] = {"project": (), "cluster": (_CLUSTER,), "node": (_CLUSTER,)}


@cache
def commands() -> tuple[Command, ...]:
    """Of clusterlib, and of the project that the current folder belongs to."""
    return tuple(map(Command, catalogue().operations))


@cache
def troubles() -> tuple[SourceTrouble, ...]:
    """What is wrong with the operations of the project."""
    return catalogue().troubles
