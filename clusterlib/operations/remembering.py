"""What was read from the files of a project's operations, for the next process.

It is kept in `.clusterlib/operations.json`, if that folder exists."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.messages.effects import Effect
from clusterlib.operations.listing import ListedOperation, ListedParameter, SourceTrouble
from clusterlib.operations.scopes import Scope

__all__ = ["FileListing", "Memory", "listed_from", "listed_to"]


@frozen
class FileListing:
    """What a file declares."""

    operations: tuple[ListedOperation, ...]
    troubles: tuple[SourceTrouble, ...]


class Memory:
    def __init__(self, project: Path) -> None:
        self._file = project / ".clusterlib" / "operations.json"
        self._saved: dict[str, Any] | None = None
        self._now: dict[str, Any] = {}

    def entry(self, file: Path, state: list[int], text: str) -> FileListing:
        """Reads the text when it is first needed."""
        import zlib

        if self._saved is None:
            self._saved = self._read()
        mark = [*state, zlib.crc32(text.encode())]
        saved = self._saved.get(str(file))
        if saved is None or saved["state"] != mark:
            saved = _listed(file, mark, text)
        self._now[str(file)] = saved
        return _revived(saved)

    def forget(self, file: Path) -> None:
        self._now.pop(str(file), None)

    def write(self) -> None:
        if self._now == self._saved or not self._file.parent.is_dir():
            return  # a look at the help makes no folder in a project
        from clusterlib.hosts.places import write_private

        with contextlib.suppress(OSError):
            write_private(self._file, json.dumps({"reader": _reader(), "files": self._now}))
        self._saved = dict(self._now)

    def _read(self) -> dict[str, Any]:
        """Nothing if the file is damaged, or was written by other code."""
        try:
            read = json.loads(self._file.read_text("utf-8"))
            files = dict(read["files"]) if read["reader"] == _reader() else {}
            for entry in files.values():
                if not isinstance(entry["state"], list):
                    return {}
                _revived(entry)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        return files


def _listed(file: Path, mark: list[int], text: str) -> dict[str, Any]:
    from clusterlib.operations.listing import listed_in

    listed, wrong = listed_in(text, str(file), str(file))
    return {
        "state": mark,
        "operations": [listed_to(one) for one in listed],
        "troubles": [[one.file, one.line, one.problem] for one in wrong],
    }


def _revived(entry: Mapping[str, Any]) -> FileListing:
    return FileListing(
        tuple(map(listed_from, entry["operations"])), tuple(SourceTrouble(*one) for one in entry["troubles"])
    )


def _reader() -> list[int]:
    """Which code has read the files, because another version may read them differently."""
    room = Path(__file__).parent
    return [(room / name).stat().st_mtime_ns for name in ("listing.py", "parameters.py")]


# -- as data


def listed_to(one: ListedOperation) -> dict[str, Any]:
    from clusterlib.messages.codec import plain

    return dict(plain(one))


def listed_from(data: Mapping[str, Any]) -> ListedOperation:
    """Faster than the codec, which inspects types. Every command waits for this."""
    parameters = tuple(ListedParameter(**one) for one in data["parameters"])
    effect, scope = Effect(data["effect"]), Scope(data["scope"])
    made = {"parameters": parameters, "effect": effect, "scope": scope, "serves": tuple(data["serves"])}
    return ListedOperation(**{**data, **made})
