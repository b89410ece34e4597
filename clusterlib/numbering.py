"""The name and the host of a node, from the patterns of a profile and the node's number.

The number is available both from 1 and from 0."""

from __future__ import annotations

__all__ = ["NUMBERS", "host_of", "name_of"]

NUMBERS = ("index", "index0")


def name_of(pattern: str, index: int) -> str:
    return pattern.format(index=index, index0=index - 1)


def host_of(pattern: str, index: int, *, name: str, address: str) -> str:
    return pattern.format(index=index, index0=index - 1, name=name, address=address)
