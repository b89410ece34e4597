"""The name and the host of a node, by the patterns of a profile and its number, which is counted from 1 and from 0."""

from __future__ import annotations

__all__ = ["NUMBERS", "host_of", "name_of"]

NUMBERS = ("index", "index0")


def name_of(pattern: str, index: int) -> str:
    return pattern.format(index=index, index0=index - 1)


def host_of(pattern: str, index: int, *, name: str, address: str) -> str:
    return pattern.format(index=index, index0=index - 1, name=name, address=address)
