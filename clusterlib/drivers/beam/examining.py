"""Asks an Erlang node about its health.

Each question has a limit, so a node that hangs delays nothing here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from clusterlib.drivers.beam import health
from clusterlib.drivers.beam.aio import AsyncConnection
from clusterlib.drivers.beam.session import HELPER
from clusterlib.drivers.beam.terms import Atom
from clusterlib.errors import ClusterError
from clusterlib.frozen import frozen
from clusterlib.messages.findings import Finding, failed, ok, skipped
from clusterlib.remedies import do

__all__ = ["ANSWERS", "Patient", "examine"]

ANSWERS: Final = 3
"""Questions that wait for one another: the round trip, twice, and all others at the same time."""
ECHO: Final = (Atom("tea"), [1, 2.5, b"tea", {Atom("count"): 2**70}])
ITSELF: Final = ("kernel",)
"""Its servers are asked if the profile starts no applications."""


@frozen
class Patient:
    """A ready node, and the nodes that it should know."""

    name: str
    node: str
    cookie: str
    port: int | None
    """The port at which it is registered now."""
    connection: AsyncConnection
    applications: Sequence[str]
    complaint: str | None
    ready: frozenset[str]
    """All ready nodes, including itself."""
    seconds: float
    """For each answer."""
    neighbour: tuple[str, str] | None
    """Name and node of the one that it should reach; all of them form a ring, so that each is
    reached by one."""


async def examine(patient: Patient) -> Mapping[str, Finding]:
    """Takes at most the time of `ANSWERS` answers, for any state of the node."""
    try:
        seconds = await _round_trip(patient)
    except ClusterError as error:
        return health.unreachable(error.problem, patient.name)
    found = {
        "ping": ok("ping", f"{seconds * 1000:.2f} ms"),
        "log": health.log(patient.complaint, patient.name),
    }
    questions: list[tuple[str, Callable[[Patient], Awaitable[Mapping[str, Finding]]]]] = [
        ("rpc", _rpc),
        ("cookie", _cookie),
        ("applications", _look),
        ("serving", _serving),
        ("operations", _operations),
        ("reach", _reach),
    ]
    for answer in await asyncio.gather(*(_asked(name, ask, patient) for name, ask in questions)):
        found |= answer
    return {column: found.get(column) or skipped(column, "no answer") for _, column in health.COLUMNS}


async def _asked(
    name: str, ask: Callable[[Patient], Awaitable[Mapping[str, Finding]]], patient: Patient
) -> Mapping[str, Finding]:
    try:
        return await ask(patient)
    except ClusterError as error:
        return {name: failed(name, error.problem, do("cluster.logs", patient.name))}


async def _call(patient: Patient, module: str, function: str, *args: Any) -> Any:
    return await patient.connection.call(Atom(module), Atom(function), list(args), timeout=patient.seconds)


async def _round_trip(patient: Patient) -> float:
    await _call(patient, "erlang", "node")  # may send the helper first
    began = time.monotonic()
    await _call(patient, "erlang", "node")
    return time.monotonic() - began


async def _rpc(patient: Patient) -> Mapping[str, Finding]:
    return {"rpc": health.rpc(await _call(patient, "lists", "sum", [40, 2]), patient.name)}


async def _cookie(patient: Patient) -> Mapping[str, Finding]:
    """Makes another handshake: the cookie may have been changed since the first one."""
    refused = None
    try:
        another = await AsyncConnection.open(
            patient.node, patient.cookie, patient.port or 0, timeout=patient.seconds
        )
        another.close()
    except ClusterError as error:
        refused = error.problem
    return {"cookie": health.cookie(refused, patient.name)}


async def _look(patient: Patient) -> Mapping[str, Finding]:
    answer = await _call(patient, HELPER.name, "look")
    seen = frozenset(str(node).partition("@")[0] for node in answer[Atom("nodes")]) | {patient.name}
    return {
        **health.look(answer, patient.applications, patient.name),
        "formed": health.formed(seen, patient.ready),
    }


async def _serving(patient: Patient) -> Mapping[str, Finding]:
    names = [
        name.encode() for name in patient.applications or ITSELF
    ]  # a supervisor is asked twice, a server once
    silent = await _call(patient, HELPER.name, "silent", names, int(patient.seconds * 1000 / 3))
    return {"serving": health.serving([one.decode() for one in silent], patient.name)}


async def _operations(patient: Patient) -> Mapping[str, Finding]:
    doer, came_back = await _call(patient, HELPER.name, "echo", ECHO)
    return {"operations": health.operations(str(doer), came_back == ECHO, patient.node)}


async def _reach(patient: Patient) -> Mapping[str, Finding]:
    if patient.neighbour is None:
        return {"reach": skipped("reach", "no other node is ready")}
    name, node = patient.neighbour
    try:
        taken = await _call(patient, HELPER.name, "reach", Atom(node), int(patient.seconds * 1000 / 2))
    except ClusterError as error:
        return {"reach": health.reach(name, None, error.problem, patient.name)}
    return {"reach": health.reach(name, taken / 1e6, "", patient.name)}
