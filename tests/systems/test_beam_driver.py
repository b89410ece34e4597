"""The driver of Erlang nodes keeps what every driver promises."""

from __future__ import annotations

import pytest

from clusterlib.contract import DriverContract
from tests.systems.installed import need


@pytest.fixture(autouse=True)
def erlang() -> None:
    need("erl", "erlang-base")


class TestErlangNodes(DriverContract):
    profile = "beam"
    alone = 5.0
