"""System services on their standard ports, as a package would run them."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from clusterlib.hosts.programs import find_program
from clusterlib.waiting import Deadline, poll

__all__ = ["SERVICES", "Service", "running"]

PATIENCE = 60.0
SEARCH = ("/usr/lib/postgresql/*/bin", "/usr/lib/rabbitmq/bin")
ROOT = os.getuid() == 0


@dataclass(frozen=True)
class Service:
    """`{folder}` is a folder of its own."""

    command: Sequence[str]
    ports: Sequence[int]
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    """What ends a daemon that it has started, where none was there before."""
    user: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


SERVICES = {
    "redis": Service(("redis-server", "--dir", "{folder}", "--save", ""), (6379,)),
    "etcd": Service(("etcd", "--data-dir", "{folder}/data"), (2379, 2380)),
    "nats": Service(("nats-server", "-m", "8222", "-js", "-sd", "{folder}"), (4222, 8222)),
    "postgres": Service(
        ("postgres", "-D", "{folder}/data", "-c", "unix_socket_directories={folder}"),
        (5432,),
        before=("initdb", "-D", "{folder}/data", "--no-sync"),
        user="postgres",
    ),
    "rabbitmq": Service(
        ("rabbitmq-server",),
        (5672, 4369),
        after=("epmd", "-kill"),
        variables={
            "HOME": "{folder}",
            "RABBITMQ_MNESIA_BASE": "{folder}",
            "RABBITMQ_LOG_BASE": "{folder}",
            "RABBITMQ_NODENAME": "rabbit1@localhost",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "{folder}/none",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        },
    ),
}


@contextmanager
def running(service: Service) -> Iterator[Callable[[], bool]]:
    """The service, once its ports answer, or the one that the machine has already."""
    with ExitStack() as stack:
        # Of the workers of a test run one has the port at a time.
        lock = stack.enter_context(
            Path(gettempdir(), f"clusterlib-service-{service.ports[0]}.lock").open("w")
        )
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _answers(service.ports[0]):
            yield lambda: _answers(service.ports[0])
            return
        folder = Path(mkdtemp(prefix="clusterlib-service-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        user = service.user if ROOT else None
        if user is not None:
            shutil.chown(folder, user)
        environment = {
            **os.environ,
            **{name: value.format(folder=folder) for name, value in service.variables.items()},
        }

        def call(words: Sequence[str]) -> subprocess.Popen[bytes]:
            return _call(words, folder, environment, user)

        if service.before:
            call(service.before).wait(PATIENCE)
        if service.after and not any(map(_answers, service.ports[1:])):
            stack.callback(_end, lambda: call(service.after).wait(PATIENCE), service.ports[-1])
        process = call(service.command)
        stack.callback(process.wait, PATIENCE)
        stack.callback(os.killpg, process.pid, signal.SIGKILL)
        ready = poll(
            lambda: all(map(_answers, service.ports)) or process.poll() is not None, Deadline(PATIENCE)
        )
        assert ready, f"{service.command[0]} does not answer"
        assert process.poll() is None, (folder / "log").read_text()
        yield lambda: process.poll() is None


def _end(ask: Callable[[], object], port: int) -> None:
    """Asks the daemon at that port to end, again while it holds that the service still lives."""
    poll(lambda: (ask(), not _answers(port))[1], Deadline(5))


def _call(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], user: str | None
) -> subprocess.Popen[bytes]:
    program = find_program(words[0], SEARCH)
    assert program is not None
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [str(program), *(word.format(folder=folder) for word in words[1:])],
            cwd=folder,
            env=dict(environment),
            user=user,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
