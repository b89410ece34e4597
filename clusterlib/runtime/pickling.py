"""Converts arguments, functions, results and exceptions to bytes and back.

Large payloads are written and read in pieces through Python functions, so that the interpreter runs
other threads in between, among them the one with the heartbeats, and large bytes objects are not
copied."""

from __future__ import annotations

import pickle
import sys
import threading
import traceback
from types import ModuleType
from typing import Any

from clusterlib.errors import ClusterError, RemoteError
from clusterlib.runtime.sent_code import pickler
from clusterlib.runtime.wire import LARGE, Buffer, size_in_words

__all__ = [
    "RemoteTraceback",
    "TooLarge",
    "Unpicklable",
    "dump",
    "dump_error",
    "dump_refusal",
    "load",
    "raise_from_remote",
]

PROTOCOL = 5
LARGEST_ERROR = 16 << 20
LONGEST_TEXT = 1 << 20

_by_value = (
    threading.Lock()
)  # cloudpickle's list of modules that are pickled by value is global to the process


class TooLarge(Exception):
    """A payload beyond the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the payload is larger than the limit of {size_in_words(limit)}")


class Unpicklable(Exception):
    """An object that cannot be pickled."""


class RemoteTraceback(Exception):
    """The cause of an exception that came from a node.

    It shows where the exception was raised there."""

    def __init__(self, node: str, text: str) -> None:
        super().__init__(node, text)
        self.node = node
        self.text = text

    def __str__(self) -> str:
        return f'on {self.node}:\n"""\n{self.text}"""'


class _Parts:
    """A file for a pickler, which keeps the pieces without joining them."""

    __slots__ = ("limit", "parts", "size")

    def __init__(self, limit: int) -> None:
        self.parts: list[Buffer] = []
        self.size = 0
        self.limit = limit

    def write(self, data: Buffer) -> int:
        view = data if isinstance(data, bytes) else memoryview(data).cast("B")
        self.size += len(view)
        if self.size > self.limit:
            raise TooLarge(self.limit)
        self.parts.append(view)
        return len(view)


class _PickleReader:
    """A file for an unpickler, over a buffer."""

    __slots__ = ("_position", "_view")

    def __init__(self, data: Buffer) -> None:
        self._view = memoryview(data)
        self._position = 0

    def read(self, count: int = -1) -> bytes:
        end = len(self._view) if count < 0 else self._position + count
        data = bytes(self._view[self._position : end])
        self._position += len(data)
        return data

    def readinto(self, target: Any) -> int:
        room = memoryview(target).cast("B")
        data = self._view[self._position : self._position + len(room)]
        for start in range(0, len(data), LARGE):  # other threads may run between two pieces
            room[start : start + LARGE] = data[start : start + LARGE]
        self._position += len(data)
        return len(data)

    def readline(self) -> bytes:
        end = self._position
        while end < len(self._view) and self._view[end] != 0x0A:
            end += 1
        return self.read(end + 1 - self._position)


def dump(thing: object, limit: int, *, by_value: set[str] | None = None) -> list[Buffer]:
    """Pickles `thing`: plainly if that works, else with cloudpickle.

    `by_value` are modules that the reader does not have: their functions and classes are sent as
    code. With None, plain pickling is tried first; with a set, even an empty one, cloudpickle is
    used."""
    if by_value is None:
        parts = _Parts(limit)
        try:
            pickle.Pickler(parts, PROTOCOL).dump(thing)
            return parts.parts
        except TooLarge:
            raise
        except Exception:  # noqa: BLE001  whatever plain pickle cannot do, cloudpickle may; its answer is the one that counts
            by_value = set()
    return _dump_code(thing, limit, by_value)


def _dump_code(thing: object, limit: int, by_value: set[str]) -> list[Buffer]:
    import cloudpickle

    parts = _Parts(limit)
    with _by_value:
        registered: list[ModuleType] = []
        try:
            for name in by_value - cloudpickle.list_registry_pickle_by_value():
                module = sys.modules.get(name)
                if module is not None:
                    cloudpickle.register_pickle_by_value(module)
                    registered.append(module)
            pickler()(parts, PROTOCOL).dump(thing)
        except TooLarge:
            raise
        except Exception as error:
            raise Unpicklable(f"{type(error).__name__}: {error}") from error
        finally:
            for module in registered:
                cloudpickle.unregister_pickle_by_value(module)
    return parts.parts


def load(data: Buffer) -> Any:
    """Unpickles an object. Raises any exception that its pickle raises."""
    if len(data) < LARGE:
        return pickle.loads(data)  # noqa: S301  only from peers that proved the cookie
    return pickle.Unpickler(_PickleReader(data)).load()  # noqa: S301  the same


def dump_error(error: BaseException, limit: int, skip: int) -> list[Buffer]:
    """Dumps an exception: its type and message, its traceback as text, and the exception itself if
    it can be pickled.

    `skip` frames at the top of the traceback belong to the runtime, not to the user."""
    trace = error.__traceback__
    for _ in range(skip):
        if trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  a broken __str__ must not hide the error
        message = "(its message cannot be shown)"
    whole: bytes | None = None
    if isinstance(error, Exception):  # SystemExit and the like must not end the caller's program
        limit = min(limit, LARGEST_ERROR)
        whole = _survives(error, error, limit) or _survives(_Bare(error), error, limit)
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return [pickle.dumps((name, _clipped(message), _clipped(text), whole), PROTOCOL)]


class _Bare:
    """Pickles as an exception that is recreated without its `__init__`, whose arguments are not
    known."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __reduce__(self) -> tuple[Any, ...]:
        error = self._error
        return _made_again, (type(error), error.args, error.__dict__)


def _made_again(kind: type[Exception], arguments: tuple[Any, ...], facts: dict[str, Any]) -> Exception:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(facts)
    return error


def _survives(thing: object, error: Exception, limit: int) -> bytes | None:
    """The pickle of `thing` if it loads as the same class and message as `error`; else None."""
    try:
        pickled = b"".join(dump(thing, limit))
        again = load(pickled)
        return pickled if type(again) is type(error) and str(again) == str(error) else None
    except Exception:  # noqa: BLE001  an exception that does not survive the journey is reported by its parts
        return None


def _clipped(text: str) -> str:
    """The beginning and the end of a very long text."""
    half = LONGEST_TEXT // 2
    return text if len(text) <= LONGEST_TEXT else f"{text[:half]}\n...\n{text[-half:]}"


def dump_refusal(error: ClusterError) -> list[Buffer]:
    """An error of the runtime itself. Its message is complete, so it has no traceback."""
    return [pickle.dumps((type(error).__name__, str(error), None, pickle.dumps(error, PROTOCOL)), PROTOCOL)]


def raise_from_remote(data: Buffer, node: str) -> Any:
    """Raises at the caller the exception that was raised on the node."""
    name, message, text, whole = load(data)
    error: BaseException | None = None
    if whole is not None:
        try:
            error = load(whole)
        except Exception:  # noqa: BLE001  its class does not exist here: reported by its parts below
            error = None
    if isinstance(error, Exception):
        if text is not None:
            error.__cause__ = RemoteTraceback(node, text)
        raise error
    raise RemoteError(
        f"{node}: {name}: {message}", cause="it was raised on the node", evidence=(text or "").splitlines()
    )
