"""Pre-flight: looks at this machine, this project and this profile before anything is started."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from clusterlib.client.planning import find_programs, missing_remedies
from clusterlib.client.start import project_folder
from clusterlib.errors import ClusterError, DriverUnusable, ProfileError
from clusterlib.frozen import frozen
from clusterlib.health import preflight
from clusterlib.hosts import holders
from clusterlib.hosts.containment import AUTO
from clusterlib.hosts.places import runtime_dir
from clusterlib.hosts.registry import Registry
from clusterlib.messages.findings import CheckOutcome, Finding, failed, ok, skipped, warning
from clusterlib.network.loopback import try_loopback
from clusterlib.network.ports import is_free
from clusterlib.numbering import host_of, name_of
from clusterlib.operations.expecting import expected_before
from clusterlib.operations.probe_containment import reachable_containment
from clusterlib.operations.result import Result
from clusterlib.profiles import ResolvedProfile, default_profile, load_profile
from clusterlib.profiles.trying import check_templates
from clusterlib.values.choices import AddressMode

__all__ = ["Diagnosis", "examine_machine"]

LOOPBACK = "127.0.0.1"


@frozen
class Diagnosis(Result):
    profile: str
    project: str
    ok: bool
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def exit_status(self) -> int:
        return 0 if self.ok else 1


def examine_machine(profile: str | None = None, *, project: Path | str | None = None) -> Diagnosis:
    """Every check, whatever the others found. Starts and changes nothing."""
    began = time.monotonic()
    folder = project_folder(project)
    wanted = profile or default_profile(folder)
    findings = tuple(one.of_profile(wanted) for one in _look(wanted, folder))
    fine = all(one.outcome is not CheckOutcome.FAILED for one in findings)
    return Diagnosis(wanted, str(folder), fine, findings, round(time.monotonic() - began, 4))


def _look(profile: str, project: Path) -> Iterator[Finding]:
    yield preflight.check_python(tuple(sys.version_info[:3]), sys.executable)
    yield preflight.check_localhost(_resolve)
    yield preflight.check_containment(*reachable_containment(os.environ.get("CLUSTERLIB_CONTAINMENT", AUTO)))
    yield from _places(project)
    yield from _drivers()
    try:
        resolved = load_profile(profile, project=project)
    except (ProfileError, DriverUnusable) as error:
        why = [error.problem, *([error.cause] if isinstance(error, DriverUnusable) and error.cause else [])]
        yield failed("profile", "; ".join([*why, *error.evidence]), *error.remedies)
        yield preflight.check_loopback(try_loopback)
        return
    yield ok("profile", f"{resolved.name} ({resolved.file}), {resolved.values.nodes.count} nodes")
    for look in (_tables, _network, _programs, _resources):
        yield from _guarded(look, resolved, project)
    faults = [str(mistake) for mistake in check_templates(resolved)]
    texts = ["the texts of the profile"] if next(resolved.texts(), None) else []
    yield preflight.check_templates([*resolved.values.templates, *texts], faults)


def _places(project: Path) -> Iterator[Finding]:
    try:
        yield preflight.check_runtime_folder(runtime_dir(), os.getuid())
        dead = [f"{one.name} of {one.project}" for one in Registry().entries() if one.dead()]
        yield preflight.check_leftovers(dead)
    except ClusterError as error:
        yield failed("runtime folder", error.problem, *error.remedies)
    yield preflight.check_project(project)


def _drivers() -> Iterator[Finding]:
    """Drivers that packages declare. Those with the name of a built-in driver are never used."""
    from clusterlib.drivers.external import installed, namesakes

    known = installed()
    if hidden := namesakes(known):
        yield warning(
            "drivers",
            "; ".join(f"{one.package} declares {one.name!r}, which clusterlib has itself" for one in hidden),
            *(f'write driver = "{one.reference}" to use that one' for one in hidden),
        )
    elif found := [one for several in known.values() for one in several]:
        yield ok("drivers", ", ".join(f"{one.name} ({one.package})" for one in found))


def _guarded(
    look: Callable[[ResolvedProfile, Path], Iterator[Finding]], resolved: ResolvedProfile, project: Path
) -> Iterator[Finding]:
    """What a driver's own code fails in is a finding, and the other checks go on."""
    try:
        yield from look(resolved, project)
    except DriverUnusable as error:
        yield failed("driver", f"{error.problem}: {error.cause}", *error.remedies)


def _tables(resolved: ResolvedProfile, _: Path) -> Iterator[Finding]:
    """Installed drivers that have a table in `pyproject.toml`, and are broken."""
    from clusterlib.drivers.external import installed
    from clusterlib.drivers.registry import kind_of
    from clusterlib.drivers.shipped import SHIPPED

    unknown = resolved.merged.tree.keys() - resolved.values.tables().keys() - SHIPPED.keys()
    for name in sorted(unknown & installed().keys()) if unknown else ():
        try:
            kind_of(name)
        except DriverUnusable as error:
            why = f"[{name}] is ignored: {error.problem}: {error.cause}"
            yield warning(f"driver {name}", why, *error.remedies)


def _network(resolved: ResolvedProfile, _: Path) -> Iterator[Finding]:
    values = resolved.values
    count = values.nodes.count
    addresses = [LOOPBACK]
    if values.network.mode is AddressMode.PER_NODE:
        addresses += ["127.64.0.1", "127.127.255.254"]
    loopback = preflight.check_loopback(try_loopback, addresses)
    yield loopback
    if values.network.mode is AddressMode.SHARED:
        hosts = [
            host_of(values.nodes.host, index, name=name_of(values.nodes.name, index), address=LOOPBACK)
            for index in range(1, count + 1)
        ]
        yield preflight.check_hosts(hosts, _resolve)
    needed = count if values.network.mode is AddressMode.SHARED else 1
    ranges = {purpose: (ports.first, ports.last) for purpose, ports in values.ports.items()}
    for purpose, (first, last) in ranges.items():
        if loopback.outcome is CheckOutcome.FAILED:
            yield skipped(f"ports for {purpose}", "not looked at: no port can be used while loopback fails")
        else:
            yield preflight.check_ports(purpose, first, last, needed, _port_holder())
    ephemeral = resolved.machine.ephemeral
    yield preflight.check_ephemeral(ranges, (ephemeral.first, ephemeral.last))


def _programs(resolved: ResolvedProfile, project: Path) -> Iterator[Finding]:
    found, missing = find_programs(resolved, project)
    for name, path in found.items():
        yield ok(f"program {name}", str(path))
    for name in missing:
        yield failed(f"program {name}", "not on this machine", *missing_remedies(resolved, [name]))
    user = resolved.traits.user
    if user is not None and os.geteuid() == 0:
        yield preflight.check_user(user)
    yield from resolved.kind.preflight(resolved, project, found)


def _resources(resolved: ResolvedProfile, project: Path) -> Iterator[Finding]:
    values = resolved.values
    nodes = values.nodes
    yield preflight.check_memory(
        resolved.machine.memory,
        nodes.count,
        expected_before(resolved, project),
        simulated=values.simulate,
        monitored=values.monitor.interval > 0,
    )
    yield preflight.check_disk(shutil.disk_usage(project).free, nodes.count, project)
    yield preflight.check_descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0], nodes.count)
    yield preflight.check_processes(resource.getrlimit(resource.RLIMIT_NPROC)[0], nodes.count)


def _resolve(host: str) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def _port_holder(most_named: int = 3) -> Callable[[int], str | None]:
    """Which process uses a port. Binding finds free ports quickly. Looking up a holder is slow, so
    only a few are looked up."""
    named = 0

    def holder(port: int) -> str | None:
        nonlocal named
        if is_free(LOOPBACK, port):
            return None
        named += 1
        known = holders.of_port(LOOPBACK, port) if named <= most_named else None
        return known or holders.UNKNOWN.what

    return holder
