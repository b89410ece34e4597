"""The project's own build.

It runs once when its sources have changed, even with several callers at that moment."""

from __future__ import annotations

import json
import os
import shlex
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clusterlib.disk.digests import changed
from clusterlib.errors import BuildFailed, ClusterError, NotInTime, StartError
from clusterlib.frozen import replace
from clusterlib.hosts.command_groups import TIMED_OUT
from clusterlib.hosts.launch import run_aside
from clusterlib.hosts.places import write_private
from clusterlib.messages.event import Event, now
from clusterlib.messages.events import ClusterBuilding
from clusterlib.messages.plan import Build, CodeSources, digest
from clusterlib.remedies import do
from clusterlib.rundir.folders import builds_folder
from clusterlib.rundir.lock import ClusterLock
from clusterlib.waiting import Deadline, poll

__all__ = ["Outputs", "build_project", "builds_of", "unbuilt_files"]

Outputs = Callable[[], Mapping[str, str]]
"""The output of the build as it is on disk now: digests by file."""
SHOWN_LINES = 40
KILLED = 128
"""Above this, an exit code is 128 plus the number of a signal."""
KINDS = ("_ENV", "_PROFILE")
"""Suffixes of variables that select a kind of build, such as MIX_ENV.

Other variables may hold secrets and are not shown."""
MADE_BY_TOOLS = frozenset({"_build", "node_modules"})


def builds_of(sources: Sequence[CodeSources]) -> list[tuple[Build, list[CodeSources]]]:
    """The builds of these roles, each with those that it makes the code of.

    Roles with the same command share the build: it reads the inputs of all of them."""
    found: dict[str, tuple[Build, list[CodeSources]]] = {}
    for one in sources:
        if one.build is None:
            continue
        known_as = _known_as(one.build)
        if known_as in found:
            build, made = found[known_as]
            both = build.inputs and one.build.inputs  # without them it is always run
            inputs = tuple(dict.fromkeys([*build.inputs, *one.build.inputs])) if both else ()
            found[known_as] = replace(build, inputs=inputs), [*made, one]
        else:
            found[known_as] = one.build, [one]
    return list(found.values())


def _known_as(build: Build) -> str:
    return digest([build.command, sorted(build.environment.items())])


def build_project(
    build: Build, project: Path, outputs: Outputs, tell: Callable[[Event], None] = lambda _: None
) -> None:
    """Runs the build unless it was run for exactly these files, and its output still exists.

    If another process builds, waits for it, and then need not build. `tell` is called when a build
    begins."""
    known_as = _known_as(build)
    folder = builds_folder(project)
    done, log = folder / f"{known_as}.json", folder / f"{known_as}.log"
    lock = ClusterLock(folder / f"{known_as}.lock")
    if not poll(lock.take, Deadline(build.seconds)):
        raise NotInTime(
            f"another process has been building this project for more than {build.seconds:g} s",
            cause=f"another process holds {lock.path}",
            evidence=_last_lines(log),
            remedies=[f"tail {log}", do("profile.show", resolved=True) + "  # see timeouts.build"],
        )
    try:
        inputs, last = _inputs(build), _read(done)
        if build.inputs and last["inputs"] == _marks(inputs) and last["outputs"] == digest(outputs()):
            return
        write_private(
            done, json.dumps({**last, "outputs": None})
        )  # if the build fails, the result of the last one still holds
        command = build.rebuild if build.rebuild and _hidden(inputs, last) else build.command
        tell(Event(0, now(), ClusterBuilding(" ".join(command))))
        _run(command, build, project, log)
        made = outputs()
        if not made:
            raise BuildFailed(
                f"{build.command[0]} has built nothing that the nodes could load",
                cause=f"it ended well, but there is no module in the folders of {build.into}",
                evidence=_last_lines(log),
                remedies=[
                    do("profile.show", resolved=True) + f"  # see {', '.join([build.into, *build.asked_by])}"
                ],
            )
        note = {"inputs": _marks(inputs), "outputs": digest(made), "ended": time.time()}
        write_private(done, json.dumps(note))
    finally:
        lock.let_go()


def unbuilt_files(build: Build, project: Path) -> list[str]:
    """The files of the build that have changed since the last successful one. Does not build."""
    known_as = _known_as(build)
    before = _read(builds_folder(project) / f"{known_as}.json")["inputs"]
    return changed(before, _marks(_inputs(build)))


def _run(command: Sequence[str], build: Build, project: Path, log: Path) -> None:
    log.unlink(missing_ok=True)
    code = run_aside(
        command,
        environment={**os.environ, **build.environment},
        directory=project,
        output=log,
        timeout=build.seconds,
    )
    if code != 0:
        words = shlex.join(command)
        variables = (
            (name, value) for name, value in sorted(build.environment.items()) if name.endswith(KINDS)
        )
        setting = "".join(f"{name}={shlex.quote(value)} " for name, value in variables)
        kind, problem, ended = _meaning(code, build)
        raise kind(
            problem,
            cause=f"{words} {ended}, in {project}",
            evidence=_last_lines(log),
            remedies=[f"cd {shlex.quote(str(project))} && {setting}{words}", f"less {shlex.quote(str(log))}"],
        )


def _meaning(code: int, build: Build) -> tuple[type[ClusterError], str, str]:
    """A build that was interrupted proves nothing about the project: with more time or memory it
    may succeed."""
    if code == TIMED_OUT:
        return NotInTime, "the project was not built in time", f"did not end within {build.seconds:g} s"
    if code > KILLED:
        return StartError, "the build was killed", f"was killed by signal {code - KILLED}"
    return BuildFailed, "the project does not compile", f"ended with {code}"


def _hidden(inputs: Mapping[str, os.stat_result], last: Mapping[str, Any]) -> bool:
    """Whether a file has changed since the last build although its time does not show it. Build
    tools that compare times miss such changes.

    This concerns changes within the second of the last build, and older files that replace a newer
    one."""
    before, ended = last["inputs"], int(last["ended"])
    return any(
        before.get(path) != _mark(seen) and int(seen.st_mtime) <= ended for path, seen in inputs.items()
    )


def _marks(inputs: Mapping[str, os.stat_result]) -> dict[str, str]:
    return {path: _mark(seen) for path, seen in inputs.items()}


def _mark(seen: os.stat_result) -> str:
    """Identifies the state of a file without reading it: see `digest_of`."""
    return f"{seen.st_ino:x}-{seen.st_size:x}-{seen.st_mtime_ns:x}-{seen.st_ctime_ns:x}"


def _inputs(build: Build) -> dict[str, os.stat_result]:
    """The files that the build reads."""
    return dict(found for path in build.inputs for found in _files(path))


def _files(path: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        seen = os.stat(path)  # noqa: PTH116 - a tree of thousands
    except OSError:
        return
    if not stat.S_ISDIR(seen.st_mode):
        yield path, seen
        return
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in MADE_BY_TOOLS]
        for name in names:
            file = f"{folder}/{name}"
            try:
                yield file, os.stat(file)  # noqa: PTH116
            except OSError:
                continue


NEVER: Mapping[str, Any] = {"inputs": {}, "outputs": None, "ended": 0}


def _read(path: Path) -> Mapping[str, Any]:
    """What is known of the last successful build."""
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return NEVER
    return known if isinstance(known, dict) and known.keys() == NEVER.keys() else NEVER


def _last_lines(log: Path) -> list[str]:
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:]
    except OSError:
        return []
