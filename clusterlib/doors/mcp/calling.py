"""A call of a tool, from the arguments to the answer. It runs in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlib.client.caller import acting_for
from clusterlib.doors.documents import as_json, single_document, worded
from clusterlib.doors.mcp.answers import bounded, broken, refused, said
from clusterlib.doors.mcp.channel import Channel
from clusterlib.doors.mcp.tools import WRAPPED, is_wrapped, offered
from clusterlib.doors.mcp.wording import ToolWording, how_to_allow
from clusterlib.errors import ClusterError, UsageError
from clusterlib.frozen import frozen
from clusterlib.hosts.essentials import check_essentials
from clusterlib.hosts.forking import captured_output
from clusterlib.messages.event import Event
from clusterlib.operations.catalogue import load
from clusterlib.operations.declaring import Caller
from clusterlib.operations.listing import ListedOperation
from clusterlib.operations.permitting import Permissions
from clusterlib.operations.showing import shown_value

__all__ = ["ToolCall"]

Document = Mapping[str, Any]
MOST_PRINTED = 16 << 10


class ToolCaller(Caller):
    def __init__(self, project: Path | None, channel: Channel) -> None:
        super().__init__(project, on_event=self._happened)
        self._channel = channel

    @property
    def structured(self) -> bool:
        return True

    def note(self, text: str) -> None:
        self._channel.log("notice", text)

    def _happened(self, event: Event) -> None:
        self._channel.progress(event.sentence())


@frozen
class ToolCall:
    name: str
    operation: ListedOperation
    arguments: Document
    project: Path | None
    door: str
    """What the event log names as the caller, before this process."""
    permissions: Permissions
    wording: ToolWording
    structured: bool
    """Whether this version of the protocol knows answers that are data."""

    def answer(self, channel: Channel) -> Document:
        """Errors of the operation are answers, too."""
        with captured_output(MOST_PRINTED) as printed:
            answer = self._answer(channel)
        text = printed().decode(errors="replace")
        if not text.strip():
            return answer
        clean = shown_value(text, self._cluster, project=self.project)
        return {**answer, "content": [*answer["content"], said(f"printed meanwhile:\n{clean}")]}

    @property
    def _cluster(self) -> str | None:
        name = self.arguments.get("name")
        return name if isinstance(name, str) else None

    def _answer(self, channel: Channel) -> Document:
        try:
            return self._shown(self.result(channel))
        except ClusterError as error:
            return refused(error, self.wording, self._cluster, self.project)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - of code of the project, which is no end of the server
            return broken(error, self.name, self.project)

    def result(self, channel: Channel) -> Document:
        """The result as plain data. Raises ClusterError."""
        check_essentials()
        self.permissions.check(self.operation, how_to_allow)
        given, words = self._given()
        operation = load(self.operation)
        values = operation.read(given, lambda parameter: parameter.name)
        self.permissions.check_values(self.operation, values, how_to_allow)
        name = values.pop("name", None) if operation.takes_cluster else values.get("name")
        caller = ToolCaller(self.project, channel)
        with acting_for(self.door):
            result = operation.called_by(caller, name, (), values, words)
        document = single_document(result, self.name)
        return {WRAPPED: document} if is_wrapped(self.operation) else document

    def _given(self) -> tuple[dict[str, object], list[str]]:
        known = {each.name for each in offered(self.operation)}
        given, words = dict(self.arguments), list[str]()
        if self.operation.words:
            said_words = given.pop(self.operation.words, [])
            if not isinstance(said_words, list) or not all(isinstance(one, str) for one in said_words):
                raise UsageError(f"{self.operation.words}: must be a list of texts")
            words = said_words
        if unknown := sorted(given.keys() - known):
            raise UsageError(
                f"{self.name} has no argument {', '.join(unknown)}",
                cause=f"it has {', '.join(sorted(known)) or 'none'}",
            )
        return given, words

    def _shown(self, document: Document) -> Document:
        fitted = bounded(worded(document, self.wording))
        clean = shown_value(fitted.document, self._cluster, project=self.project)
        content = [said(as_json(clean))]
        if fitted.left_out:
            content.append(
                said(f"too long: left out {', '.join(fitted.left_out)}. {self._how_to_ask_for_less()}")
            )
        return {"content": content, **({"structuredContent": clean} if self.structured else {})}

    def _how_to_ask_for_less(self) -> str:
        narrower = [
            each.name
            for each in offered(self.operation)
            if each.takes_value and each.name not in self.arguments
        ]
        return f"Ask for less with: {', '.join(narrower)}." if narrower else ""
