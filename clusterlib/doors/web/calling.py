"""How an operation is carried out for a client of the server."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from clusterlib.client.caller import acting_for
from clusterlib.doors.documents import single_document
from clusterlib.doors.web.given import GivenArguments, arguments_of
from clusterlib.doors.web.routes import NAME, FoundRoute
from clusterlib.errors import ClusterError, OperationBroken
from clusterlib.frozen import frozen
from clusterlib.importing import frames_of_authors
from clusterlib.messages.effects import Effect
from clusterlib.operations.catalogue import load
from clusterlib.operations.declaring import Caller
from clusterlib.operations.held import HeldConnections, held_in
from clusterlib.operations.listing import ListedOperation
from clusterlib.operations.permitting import Permissions
from clusterlib.remedies import do

__all__ = ["CalledOperation", "ClientCaller", "OperationCalls"]

MOST_AT_ONCE = 32
"""Operations that run at the same time. Others wait for their turn."""


class ClientCaller(Caller):
    """Keeps what is said before the end, for the answer."""

    def __init__(self, project: Path) -> None:
        super().__init__(project)
        self.notes: list[str] = []

    @property
    def structured(self) -> bool:
        return True

    def note(self, text: str) -> None:
        self.notes.append(text)


@frozen
class CalledOperation:
    document: Any
    notes: tuple[str, ...]


class OperationCalls:
    def __init__(self, project: Path, *, allow_execute: bool) -> None:
        self._project = project
        effects = [one for one in Effect if allow_execute or one is not Effect.EXECUTE]
        self._permissions = Permissions.also(effects)
        self._held = HeldConnections()
        self.threads = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="operation")

    def carry_out(self, found: FoundRoute, given: GivenArguments, client: str) -> CalledOperation:
        """In a thread. Raises errors as a person may see them: without secrets."""
        listed = found.route.operation
        self._permissions.check(listed, _how_to_allow)
        name = found.cluster
        caller = ClientCaller(self._project)
        try:
            operation = load(listed)
            said, words = arguments_of(given, found)
            if said.typed:
                values = operation.accept(said.values)
            else:
                values = operation.read(said.values, lambda parameter: parameter.name)
            self._permissions.check_values(listed, values, _how_to_allow)
            name = values.pop(NAME, None) if operation.takes_cluster else values.get(NAME)
            with acting_for(client), self._connections(listed):
                result = operation.called_by(caller, name, (), values, words)
            return CalledOperation(single_document(result, listed.full_name), tuple(caller.notes))
        except ClusterError as error:
            raise self._shown(error, name) from error
        except (Exception, SystemExit) as error:
            raise self._shown(_broken(listed.full_name, error), name) from error

    def _shown(self, error: ClusterError, name: str | None) -> ClusterError:
        from clusterlib.operations.showing import shown  # only where something goes wrong

        return shown(error, name, project=self._project)

    def _connections(self, listed: ListedOperation) -> AbstractContextManager[None]:
        return held_in(self._held) if listed.effect is Effect.READ else nullcontext()

    @staticmethod
    def answer_schema(listed: ListedOperation) -> Mapping[str, Any]:
        """Of any value, for an operation that cannot be imported."""
        from clusterlib.operations.describe import result_schema

        try:
            return result_schema(listed)
        except OperationBroken:
            return {}


def _how_to_allow(_: Effect) -> str:
    """All others are allowed."""
    return do("cluster.serve", allow_execute=True)


def _broken(name: str, error: BaseException) -> ClusterError:
    return OperationBroken(
        f"{name} has failed: {type(error).__name__}: {error}",
        cause="an operation raised what is no error of clusterlib",
        evidence=[f"{one.filename}:{one.lineno}: {one.line}" for one in frames_of_authors(error)[-3:]],
    )
