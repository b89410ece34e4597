"""The input of a node at its start: a JSON file, and descriptors in its environment."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from clusterlib.errors import UsageError
from clusterlib.frozen import frozen
from clusterlib.runtime.link import PeerAddress

__all__ = ["Config", "Sockets", "read_peers"]

DEFAULT_DETECT = 0.8
DEFAULT_LIMIT = 256 << 20


@frozen
class Config:
    """Everything that a node knows at its start."""

    name: str
    cluster: str
    index: int
    address: str
    host: str
    ports: Mapping[str, int]
    cookie_file: str
    directory: str
    peers: tuple[PeerAddress, ...]
    detect: float = DEFAULT_DETECT
    app: str | None = None
    code_roots: tuple[str, ...] = ()
    simulated: bool = False
    limit: int = field(default=DEFAULT_LIMIT)
    """The largest payload of a call, in bytes."""

    @staticmethod
    def read(path: str) -> Config:
        """Reads `node.json`. Reports all mistakes at once."""
        try:
            data = json.loads(Path(path).read_bytes())
        except OSError as error:
            raise UsageError(
                f"the node's configuration {path} cannot be read", cause=error.strerror
            ) from error
        except ValueError as error:
            raise UsageError(f"the node's configuration {path} is not JSON", cause=str(error)) from error
        if not isinstance(data, dict):
            raise UsageError(f"the node's configuration {path} is not an object")
        return _ConfigReader(path, data).config()


class _ConfigReader:
    """Reads fields of the data and collects mistakes."""

    def __init__(self, path: str, data: dict[str, Any]) -> None:
        self._path = path
        self._data = data
        self._mistakes: list[str] = []

    def config(self) -> Config:
        config = Config(
            name=self._field("name", str, ""),
            cluster=self._field("cluster", str, ""),
            index=self._field("index", int, 0),
            address=self._field("address", str, ""),
            host=self._field("host", str, ""),
            ports=self._field("ports", dict, {}),
            cookie_file=self._field("cookie_file", str, ""),
            directory=self._field("directory", str, ""),
            peers=self._peers(),
            detect=float(self._field("detect", (int, float), 0, DEFAULT_DETECT)),
            app=self._field("app", (str, type(None)), None, None),
            code_roots=tuple(map(str, self._field("code_roots", list, [], []))),
            simulated=self._field("simulated", bool, False, False),
            limit=self._field("limit", int, 0, DEFAULT_LIMIT),
        )
        if config.detect <= 0:
            self._mistakes.append("detect: must be more than 0 seconds")
        if not 0 < config.limit < 1 << 32:
            self._mistakes.append("limit: must be between 1 byte and 4 GB")
        if config.name not in {peer.name for peer in config.peers}:
            self._mistakes.append(f"peers: {config.name!r} itself is missing")
        if self._mistakes:
            raise UsageError(f"the node's configuration {self._path} is wrong", evidence=self._mistakes)
        return config

    def _field(self, name: str, kind: Any, stand_in: Any, default: Any = ...) -> Any:
        if name not in self._data:
            if default is not ...:
                return default
            self._mistakes.append(f"{name}: missing")
            return stand_in
        value = self._data[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self._mistakes.append(f"{name}: {value!r} is of the wrong type")
            return stand_in
        return value

    def _peers(self) -> tuple[PeerAddress, ...]:
        try:
            return read_peers(self._data.get("peers"))
        except UsageError as error:
            self._mistakes.append(error.problem)
            return ()


def read_peers(data: Any) -> tuple[PeerAddress, ...]:
    """Reads the roster, from the configuration and from later orders."""
    try:
        peers = tuple(
            PeerAddress(str(item["name"]), str(item["address"]), int(item["port"])) for item in data
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            "peers: must be a list of objects with name, address and port", cause=repr(error)
        ) from error
    if len({peer.name for peer in peers}) < len(peers):
        raise UsageError("peers: two have the same name")
    return peers


@frozen
class Sockets:
    """The sockets that a node inherits."""

    control: socket.socket
    cluster: socket.socket
    http: socket.socket

    @staticmethod
    def inherited(environment: Mapping[str, str]) -> Sockets:
        return Sockets(*(_inherited(environment, name) for name in ("CONTROL", "CLUSTER", "HTTP")))


def _inherited(environment: Mapping[str, str], name: str) -> socket.socket:
    variable = f"CLUSTERLIB_FD_{name}"
    try:
        descriptor = int(environment[variable])
        os.set_inheritable(descriptor, False)  # processes that the node starts must not keep its ports open
        return socket.socket(fileno=descriptor)
    except KeyError:
        raise UsageError(f"a node cannot be started by hand: {variable} is not set") from None
    except (ValueError, OSError) as error:
        raise UsageError(f"{variable} is not a socket", cause=str(error)) from error
