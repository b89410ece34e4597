from __future__ import annotations

import signal

import pytest

from clusterlib.errors import (
    ApplicationFailed,
    ClusterError,
    CommandFailed,
    NameTaken,
    NodeExited,
    StartError,
)
from clusterlib.hosts.api import Exit
from clusterlib.keeper.early_ends import EarlyEnd


def ended(code: int | None = None, by: int | None = None, *words: str, stolen: bool = False) -> EarlyEnd:
    return EarlyEnd("node1", Exit(code, by), list(words), stolen)


@pytest.mark.parametrize(
    "end",
    [
        ended(1),
        ended(0),
        ended(3, None, "bad configuration at line 3"),
        ended(127, None, "command not found"),
        ended(255),
        ended(None, signal.SIGSEGV),
        ended(None, signal.SIGABRT, "assertion failed"),
        ended(128 + signal.SIGABRT),
        ended(1, None, "tokenfile has no entry", "systemfile is missing", "memory is low"),
    ],
)
def test_a_program_that_ends_by_itself_has_failed(end: EarlyEnd) -> None:
    error = end.error("ended before it was ready")

    assert type(error) is ApplicationFailed
    assert error.evidence == tuple(end.last_words)


@pytest.mark.parametrize(
    "end",
    [
        ended(None, signal.SIGKILL),
        ended(None, signal.SIGTERM),
        ended(128 + signal.SIGKILL),
        ended(1, stolen=True),
        ended(1, None, "bind: no", stolen=True),
        ended(1, None, "Cannot allocate memory"),
        ended(1, None, "write failed: No space left on device"),
        ended(1, None, "{error,emfile}"),
        ended(1, None, "fork: Resource temporarily unavailable"),
        ended(None, signal.SIGABRT, "eheap_alloc: Cannot allocate 1208 bytes of memory"),
    ],
)
def test_what_the_machine_may_have_ended_is_no_failure_of_the_application(end: EarlyEnd) -> None:
    assert type(end.error("ended before it was ready")) is NodeExited


def test_what_a_driver_has_found_out_is_believed() -> None:
    lives = EarlyEnd("node1", None, ["No space left on device"], ports_stolen=False)

    assert type(lives.explained(ApplicationFailed("it raised"))) is ApplicationFailed
    assert type(lives.explained(StartError("it has no memory"))) is NodeExited
    assert type(lives.explained(CommandFailed("no"))) is CommandFailed
    assert type(lives.explained(NameTaken("no"))) is NameTaken


def test_a_server_whose_log_says_that_it_is_broken_has_failed_unless_the_machine_is_to_blame() -> None:
    told = ClusterError("its log shows that it is broken", cause="FATAL: bad configuration")

    assert type(EarlyEnd("node1", None, [], ports_stolen=False).explained(told)) is ApplicationFailed
    full = EarlyEnd("node1", None, ["FATAL: No space left on device"], ports_stolen=False)
    assert type(full.explained(told)) is NodeExited
