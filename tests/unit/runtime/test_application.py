from __future__ import annotations

import errno

import pytest

from clusterlib.errors import ApplicationFailed, ClusterError, RemoteError
from clusterlib.runtime.application import start_failure


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        SystemExit(0),
        KeyboardInterrupt(),
        ImportError("no module"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        OSError(errno.EADDRINUSE, "address already in use"),
        PermissionError(errno.EACCES, "not yours"),
        RemoteError("it does not exist"),
    ],
)
def test_what_an_application_raises_is_its_own_failure(error: BaseException) -> None:
    assert type(start_failure("node1", "shop:main", error)) is ApplicationFailed


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOSPC, "no space"),
        OSError(errno.EMFILE, "too many open files"),
        BlockingIOError(errno.EAGAIN, "no process"),
        RuntimeError("can't start new thread"),
        caused(RuntimeError("it did not go well"), OSError(errno.ENOMEM, "no memory")),
    ],
)
def test_what_the_machine_has_no_more_of_is_not(error: BaseException) -> None:
    told = start_failure("node1", "shop:main", error)

    assert isinstance(told, ClusterError)
    assert not isinstance(told, ApplicationFailed)
