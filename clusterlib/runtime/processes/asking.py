"""What clients ask a node about its processes, and what they have it do with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clusterlib.errors import ProcessGone, UsageError
from clusterlib.messages.codec import plain
from clusterlib.messages.processes import ProcessOrder
from clusterlib.runtime.processes import looking
from clusterlib.runtime.processes.here import Processes
from clusterlib.runtime.processes.members import LiveProcess
from clusterlib.runtime.processes.service import ProcessService
from clusterlib.runtime.processes.specification import child

__all__ = ["act", "look"]


def look(service: ProcessService, question: Any) -> object:
    """Answers on the loop, even if all threads of the node are busy."""
    verb, arguments = _read(question, LOOKS)
    return LOOKS[verb](service, **arguments)


def act(processes: Processes, order: Any) -> object:
    """Runs in a worker thread, because it waits for what it has ordered."""
    verb, arguments = _read(order, ACTS)
    return ACTS[verb](processes, **arguments)


def _read(question: Any, known: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    try:
        verb, arguments = question
        known[verb]
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"processes cannot be asked for {question!r}", remedies=[", ".join(sorted(known))]
        ) from error
    return verb, dict(arguments)


# -- looking --------------------------------------------------------------------------------------


def _busiest(service: ProcessService, order: str, limit: int, matching: str | None) -> object:
    lag = service.lag.most
    return plain(looking.busiest(service.node, service.table, ProcessOrder(order), limit, matching, lag))


def _detail(service: ProcessService, target: str) -> object:
    return plain(looking.detail(service.node, service.table, _here(service, target)))


def _tree(service: ProcessService) -> object:
    return plain(looking.tree(service.node, service.table))


def _names(service: ProcessService) -> object:
    return {name: str(process) for name, process in service.registry.names()}


def _where(service: ProcessService, target: str) -> object:
    """The id of the process, and its node."""
    process = service.resolve(target)
    return str(process), process.node


def _suspend(service: ProcessService, target: str) -> object:
    process = _here(service, target)
    service.table.suspend(process)
    return str(process.id)


def _resume(service: ProcessService, target: str) -> object:
    process = _here(service, target)
    service.table.resume(process)
    return str(process.id)


def _here(service: ProcessService, target: str) -> LiveProcess:
    process = service.resolve(target)
    if process.node != service.node:
        raise ProcessGone(f"{process} is not on {service.node}, but on {process.node}")
    return service.table.process(process)


LOOKS: dict[str, Callable[..., object]] = {
    "list": _busiest,
    "detail": _detail,
    "tree": _tree,
    "names": _names,
    "where": _where,
    "suspend": _suspend,
    "resume": _resume,
}


# -- acting ---------------------------------------------------------------------------------------


def _spawn(
    processes: Processes,
    target: str,
    args: tuple[Any, ...],
    name: str | None,
    prefer: str | None,
    node: str | None,
    under: str | None,
    restart: str,
) -> object:
    wanted = child(target, *args, name=name, restart=restart)
    return str(processes.start(wanted, under=under, prefer=prefer, node=node))


def _kill(processes: Processes, target: str, reason: str) -> object:
    processes.kill(target, reason)
    return target


def _send(processes: Processes, target: str, message: Any) -> object:
    processes.send(target, message)
    return target


def _terminate(processes: Processes, target: str) -> object:
    processes.terminate(target)
    return target


def _restart(processes: Processes, target: str) -> object:
    return str(processes.restart(target))


ACTS: dict[str, Callable[..., object]] = {
    "spawn": _spawn,
    "kill": _kill,
    "send": _send,
    "terminate": _terminate,
    "restart": _restart,
}
