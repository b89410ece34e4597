"""What a shell makes of an operation."""

from __future__ import annotations

from functools import cache

from clusterlib.frozen import frozen
from clusterlib.operations.catalogue import catalogue
from clusterlib.operations.listing import ListedOperation, ListedParameter, SourceTrouble

__all__ = ["Command", "commands", "look_again", "troubles"]


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
    def options(self) -> tuple[ListedParameter, ...]:
        return self.operation.options


@cache
def commands() -> tuple[Command, ...]:
    """Of clusterlib, and of the project that the current folder belongs to."""
    return tuple(map(Command, catalogue().operations))


@cache
def troubles() -> tuple[SourceTrouble, ...]:
    """What is wrong with the operations of the project."""
    return catalogue().troubles


def look_again() -> None:
    """For a process that goes on: files of the project may have changed.

    Within one command they stay the same."""
    commands.cache_clear()
    troubles.cache_clear()
