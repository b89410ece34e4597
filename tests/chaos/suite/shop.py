"""What the nodes of the suites run."""

from __future__ import annotations

__all__ = ["put"]

stock: dict[str, int] = {}


def put(item: str, count: int) -> int:
    stock[item] = stock.get(item, 0) + count
    return stock[item]
