"""Pre-flight for Erlang nodes: what Erlang's distribution needs, judged from given facts.

Clusters of clusterlib need little of it: their nodes have addresses for hosts, a cookie for each
run, and the keeper as epmd. Problems for nodes that are started in other ways, such as releases,
are warnings."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from clusterlib.frozen import frozen
from clusterlib.health.preflight import Resolve
from clusterlib.messages.findings import Finding, failed, ok, skipped, warning

__all__ = [
    "OLDEST_OTP",
    "Epmd",
    "Tried",
    "check_cookie",
    "check_distribution",
    "check_epmd",
    "check_host_name",
    "check_localhost_is_loopback",
]

OLDEST_OTP = 25
"""A node of it assigns names to its clients, so that we cost it no atoms."""
LOOPBACK = "127.0.0.1"
OURS = "a cluster needs none, its keeper answers in its place"


@frozen
class Epmd:
    """What was found where epmd usually listens."""

    port: int
    names: Sequence[str] | None = None
    """The nodes it knows; None if there is no answer of an epmd."""
    problem: str | None = None
    """Why the listener there is not an epmd; None if there is no listener, or no problem."""
    holder: str | None = None


def check_epmd(found: Epmd) -> Finding:
    if found.problem is not None:
        who = f", held by {found.holder}" if found.holder else ""
        return warning(
            "epmd",
            f"{OURS}; but port {found.port}{who}, has no epmd: {found.problem}. Releases of yours would not start",
            f"ss -ltnp 'sport = :{found.port}'",
            f"export ERL_EPMD_PORT={found.port + 1}  # for nodes of yours",
        )
    if found.names is None:
        return ok(
            "epmd", f"{OURS}; none runs at port {found.port} (`epmd -daemon` starts one for nodes of yours)"
        )
    known = ", ".join(found.names) or "no node"
    return ok("epmd", f"{OURS}; the machine's, at port {found.port}, answers and knows {known}")


def check_localhost_is_loopback(resolve: Resolve) -> Finding:
    """Erlang compares hosts as they are written, and accepts connections by IPv4."""
    name = "localhost by IPv4"
    try:
        addresses = list(resolve("localhost"))
    except OSError:
        addresses = []
    if LOOPBACK in addresses:
        return ok(
            name,
            f"localhost is {LOOPBACK}; to Erlang they are two hosts all the same, and nodes here use the address",
        )
    known = ", ".join(addresses) or "unknown"
    problem = f"localhost is {known}, not {LOOPBACK}: nodes of yours called name@localhost are not found"
    return warning(
        name, problem, "echo '127.0.0.1 localhost' | sudo tee -a /etc/hosts", "getent ahostsv4 localhost"
    )


def check_host_name(host: str, resolve: Resolve) -> Finding:
    """Nodes here have addresses; a node that is started with -sname uses the name of the
    machine."""
    try:
        addresses = list(dict.fromkeys(resolve(host)))
        problem = "" if addresses else "to nothing"
    except OSError as error:
        addresses, problem = [], str(error.strerror or error)
    if addresses:
        return ok("host name", f"{host} resolves to {', '.join(addresses)}")
    return warning(
        "host name",
        f"{host}, the name of this machine, does not resolve ({problem}): nodes here have addresses instead, but one of yours "
        "with -sname boots, and no other node finds it",
        f"echo '127.0.0.1 {host}' | sudo tee -a /etc/hosts",
        f"getent hosts {host}",
    )


@frozen
class Tried:
    """The result of starting a node and making a handshake with it."""

    program: str
    release: str | None = None
    """Of OTP, as the node reported it over the connection; None if it could not be asked."""
    seconds: float = 0.0
    problem: str | None = None
    said: Sequence[str] = ()
    """The last output of the node."""


def check_distribution(tried: Tried | None) -> Finding:
    """Whether this process can connect to a node: everything else depends on it."""
    name = "distribution"
    if tried is None:
        return skipped(name, "the profile starts its nodes by a program of its own")
    if tried.release is None:
        problem = "; ".join(filter(None, [tried.problem or "no node could be asked", *tried.said]))
        start = "erl -noinput -name test@127.0.0.1 -start_epmd false -erl_epmd_port 4370 -s init stop"
        return failed(name, f"{tried.program}: {problem}", start)
    release = int(tried.release) if tried.release.isdecimal() else OLDEST_OTP
    if release < OLDEST_OTP:
        return failed(
            name,
            f"{tried.program} is Erlang/OTP {tried.release}; {OLDEST_OTP} or newer is needed",
            "sudo apt-get install erlang-base",
        )
    return ok(
        name,
        f"a node of Erlang/OTP {tried.release} ({tried.program}) starts, and accepts a connection, in {tried.seconds:.2f} s",
    )


def check_cookie(files: Sequence[Path], user: int) -> Finding:
    """A cluster has a new cookie.

    A file of the user that Erlang refuses prevents every other node from starting."""
    ours = "each run has its own, in a private file"
    for file in files:
        try:
            seen = file.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            return warning("cookie", f"{ours}; {file} cannot be looked at: {error.strerror}", f"ls -l {file}")
        if seen.st_uid != user:
            return warning(
                "cookie",
                f"{ours}; but {file} belongs to another user: nodes of yours do not start",
                f"ls -l {file}",
            )
        if seen.st_mode & 0o077:
            problem = f"{ours}; but {file} is open to others ({stat.filemode(seen.st_mode)}): nodes of yours do not start"
            return warning("cookie", problem, f"chmod 400 {file}")
        if not seen.st_size:
            return warning(
                "cookie", f"{ours}; but {file} is empty: nodes of yours do not start", f"rm -f {file}"
            )
        return ok("cookie", f"{ours}; {file} is for nodes of yours, and private")
    return ok("cookie", f"{ours}; nodes of yours make one when they start")
