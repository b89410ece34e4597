"""A profile with all values resolved and their origins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from clusterlib.disk.paths import within
from clusterlib.drivers.kind import NodeKind, Traits
from clusterlib.drivers.shipped import SHIPPED
from clusterlib.frozen import frozen
from clusterlib.machine.facts import Machine
from clusterlib.profiles.layers import Merged
from clusterlib.profiles.model import Profile
from clusterlib.profiles.origins import Adaptation, Origin
from clusterlib.profiles.vocabulary import uses_setting
from clusterlib.values.ports import PortRange
from clusterlib.values.sources import ValueSource

__all__ = ["ResolvedProfile", "as_plain", "leaves"]

NOT_THE_CLUSTER = ("description", "tests", "adapt", "monitor", "linger")
"""These may change without making another cluster: one that is monitored more often, or lives
longer, is the same."""


@frozen
class ResolvedProfile:
    """The result of `load_profile`."""

    name: str
    values: Profile
    adaptations: tuple[Adaptation, ...]
    file: str
    """For messages: relative to the project if inside it."""
    project: Path
    chain: tuple[str, ...]
    """The profile and those it extends, itself first."""
    machine: Machine
    kind: NodeKind = field(repr=False, compare=False)
    """The kind of its nodes."""
    merged: Merged = field(repr=False, compare=False)
    before: Merged = field(repr=False, compare=False)
    """The same before adaptation."""

    def origin(self, path: str) -> Origin:
        """Where a value came from: `origin("nodes.count")`.

        Raises KeyError for a name that is not a value of this profile."""
        for name, keys, _ in leaves(self.values):
            if name == path:
                return self._origin(name, keys)
        raise KeyError(path)

    def voice(self, path: str) -> Origin | None:
        """The origin of a value before adaptation, without the line, which takes time to find; None
        for the default."""
        keys = tuple(path.split("."))
        owner = self.before.owners.get(keys)
        return owner.voice(keys) if owner and owner.source != ValueSource.DEFAULT else None

    def origins(self) -> dict[str, Origin]:
        """The origin of every value, in the order of the schema."""
        return {name: self._origin(name, keys) for name, keys, _ in leaves(self.values)}

    def _origin(self, name: str, keys: tuple[str, ...]) -> Origin:
        written = self.before.said(keys)
        for change in self.adaptations:
            if change.field == name:
                return Origin(
                    ValueSource.ADAPTED,
                    written.name,
                    written.file,
                    written.line,
                    change.reason,
                    change.before,
                )
        return written

    def to_json(self) -> dict[str, Any]:
        """Plain data; the same inputs give the same."""
        return {
            "name": self.name,
            "file": self.file,
            "extends": list(self.chain[1:]),
            "fingerprint": self.fingerprint(),
            "values": as_plain(self.values.tables()),
            "origins": {name: origin.to_json() for name, origin in self.origins().items()},
            "adaptations": [change.to_json() for change in self.adaptations],
            "machine": self.machine.to_json(),
        }

    @property
    def traits(self) -> Traits:
        """The meaning of its values for its nodes."""
        return self.kind.traits(self.values)

    def uses(self, table: str, key: str = "") -> bool:
        """Whether a table, or one setting in it, is used by its nodes."""
        return uses_setting(self.kind, table, key)

    def texts(self) -> Iterator[tuple[str, str]]:
        """The texts that are templates themselves, filled in before they are used, each with the
        name of its setting."""
        filled_in = self.kind.filled_in
        for name, (table, *inner), value in leaves(self.values):
            if table in filled_in and ((chosen := filled_in[table]) is None or inner[0] in chosen):
                texts = value if isinstance(value, tuple) else (value,)
                yield from ((name, text) for text in texts if isinstance(text, str) and "{" in text)

    def driver_code(self) -> str:
        """The digest of the modules of a driver from outside; empty for a shipped one."""
        if self.values.driver in SHIPPED:
            return ""
        from clusterlib.drivers.external import digest_of

        return digest_of(self.values.driver, within(self.project, self.values.python.path))

    def fingerprint(self) -> str:
        """Changes if the profile describes another cluster, but not if its description or its tests
        change.

        A driver from outside is part of it: the keeper of a running cluster has loaded it.
        """
        import hashlib
        import json

        parts = {
            key: value for key, value in as_plain(self.values.tables()).items() if key not in NOT_THE_CLUSTER
        }
        if code := self.driver_code():
            parts["code of the driver"] = code
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def leaves(values: Profile) -> Iterator[tuple[str, tuple[str, ...], object]]:
    """Every value with its name and its path, in the order of the schema."""
    for name, value in values.tables().items():
        if is_dataclass(value):
            for inner in fields(value):
                yield f"{name}.{inner.name}", (name, inner.name), getattr(value, inner.name)
        elif isinstance(value, Mapping):
            for key, entry in value.items():
                yield f"{name}.{key}", (name, key), entry
        else:
            yield name, (name,), value


def as_plain(value: Any) -> Any:
    """Values as JSON and TOML can hold them: a range of ports as its text, a tuple as a list."""
    match value:
        case PortRange():
            return str(value)
        case Enum():
            return value.value
        case Mapping():
            return {key: as_plain(entry) for key, entry in value.items()}
        case tuple() | list():
            return [as_plain(entry) for entry in value]
        case _ if is_dataclass(value):
            return {one.name: as_plain(getattr(value, one.name)) for one in fields(value)}
        case _:
            return value
