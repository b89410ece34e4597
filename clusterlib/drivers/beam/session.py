"""The messages on a connection to a node after the handshake. Nothing here reads or writes."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from typing import Any, Final

from clusterlib.drivers.beam.errors import ErlangError, TermError
from clusterlib.drivers.beam.etf import Part, decode, decode_at, decode_from, encode, encode_parts
from clusterlib.drivers.beam.handshake import Peer
from clusterlib.drivers.beam.terms import Atom, Pid, Ref, show, text
from clusterlib.errors import NodeUnavailable
from clusterlib.frozen import frozen

__all__ = [
    "HELPER",
    "LARGEST_FRAME",
    "TICK",
    "Frames",
    "NodeMessage",
    "Reply",
    "Session",
    "called",
    "helped",
    "raised",
]

LARGEST_FRAME: Final = 2**29
TICK: Final = bytes(4)
"""An empty frame: sent by a node that had nothing else to send, and answered with the same."""
HELPER: Final = Atom("clusterlib_node")
PASS_THROUGH: Final = 112
SEND, SEND_SENDER, REG_SEND = 2, 22, 6
REPLY_HEAD: Final = b"\x83h\x02"
SHOWN_FRAMES: Final = 12
SHOWN: Final = 300
HIDDEN_FIELDS: Final = (Atom("__struct__"), Atom("__exception__"))

Name = str | Atom


class Frames:
    """Splits what arrives into frames, each with its length in four bytes before it."""

    def __init__(self, largest: int = LARGEST_FRAME) -> None:
        self._buffer = b""
        self._large: list[bytes] = []
        self._missing = 0
        self._largest = largest

    @property
    def missing(self) -> int:
        """How many bytes of a large frame are still missing."""
        return self._missing

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete now; an empty one is a tick."""
        if self._missing > len(data):
            self._large.append(data)
            self._missing -= len(data)
            return []
        if self._missing:
            data = b"".join((*self._large, data))
            self._large, self._missing = [], 0
        elif self._buffer:
            data = self._buffer + data
        frames: list[bytes] = []
        start, total = 0, len(data)
        while total - start >= 4:
            size = int.from_bytes(data[start : start + 4])
            if size > self._largest:
                raise NodeUnavailable(
                    f"a node sent a message of {size} bytes, more than the {self._largest} allowed"
                )
            if total - start - 4 < size:
                break
            frames.append(data[start + 4 : start + 4 + size])
            start += 4 + size
        self._buffer = data[start:]
        if len(self._buffer) >= 4:
            self._missing = 4 + int.from_bytes(self._buffer[:4]) - len(self._buffer)
            self._large, self._buffer = [self._buffer], b""
        return frames


@frozen
class Reply:
    """An answer as it arrived.

    The waiting caller decodes it, so a large one delays no other caller."""

    number: int
    frame: bytes
    start: int

    def read(self) -> Any:
        return decode_from(self.frame, self.start)[0][1]


@frozen
class NodeMessage:
    """A message that is not an answer, such as the news of a node that has left."""

    term: Any


class Session:
    """Our side of one connection: our name on the node, and the form of calls and answers."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._node = Atom(peer.our_name)
        self.pid = Pid(self._node, 1, 0, peer.our_creation)
        """The pid for messages to us."""
        self._numbers = itertools.count(1)
        self._control = bytes((PASS_THROUGH,)) + encode((REG_SEND, self.pid, Atom(""), Atom("rex")))

    def call(self, module: Atom, function: Atom, args: Sequence[Any]) -> tuple[int, list[Part]]:
        """A call as bytes to send, and the number of its reply."""
        number = next(self._numbers)
        ref = Ref(self._node, (number & 0x3FFFF, number >> 18, 0), self.peer.our_creation)
        request = (Atom("call"), module, function, list(args), Atom("user"))
        parts = encode_parts((Atom("$gen_call"), (self.pid, ref), request))
        size = len(self._control) + sum(map(len, parts))
        if size > LARGEST_FRAME:
            raise TermError(f"a call of {size} bytes is more than the {LARGEST_FRAME} a message may have")
        head = struct.pack(">I", size) + self._control
        return number, ([head + parts[0]] if len(parts) == 1 else [head, *parts])

    def sort(self, frame: bytes) -> Reply | NodeMessage | None:
        """The content of a frame; None for what does not concern us, such as the monitors and links
        of others."""
        if not frame or frame[0] != PASS_THROUGH:
            return None
        control, start = decode_from(frame, 1)
        match control:
            case (int(kind), *_) if kind in {SEND, SEND_SENDER} and start < len(frame):
                pass
            case _:
                return None
        if frame.startswith(REPLY_HEAD, start):
            first, _ = decode_at(frame, start + 3)
            if isinstance(first, Ref) and first.node == self._node and len(first.ids) >= 2:
                return Reply(first.ids[0] | first.ids[1] << 18, frame, start)
        try:
            return NodeMessage(decode(frame[start:]))
        except TermError:
            return None  # not requested, and not readable


def helped(module: Name, function: Name, args: Sequence[Any]) -> tuple[Atom, Atom, list[Any]]:
    """A call through the helper, which resolves text to names only if such code exists, and reports
    errors completely."""
    return HELPER, Atom("call"), [module, function, list(args)]


def called(answer: Any, what: str) -> Any:
    """The result of a call through the helper: its value, or its error."""
    match answer:
        case (Atom("ok"), value):
            return value
        case (Atom() as kind, reason, list() as stack):
            raise _exception(what, kind.name, reason, stack)
    return raised(answer, what)


def raised(answer: Any, what: str) -> Any:
    """The same for a call without the helper.

    A function that itself returns {badrpc, _} looks like one that failed."""
    match answer:
        case (Atom("badrpc"), (Atom("EXIT"), reason)):
            match reason:
                case (inner, [(_, _, _, _), *_] as stack):
                    raise _exception(what, "error", inner, stack)
            raise _exception(what, "exit", reason, [])
        case (Atom("badrpc"), reason):
            raise _exception(what, "exit", reason, [])
    return answer


def _exception(what: str, kind: str, reason: Any, stack: list[Any]) -> ErlangError:
    shown = _reason(reason)
    if len(shown) > SHOWN:
        shown = f"{shown[: SHOWN - 3]}..."
    return ErlangError(
        f"{what} ended with {kind}:{shown}",
        kind=kind,
        reason=reason,
        stack=tuple(stack),
        evidence=[_frame_line(frame) for frame in stack[:SHOWN_FRAMES]],
    )


def _reason(reason: Any) -> str:
    """As Erlang writes it, or as Elixir does if it is one of its exceptions."""
    if isinstance(reason, dict) and isinstance(struct_ := reason.get(Atom("__struct__")), Atom):
        name = struct_.name.removeprefix("Elixir.")
        message = reason.get(Atom("message"))
        rest = {key: value for key, value in reason.items() if key not in HIDDEN_FIELDS}
        return f"({name}) {text(message) if isinstance(message, bytes) else show(rest)}"
    return show(reason)


def _frame_line(frame: Any) -> str:
    match frame:
        case (module, function, arguments, list() as location):
            arity = arguments if isinstance(arguments, int) else len(arguments)
            where = dict(pair for pair in location if isinstance(pair, tuple) and len(pair) == 2)
            file, line = where.get(Atom("file")), where.get(Atom("line"))
            place = f" ({text(file)}:{line})" if file is not None else ""
            return f"{_written(module)}:{_written(function)}/{arity}{place}"
    return show(frame)


def _written(name: Any) -> str:
    return repr(name) if isinstance(name, Atom) else text(name)
