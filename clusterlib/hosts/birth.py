"""What a new process does between the fork and its program.

It runs in a fork of the nursery: a single thread, no event loop. Failures are sent to the keeper
through the report pipe, which is closed automatically when the program runs."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from clusterlib.errors import ApplicationFailed, ClusterError, ProgramMissing, StartError
from clusterlib.frozen import frozen
from clusterlib.hosts import kernel
from clusterlib.hosts.proc import MARKER
from clusterlib.hosts.tags import VARIABLE, wear

__all__ = ["FIRST_INHERITED", "Newborn", "become", "descriptor_variable"]

FIRST_INHERITED = 3
"""The number of the first inherited descriptor.

They follow in the order of `Spawn.inherit`, so a program can use `fd://3`."""


@frozen
class Newborn:
    """One order, as the new process gets it."""

    name: str
    argv: list[str] | None
    target: str
    argument: dict[str, Any]
    directory: str
    environment: dict[str, str]
    inherit: list[str]
    """The names of the inherited descriptors, in the order of their numbers."""
    marker: str
    tag: int
    keeper: int
    user: str | None = None

    def describe(self) -> str:
        return self.argv[0] if self.argv else self.target


def descriptor_variable(name: str) -> str:
    """The variable with the number of an inherited descriptor."""
    return "CLUSTERLIB_FD_" + "".join(letter if letter.isalnum() else "_" for letter in name).upper()


def become(order: Newborn, go: int, report: int, output: int, inherited: list[int]) -> NoReturn:
    """Turns this fork into the ordered process. Never returns or raises."""
    try:
        _join_the_keeper(order, go, report)
        report = _arrange_descriptors(report, output, inherited)
        _start_afresh(order)
        if order.argv is not None:
            _execute(order.argv, order)
        function = _resolve(order)
        os.close(report)
    except ClusterError as error:
        _confess(report, error)
    except OSError as error:
        _confess(report, StartError(f"{order.name} could not be started", cause=_words(error)))
    except BaseException as error:  # noqa: BLE001 - it ends here in any case, and the keeper must hear why
        _confess(report, StartError(f"{order.name} could not be started", cause=repr(error)))
    os._exit(_call(function, order))


def _join_the_keeper(order: Newborn, go: int, report: int) -> None:
    os.read(go, 1)  # until the process between us and the nursery is reaped, and the keeper is our parent
    if hasattr(signal, "pidfd_send_signal"):
        kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != order.keeper:
        os._exit(1)  # the keeper is gone, or has not adopted us: this process would have no owner
    os.write(report, f"{os.getpid()}\n".encode())
    os.setsid()


def _arrange_descriptors(report: int, output: int, inherited: list[int]) -> int:
    """0 is empty, 1 and 2 go to the owner, the inherited ones follow, and nothing else is open."""
    above = FIRST_INHERITED + len(inherited)
    report, output, *inherited = [
        fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above) for descriptor in (report, output, *inherited)
    ]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for number, descriptor in enumerate(inherited, FIRST_INHERITED):
        os.dup2(descriptor, number)
    kernel.close_all_but(*range(FIRST_INHERITED, above), report)
    return report


def _start_afresh(order: Newborn) -> None:
    for resettable in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(resettable, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    wear(order.tag)
    os.environ.clear()
    os.environ.update(order.environment)
    if order.user is not None and os.geteuid() == 0:
        _become_user(order.user, order)
    try:
        os.chdir(order.directory)
    except OSError as error:
        raise StartError(
            f"{order.name} cannot start in {order.directory}",
            cause=_words(error),
            remedies=[f"mkdir -p {order.directory}"] if error.errno == errno.ENOENT else [],
        ) from error
    os.environ[MARKER] = order.marker
    os.environ[VARIABLE] = str(order.tag)
    for number, name in enumerate(order.inherit, FIRST_INHERITED):
        os.environ[descriptor_variable(name)] = str(number)


def _become_user(user: str, order: Newborn) -> None:
    import pwd

    try:
        entry = pwd.getpwnam(user)
        kernel.become_user(entry.pw_uid, entry.pw_gid, os.getgrouplist(user, entry.pw_gid))
    except (KeyError, OSError) as error:
        raise StartError(
            f"{order.name} cannot run as {user}",
            cause=_words(error) if isinstance(error, OSError) else f"there is no user {user} on this machine",
            evidence=["it refuses to run as root, and we are root"],
            remedies=[f"getent passwd {user}", "run it as an ordinary user"],
        ) from error
    if hasattr(signal, "pidfd_send_signal"):
        kernel.die_with_parent(signal.SIGKILL)  # the kernel drops this setting when the user changes
    os.environ.update(USER=user, LOGNAME=user, HOME=order.directory)


# A program.


def _execute(argv: list[str], order: Newborn) -> NoReturn:
    name = argv[0]
    search = os.environ.get("PATH", os.defpath)
    places = [name] if "/" in name else [f"{folder or '.'}/{name}" for folder in search.split(os.pathsep)]
    refusal: OSError | None = None
    for place in places:
        try:
            os.execve(place, argv, os.environ)  # noqa: S606 - no shell is the point
        except (FileNotFoundError, NotADirectoryError) as error:
            if Path(place).exists():
                raise _not_executable(
                    order, place, "the interpreter or loader it asks for is missing"
                ) from error
        except PermissionError as error:
            refusal = refusal or error
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            cause = f"{error.strerror}: not a program for this machine, and no script with a first line like #!/bin/sh"
            raise _not_executable(order, place, cause) from error
    if refusal is not None:
        raise ApplicationFailed(
            f"{order.name}: {name} may not be executed.", cause=_words(refusal), remedies=[f"chmod +x {name}"]
        )
    raise ProgramMissing(
        f"{order.name}: there is no program {name!r}",
        cause=f"no such file: {name}" if "/" in name else f"no folder of PATH has a program {name!r}",
        evidence=[f"working directory: {order.directory}"] if "/" in name else [f"PATH={search}"],
        remedies=["correct the command in the profile"]
        if "/" in name
        else [f"install {name}, or add its folder to PATH"],
    )


def _not_executable(order: Newborn, place: str, cause: str) -> ApplicationFailed:
    """The file is what the tests are about, so they fail and are not skipped."""
    return ApplicationFailed(
        f"{order.name}: {place} cannot be executed",
        cause=cause,
        remedies=[f"file {place}; head -n 1 {place}"],
    )


# A function.


def _resolve(order: Newborn) -> Callable[[dict[str, Any]], int | None]:
    """Imports the function, in a process that looks as if it had been started for it."""
    kernel.name_process(order.name)
    _open_standard_streams()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.argv = [order.target, order.name]
    sys.modules["__main__"] = ModuleType("__main__")
    time.tzset()
    gc.freeze()  # what came from the nursery stays shared with it
    gc.enable()
    module_name, _, path = order.target.partition(":")
    try:
        found: Any = import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except BaseException as error:  # a module may raise any exception while it is imported
        raise StartError(
            f"{order.name}: {order.target} cannot be imported",
            cause=f"{type(error).__name__}: {error}",
            evidence=traceback.format_exc().splitlines()[-12:],
        ) from error
    function: Callable[[dict[str, Any]], int | None] = found
    return function


def _call(function: Callable[[dict[str, Any]], int | None], order: Newborn) -> int:
    code = 1
    try:
        result = function(order.argument)
        code = 0 if result is None else int(result) & 0xFF
    except SystemExit as ending:
        code = _exit_code(ending)
    except BaseException:  # noqa: BLE001 - as the interpreter itself does at the end of a program
        traceback.print_exc()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _exit_code(ending: SystemExit) -> int:
    if ending.code is None:
        return 0
    if isinstance(ending.code, int):
        return ending.code & 0xFF
    sys.stderr.write(f"{ending.code}\n")
    return 1


def _open_standard_streams() -> None:
    def stream(number: int, mode: str) -> Any:
        return open(number, mode, buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)

    for number, mode, name in ((0, "r", "stdin"), (1, "w", "stdout"), (2, "w", "stderr")):
        opened = stream(number, mode)
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)


def _confess(report: int, error: ClusterError) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(report, json.dumps(error.to_dict()).encode())
    os._exit(127)


def _words(error: OSError) -> str:
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}"
