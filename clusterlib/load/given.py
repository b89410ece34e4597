"""The node that a function of a project is given when it is the target of a load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from clusterlib.drivers.calls import ports_in_words
from clusterlib.drivers.place import Place
from clusterlib.drivers.registry import calls_of
from clusterlib.errors import NotSupported
from clusterlib.load.orders import LoadedPlace

__all__ = ["LoadNode"]

T = TypeVar("T")


class LoadNode:
    """A node as it was when the load began. Unlike `Node` it never asks the keeper, which would be
    measured, too."""

    def __init__(self, place: LoadedPlace, cluster: str, cookie_file: str, timeout: float) -> None:
        self.name = place.name
        self.address = place.status.address
        self.ports: Mapping[str, int] = dict(place.status.ports)
        self.timeout = timeout
        """Seconds that a request may take."""
        self._place = Place(
            name=place.name,
            cluster=cluster,
            driver=place.driver,
            cookie_file=Path(cookie_file),
            sources=place.sources,
            status=lambda: place.status,
            look=lambda _: (),
        )
        self._calls = calls_of(place.driver, place.sources.roots)(self._place)

    def __repr__(self) -> str:
        return f"<LoadNode {self.name}>"

    def port(self, name: str) -> int:
        if name not in self.ports:
            raise NotSupported(
                f"{self.name} has no port called {name}", cause=f"its ports are {ports_in_words(self.ports)}"
            )
        return self.ports[name]

    @property
    def url(self) -> str:
        """The address of its HTTP endpoint."""
        return f"http://{self.address}:{self.port('http')}"

    def call(self, target: str, /, *args: Any, **kwargs: Any) -> Any:
        """Calls `package.module:function` in the node, as `Node.call` does."""
        return self._calls.call(target, args, kwargs, self.timeout)

    def run(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Runs any callable in the node, as `Node.run` does."""
        result: T = self._calls.run(function, args, kwargs, self.timeout)
        return result
