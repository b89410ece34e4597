"""What tools answer: bounded, and without secrets."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlib.doors.documents import as_json
from clusterlib.doors.wording import Wording
from clusterlib.errors import ClusterError, NotSupported
from clusterlib.frozen import frozen
from clusterlib.importing import frames_of_authors
from clusterlib.operations.showing import shown, shown_value

__all__ = ["Bounded", "bounded", "broken", "refused", "said"]

Document = Mapping[str, Any]
MOST_BYTES = 64 << 10
"""Of an answer, as JSON. Assistants have little room, and refuse what is much larger."""
MOST_CUTS = 100
MOST_FIELDS = 64
"""An object with more fields than this is a list with names, and no record."""


def said(text: str) -> Document:
    return {"type": "text", "text": text}


def refused(error: ClusterError, wording: Wording, name: str | None, project: Path | None) -> Document:
    """An error as the answer of a tool."""
    clean = shown(error, name, project=project)
    lines = [f"{clean.problem} [{clean.code}]"]
    lines += [f"cause: {clean.cause}"] if clean.cause else []
    lines += [f"| {line}" for text in clean.evidence for line in text.splitlines() or [""]]
    lines += [f"try: {wording(remedy)}" for remedy in clean.remedies]
    error_fields = {
        "code": clean.code,
        "problem": clean.problem,
        "cause": clean.cause,
        "evidence": list(clean.evidence),
        "remedies": [wording(remedy) for remedy in clean.remedies],
    }
    return {"content": [said("\n".join(lines))], "isError": True, "_meta": {"clusterlib/error": error_fields}}


def broken(error: BaseException, what: str, project: Path | None) -> Document:
    """An exception that is a mistake in the code of an operation."""
    shown_frames = frames_of_authors(error) or traceback.extract_tb(error.__traceback__)[-3:]
    frames = [f"| {one.filename}:{one.lineno}: {one.line}" for one in shown_frames]
    text = "\n".join([f"{what} failed: {type(error).__name__}: {error}", *frames])
    return {"content": [said(shown_value(text, None, project=project))], "isError": True}


@frozen
class Bounded:
    document: Document
    left_out: tuple[str, ...]
    """What is not in it, in words."""


def bounded(document: Document, most: int = MOST_BYTES) -> Bounded:
    """The document, with less in its longest lists and texts if it is too large."""
    if len(as_json(document)) <= most:
        return Bounded(document, ())
    held = _copied(document)
    cuts: dict[str, str] = {}
    for _ in range(MOST_CUTS):
        excess = len(as_json(held)) - most
        if excess <= 0:
            return Bounded(held, tuple(cuts.values()))
        if place := _largest(held):
            _cut(held, place, excess, cuts)
    raise NotSupported(
        f"the answer is too large: more than {most} bytes, and not in lists or texts that could be cut"
    )


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list | tuple) else value


def _largest(document: Any) -> list[str | int]:
    """The way to the list or the text that makes it large: through a list only to an entry that is
    half of the whole or more."""
    half = len(as_json(document)) / 2
    place: list[str | int] = []
    best: list[str | int] = []
    here = document
    while entries := _entries(here):
        key, value = max(entries, key=lambda entry: len(as_json(entry[1])))
        if _is_list(here) and len(here) > 1 and len(as_json(value)) < half:
            break
        place.append(key)
        here = value
        if isinstance(value, str) or _is_list(value):
            best = list(place)
    return best


def _is_list(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and len(value) > MOST_FIELDS)


def _entries(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _cut(document: Any, place: list[str | int], excess: int, cuts: dict[str, str]) -> None:
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    value, name = holder[place[-1]], ".".join(map(str, place))
    if isinstance(value, str):
        holder[place[-1]] = value[: max(0, len(value) - excess)]
        cuts[name] = f"the end of {name}"
        return
    items = list(value.items()) if isinstance(value, dict) else value
    kept, kind = _fewer(items, excess)
    before = cuts.get(name, "").partition(" ")[0]
    count = len(items) - len(kept) + (int(before) if before.isdigit() else 0)
    holder[place[-1]] = dict(kept) if isinstance(value, dict) else kept
    cuts[name] = f"{count} {kind} of {name}"


def _fewer(items: list[Any], excess: int) -> tuple[list[Any], str]:
    """Of what has a time, the newest is kept; of all else, the first."""
    has_times = isinstance(items[0], Mapping) and "time" in items[0]
    order = items if has_times else items[::-1]
    count, freed = 0, 0
    while count < len(order) and freed < excess:
        freed += len(as_json(order[count])) + 2
        count += 1
    return (items[count:], "older") if has_times else (items[: len(items) - count], "more")
