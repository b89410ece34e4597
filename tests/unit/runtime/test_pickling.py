"""Objects to bytes and back."""

from __future__ import annotations

import linecache
import threading
import traceback
from contextvars import Context, ContextVar
from typing import Any

import pytest

from clusterlib.errors import NodeUnavailable, NodeUnknown, RemoteError
from clusterlib.runtime import sent_code
from clusterlib.runtime.pickling import (
    RemoteTraceback,
    TooLarge,
    Unpicklable,
    dump,
    dump_error,
    dump_refusal,
    load,
    raise_from_remote,
)
from clusterlib.runtime.wire import LARGE
from clusterlib.runtime.workers import Workers

LIMIT = 64 << 20


@pytest.mark.parametrize(
    "thing",
    [
        None,
        {"a": [1, 2.5, "ä"]},
        bytes(LARGE * 3),
        bytearray(LARGE * 2),
        ["x" * 1000] * 5000,
        list(range(500_000)),
        "ü" * LARGE,
    ],
    ids=["none", "small", "bytes", "bytearray", "repeated", "numbers", "text"],
)
def test_what_goes_in_comes_out(thing: object) -> None:
    assert load(b"".join(dump(thing, LIMIT))) == thing


def test_large_bytes_are_not_copied() -> None:
    data = bytes(LARGE)
    assert any(part is data for part in dump(data, LIMIT))


def test_the_limit_ends_pickling_early() -> None:
    with pytest.raises(TooLarge, match=r"limit of 1\.0 MB"):
        dump([bytes(200_000)] + [bytes(200_001 + number) for number in range(100)], 1_000_000)


def test_what_cannot_travel_is_named() -> None:
    with pytest.raises(Unpicklable, match="lock"):
        dump(threading.Lock(), LIMIT)


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001  SystemExit is one of those asked for
        return caught


def test_an_exception_keeps_its_type_and_shows_where_it_was_raised() -> None:
    data = b"".join(dump_error(raised(KeyError("tea")), LIMIT, skip=0))
    with pytest.raises(KeyError, match="tea") as caught:
        raise_from_remote(data, "node1")
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "on node1" in str(caught.value.__cause__)
    assert "raise error" in str(caught.value.__cause__)


def test_what_would_end_the_caller_arrives_as_a_remote_error() -> None:
    data = b"".join(dump_error(raised(SystemExit(3)), LIMIT, skip=0))
    with pytest.raises(RemoteError, match="SystemExit: 3"):
        raise_from_remote(data, "node1")


def test_an_error_of_the_runtime_arrives_whole_and_without_a_traceback() -> None:
    data = b"".join(dump_refusal(NodeUnknown("no node9", cause="it was never there", remedies=["node1"])))
    with pytest.raises(NodeUnknown, match="no node9") as caught:
        raise_from_remote(data, "node1")
    assert caught.value.cause == "it was never there"
    assert caught.value.__cause__ is None


def test_workers_run_jobs_at_once_each_in_its_own_copy_of_the_context() -> None:
    workers = Workers("test", 8)
    variable: ContextVar[int] = ContextVar("variable", default=0)
    together = threading.Barrier(9)
    seen: list[int] = []

    def job() -> None:
        seen.append(variable.get())
        variable.set(1)
        together.wait(20)

    context = Context()
    for _ in range(2):
        for _ in range(8):
            workers.run(context, job)
        together.wait(20)
    assert seen == [0] * 16
    assert workers.threads == 8
    workers.close()


def test_a_job_that_fails_costs_no_thread(capsys: pytest.CaptureFixture[str]) -> None:
    workers = Workers("test", 1)
    done = threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    workers.run(Context(), fail)
    workers.run(Context(), done.set)
    assert done.wait(20)
    assert "ZeroDivisionError" in capsys.readouterr().err
    workers.close()


def test_where_no_thread_can_be_started_a_job_is_refused_or_waits_for_one_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def wait() -> None:
        begun.set()
        go_on.wait(20)
        first.set()

    workers = Workers("test", 8)
    first, second, begun, go_on = (threading.Event() for _ in range(4))
    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", refuse)
        with pytest.raises(NodeUnavailable, match="test has no thread to run it in") as told:
            workers.run(Context(), first.set)
    assert told.value.remedies[0].startswith("ulimit -u")

    workers.run(Context(), wait)
    assert begun.wait(20)
    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", refuse)
        workers.run(Context(), second.set)
    assert not second.is_set()
    go_on.set()
    assert first.wait(20)
    assert second.wait(20)
    assert workers.threads == 1
    workers.close()


def test_code_that_is_sent_keeps_its_lines_for_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def nested() -> None:
        stock: dict[str, int] = {}
        stock["tea"] += 1  # the line to show

    cell = "<cell 7>"
    lines = ["def typed():\n", "    return 1 / 0  # was typed\n"]
    space: dict[str, Any] = {}
    exec(compile("".join(lines), cell, "exec"), space)
    monkeypatch.setitem(linecache.cache, cell, (0, None, lines, cell))
    sent = b"".join(dump((nested, space["typed"]), 1 << 20, by_value={__name__}))
    del linecache.cache[cell]

    of_a_file, of_no_file = load(sent)

    for function, shown in ((of_a_file, "# the line to show"), (of_no_file, "# was typed")):
        assert function.__code__ is not nested.__code__
        try:
            function()
        except Exception:  # noqa: BLE001
            assert shown in traceback.format_exc()
        else:
            pytest.fail("it did not raise")


def test_received_lines_are_kept_within_a_limit_and_never_replace_those_of_a_file() -> None:
    for number in range(sent_code.MOST_SOURCES + 1):
        name = f"<cell {number} of many>"
        linecache.cache[name] = (1, None, ["lambda: 1\n"], name)
        load(b"".join(dump(eval(compile("lambda: 1", name, "eval")), 1 << 20, by_value=set())))

    assert "<cell 0 of many>" not in linecache.cache
    assert "<cell 1 of many>" in linecache.cache
