"""Pre-flight: whether this machine can run the cluster.

Each check judges facts that it is given, so each can be tested on a machine without the problem."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from clusterlib.health.expectation import Expected
from clusterlib.messages.containing import ContainmentRung
from clusterlib.messages.findings import Finding, failed, ok, skipped, warning
from clusterlib.remedies import Remedy, do

__all__ = [
    "Resolve",
    "check_containment",
    "check_descriptors",
    "check_disk",
    "check_ephemeral",
    "check_hosts",
    "check_leftovers",
    "check_localhost",
    "check_loopback",
    "check_memory",
    "check_ports",
    "check_processes",
    "check_project",
    "check_python",
    "check_runtime_folder",
    "check_templates",
    "check_user",
    "mebibytes",
]

Resolve = Callable[[str], Sequence[str]]
"""Host name -> addresses. Raises OSError."""

OLDEST_PYTHON = (3, 11)
DESCRIPTORS_A_NODE = 12
DESCRIPTORS_BESIDES = 100
PROCESSES_BESIDES = 20
DISK_A_NODE = 4 * 2**20
DISK_BESIDES = 64 * 2**20
SHOWN_HOLDERS = 3


def mebibytes(amount: float) -> str:
    return f"{amount / 2**30:.1f} GiB" if amount >= 2**30 else f"{amount / 2**20:.0f} MiB"


def check_python(version: tuple[int, ...], executable: str) -> Finding:
    version_text = f"{'.'.join(map(str, version[:3]))} ({executable})"
    if version[:2] < OLDEST_PYTHON:
        return failed("python", version_text, "python3.11 -m venv .venv && . .venv/bin/activate")
    return ok("python", version_text)


# -- the network


def check_localhost(resolve: Resolve) -> Finding:
    addresses = _addresses("localhost", resolve)
    if isinstance(addresses, str):
        return failed("localhost", addresses, "echo '127.0.0.1 localhost' | sudo tee -a /etc/hosts")
    if strange := [one for one in addresses if not _is_loopback(one)]:
        return failed(
            "localhost",
            f"resolves to {', '.join(strange)}, which is not this machine",
            "getent hosts localhost",
        )
    return ok("localhost", f"resolves to {', '.join(addresses)}")


def check_loopback(attempt: Callable[[str], None], addresses: Iterable[str] = ("127.0.0.1",)) -> Finding:
    tried = list(addresses)
    for address in tried:
        try:
            attempt(address)
        except OSError as error:
            return failed(
                "loopback",
                f"{address} cannot be used: {error}",
                "sudo ip link set lo up",
                "ip address show lo",
            )
    return ok("loopback", f"{', '.join(tried)} can be used")


def check_hosts(hosts: Iterable[str], resolve: Resolve) -> Finding:
    """Checks the host names of the nodes in the profile."""
    wrong = []
    names = sorted(set(hosts))
    for host in names:
        addresses = _addresses(host, resolve)
        if isinstance(addresses, str):
            wrong.append(addresses)
        elif not any(_is_loopback(address) for address in addresses):
            wrong.append(f"{host} is {', '.join(addresses)}, not this machine")
    if wrong:
        return failed(
            "host names",
            "; ".join(wrong[:SHOWN_HOLDERS]),
            "CLUSTERLIB_NODES_HOST=127.0.0.1 " + do("cluster.up"),
            f"getent hosts {names[0]}",
        )
    shown = ", ".join(names[:SHOWN_HOLDERS]) + (
        f" and {len(names) - SHOWN_HOLDERS} more" if len(names) > SHOWN_HOLDERS else ""
    )
    return ok("host names", f"{shown} {'resolves' if len(names) == 1 else 'resolve'} to this machine")


def check_ports(
    purpose: str, first: int, last: int, needed: int, holder: Callable[[int], str | None]
) -> Finding:
    """Whether the range has `needed` free ports.

    `holder` returns the holder of a port; None for a free one."""
    name = f"ports for {purpose}"
    free, held = 0, {}
    for port in range(first, last + 1):
        who = holder(port)
        if who is None:
            free += 1
            if free >= needed:
                break
        else:
            held[port] = who
    if free >= needed:
        return ok(name, f"{needed} needed, enough free in {first}-{last}")
    holders = _some([f"{port} by {who}" for port, who in held.items()])
    return failed(
        name,
        f"{free} free of {needed} needed in {first}-{last}; held: {holders}",
        do("cluster.down", all=True),
        f"CLUSTERLIB_PORTS_{purpose.upper()}=28000-29999 " + do("cluster.up"),
    )


def check_ephemeral(ranges: Mapping[str, tuple[int, int]], ephemeral: tuple[int, int]) -> Finding:
    """A port that the kernel may assign to any outgoing connection is free now and taken a moment
    later."""
    first, last = ephemeral
    inside = [
        f"{purpose} {low}-{high}" for purpose, (low, high) in ranges.items() if low <= last and first <= high
    ]
    if inside:
        return warning(
            "ephemeral ports",
            f"{', '.join(inside)} overlap the kernel's own {first}-{last}: starts may have to be repeated",
            "sysctl net.ipv4.ip_local_port_range",
        )
    return ok("ephemeral ports", f"all ranges are outside the kernel's own {first}-{last}")


# -- what holds a cluster together


def check_containment(rung: ContainmentRung | None, refusals: Sequence[str]) -> Finding:
    """`refusals` are the reasons why the rungs above are not available."""
    why = "; ".join(refusals)
    if rung is None:
        return failed("containment", why or "no rung is available", "unset CLUSTERLIB_CONTAINMENT")
    if rung is ContainmentRung.SWEEP:
        return warning(
            "containment",
            f"sweep: what nodes leave behind is found and killed, but not by the kernel ({why})",
            "sudo sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0",
        )
    return ok(
        "containment", f"{rung}: the kernel ends all that a cluster started" + (f" ({why})" if why else "")
    )


def check_leftovers(dead: Iterable[str]) -> Finding:
    found = list(dead)
    if found:
        return warning("leftovers", f"clusters whose keeper is dead: {_some(found)}", do("cluster.clean"))
    return ok("leftovers", "no dead cluster left anything")


# -- places


def check_runtime_folder(folder: Path, user: int) -> Finding:
    name = "runtime folder"
    try:
        seen = folder.lstat()
    except OSError as error:
        return failed(name, f"{folder}: {error.strerror}", f"ls -ld {folder.parent}")
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != user:
        return failed(name, f"{folder} is not a folder of this user", f"ls -ld {folder}", f"rm {folder}")
    if seen.st_mode & 0o077:
        return failed(
            name, f"{folder} is open to others: {stat.filemode(seen.st_mode)}", f"chmod 700 {folder}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return failed(name, f"{folder} cannot be written", f"ls -ld {folder}")
    return ok(name, f"{folder} is private and writable")


def check_project(project: Path) -> Finding:
    home = project / ".clusterlib"
    place = home if home.exists() else project
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return failed("project folder", f"{place} cannot be written", f"ls -ld {shlex.quote(str(place))}")
    return ok("project folder", f"{home} can be written")


def check_disk(free: int, nodes: int, place: Path) -> Finding:
    need = DISK_BESIDES + nodes * DISK_A_NODE
    facts = f"{mebibytes(free)} free at {place}"
    if free < need:
        return failed(
            "disk",
            f"{facts}, {mebibytes(need)} wanted",
            do("cluster.clean", all=True),
            f"df -h {shlex.quote(str(place))}",
        )
    return ok("disk", facts)


# -- resources


def check_memory(
    available: int, nodes: int, expected: Expected | None, *, simulated: bool = False, monitored: bool = True
) -> Finding:
    """An amount that is written in the profile fails if it does not fit.

    A measured one only warns, as the next run may take less."""
    free = f"{mebibytes(available)} available"
    if expected is None:
        unknown = "what a node of this profile takes is not known yet"
        measuring = (
            "a run of it measures that" if monitored else "a run with [monitor] interval measures that"
        )
        return skipped("memory", f"{free}, {unknown}: {measuring}, or set [nodes] memory")
    need = expected.memory if simulated else nodes * expected.memory
    kind = "simulated nodes" if simulated else f"nodes of {mebibytes(expected.memory)}"
    amounts = f"{free}, {nodes} {kind} take {mebibytes(need)} ({expected.basis})"
    fitting = int(available * 0.5 * nodes // need)
    remedy = do("cluster.up", nodes=fitting) if fitting >= 1 else Remedy.of("free -m  # memory left")
    if need > available and not expected.measured:
        return failed("memory", amounts, remedy)
    if need > available * 0.8:
        return warning("memory", amounts, remedy)
    return ok("memory", amounts)


def check_descriptors(limit: int, nodes: int) -> Finding:
    need = DESCRIPTORS_BESIDES + nodes * DESCRIPTORS_A_NODE
    facts = f"{'unlimited' if limit < 0 else limit} allowed, about {need} needed for {nodes} nodes"
    if 0 <= limit < need:
        return failed("file descriptors", facts, f"ulimit -n {max(4096, need)}")
    return ok("file descriptors", facts)


def check_processes(limit: int, nodes: int) -> Finding:
    need = PROCESSES_BESIDES + nodes
    facts = f"{'unlimited' if limit < 0 else limit} allowed, about {need} needed for {nodes} nodes"
    if 0 <= limit < need:
        return failed("processes", facts, f"ulimit -u {max(4096, need)}")
    return ok("processes", facts)


def check_user(name: str) -> Finding:
    """Checks the user for a server that refuses root."""
    try:
        number = pwd.getpwnam(name).pw_uid
    except KeyError:
        why = "there is no such user, and the server does not run as root"
        return failed(f"user {name}", why, f"adduser --system --group {name}")
    return ok(f"user {name}", f"the server runs as it (uid {number}), as we are root")


def check_templates(outputs: Sequence[str], faults: Sequence[str]) -> Finding:
    """`faults` are the results of a trial rendering, with file and line."""
    if not outputs:
        return skipped("templates", "the profile has none")
    if faults:
        return failed("templates", "; ".join(faults), do("profile.check"))
    return ok("templates", f"{', '.join(outputs)} can be rendered")


# -- helpers


def _addresses(host: str, resolve: Resolve) -> Sequence[str] | str:
    try:
        found = list(dict.fromkeys(resolve(host)))
    except OSError as error:
        return f"{host} does not resolve: {error.strerror or error}"
    return found or f"{host} does not resolve"


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _some(items: Sequence[str]) -> str:
    more = len(items) - SHOWN_HOLDERS
    return ", ".join(items[:SHOWN_HOLDERS]) + (f" and {more} more" if more > 0 else "")
