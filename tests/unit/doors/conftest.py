from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from clusterlib.doors.console import Console
from clusterlib.doors.wording import Wording


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass
class Seen:
    """A console, and what came out of it."""

    console: Console
    out: io.StringIO
    err: io.StringIO


@pytest.fixture
def seen() -> Callable[..., Seen]:
    """Makes a console on a terminal or in a pipe, in the given environment."""

    def make(
        *, terminal: bool = False, json: bool = False, wording: Wording | None = None, **environment: str
    ) -> Seen:
        kind = Terminal if terminal else io.StringIO
        out, err = kind(), kind()
        return Seen(Console(json=json, out=out, err=err, environment=environment, wording=wording), out, err)

    return make
