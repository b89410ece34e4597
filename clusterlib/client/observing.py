"""Asks an embedded node what it does, also while its event loop is blocked."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clusterlib.errors import ClusterBusy, NodeUnavailable, NotInTime
from clusterlib.messages.codec import NotReadable, revive
from clusterlib.messages.observed import ActiveThread, Activity, Samples, StackFrame
from clusterlib.remedies import do
from clusterlib.runtime.observing import ANSWER, BEGUN, QUESTION
from clusterlib.waiting import Deadline, poll

__all__ = ["observed_activity", "observed_samples"]

BEGIN_SECONDS = 2.0
SPARE_SECONDS = 10.0
DRAFT = ".draft"
"""The ending of a question that is not locked or not written yet."""
THREAD = re.compile(r"^(?:Current thread|Thread) (0x[0-9a-f]+)(?: \[([^\]]+)\])?")
FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$')


def observed_activity(
    name: str, folder: Path, wake: Callable[[], None], dump: Callable[[], Sequence[str]]
) -> Activity:
    """`wake`: tells the node that there is a question. `dump`: its stacks as C writes them, for a
    node in which nothing of Python runs."""
    with _asked(folder, {}) as question:
        wake()
        if poll(question.with_suffix(ANSWER).exists, Deadline(BEGIN_SECONDS)):
            return revive(Activity, _answer(name, question))
    return Activity(_dumped(dump()), from_signal=True)


def observed_samples(
    name: str,
    folder: Path,
    wake: Callable[[], None],
    dump: Callable[[], Sequence[str]],
    *,
    seconds: float,
    rate: float,
) -> Samples:
    with _asked(folder, {"seconds": seconds, "rate": rate}) as question:
        wake()
        if not poll(lambda: _any(question, BEGUN, ANSWER), Deadline(BEGIN_SECONDS)):
            raise NotInTime(
                f"{name} did not begin to sample within {BEGIN_SECONDS:g} s",
                cause="a function that holds the interpreter lets no other thread run",
                evidence=dump(),
                remedies=[do("cluster.stacks", name)],
            )
        if not poll(question.with_suffix(ANSWER).exists, Deadline(seconds + SPARE_SECONDS)):
            raise NodeUnavailable(
                f"{name} has begun to sample, and has not finished", remedies=[do("cluster.status")]
            )
        return revive(Samples, _answer(name, question))


@contextmanager
def _asked(folder: Path, question: Mapping[str, float]) -> Iterator[Path]:
    """The file with the question. It is locked, and so tells the node that we live."""
    path = folder / f"{secrets.token_hex(8)}{QUESTION}"
    draft = path.with_suffix(DRAFT)  # the signal of another caller may make the node look now
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, json.dumps(question).encode())
        draft.rename(path)
        yield path
    finally:
        for ending in (DRAFT, QUESTION, ANSWER):  # what has begun is removed by the node
            with contextlib.suppress(OSError):
                path.with_suffix(ending).unlink()
        os.close(descriptor)


def _any(question: Path, *endings: str) -> bool:
    return any(question.with_suffix(ending).exists() for ending in endings)


def _answer(name: str, question: Path) -> Mapping[str, Any]:
    try:
        answer = json.loads(question.with_suffix(ANSWER).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise NodeUnavailable(f"the answer of {name} cannot be read", cause=str(error)) from error
    if not isinstance(answer, dict):
        raise NotReadable(f"{name} has answered with no object")
    if answer.get("busy"):
        raise ClusterBusy(f"{name} takes samples for another caller", cause="it does so for one at a time")
    return answer


def _dumped(lines: Sequence[str]) -> tuple[ActiveThread, ...]:
    """What faulthandler has written: the innermost call comes first there."""
    threads: list[ActiveThread] = []
    frames: list[StackFrame] = []
    name = ""
    for line in (*lines, "Thread 0x0"):
        if header := THREAD.match(line):
            if frames:
                threads.append(ActiveThread(name, name == "", False, tuple(frames[::-1])))
            name, frames = header[2] or header[1], []
        elif found := FRAME.match(line):
            frames.append(StackFrame(found[3], found[1], int(found[2])))
    return tuple(threads)
