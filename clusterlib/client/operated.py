"""Operations as methods of a cluster: `cluster.health()`, `cluster.faults.partition(...)`.

`clusterlib.operations`, a room above this one, knows which there are. It is imported for a name
that a cluster does not have by itself."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from clusterlib.remedies import Remedy

__all__ = ["Operated"]

ASKED = "clusterlib.operations.methods"


class Operated:
    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *import_module(ASKED).names(self)})

    def operations_of_its_servers(self) -> list[Remedy]:
        """The operations that are marked for the servers of this cluster, and can be called
        without further arguments."""
        found: list[Remedy] = import_module(ASKED).of_servers(self)
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
            )
        return import_module(ASKED).method(self, name)
