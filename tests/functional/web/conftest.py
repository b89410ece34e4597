from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusterlib.operations.down import bring_down
from tests.functional.web.client import Client, ServeProgram

Serve = Callable[..., ServeProgram]


@pytest.fixture
def serve(project: Path) -> Iterator[Serve]:
    """Starts `clusterlib serve` in the project. It and all clusters are ended after the test."""
    started: list[ServeProgram] = []

    def start(*options: str) -> ServeProgram:
        started.append(ServeProgram(project, *options))
        return started[-1]

    yield start
    for one in started:
        one.end()
    bring_down(all=True, project=project)


@pytest.fixture
def client(serve: Serve) -> Client:
    """A client of a server without options."""
    return serve().client
