"""Drives a coroutine step by step, so that it can be held between two of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any

__all__ = ["Steps"]


class Steps:
    """Awaits a coroutine. Before each step it waits while `gate` returns a future."""

    __slots__ = ("_coroutine", "_gate")

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], gate: Callable[[], asyncio.Future[None] | None]
    ) -> None:
        self._coroutine = coroutine
        self._gate = gate

    def __await__(self) -> Generator[Any, Any, None]:
        coroutine, gate = self._coroutine, self._gate
        error: BaseException | None = None
        try:
            while True:
                while (held := gate()) is not None and error is None:
                    try:
                        yield from asyncio.shield(held)
                    except BaseException as raised:  # noqa: BLE001  a cancellation, which is for the coroutine
                        error = raised
                try:
                    awaited = coroutine.send(None) if error is None else coroutine.throw(error)
                except StopIteration:
                    return
                error = None
                try:
                    yield awaited
                except BaseException as raised:  # noqa: BLE001  for the coroutine
                    error = raised
        finally:
            coroutine.close()
