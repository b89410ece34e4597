"""A client of a server over REST, and the program that serves."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from clusterlib.waiting import wait_readable

__all__ = ["JSON", "Answer", "Client", "ServeProgram"]

JSON = {"Content-Type": "application/json"}
SECONDS = 60


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Each request has a connection of its own."""

    url: str
    token: str | None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        said = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **self.headers}
        connection = self.connect()
        try:
            connection.request(method, path, body, {**said, **(headers or {})})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path: str, **arguments: object) -> Answer:
        query = urlencode(arguments, doseq=True)
        return self.ask("GET", f"{path}?{query}" if query else path)

    def post(self, path: str, **arguments: object) -> Answer:
        return self.ask("POST", path, json.dumps(arguments).encode(), JSON)


class ServeProgram:
    """`clusterlib serve --json` in a project."""

    def __init__(self, project: Path, *options: str) -> None:
        environment = {**os.environ, "CLUSTERLIB_PROJECT": str(project)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clusterlib", "serve", "--json", *options],
            cwd=project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert wait_readable(self.process.stdout.fileno(), SECONDS)
        first = self.process.stdout.readline()
        if not first.startswith(b'{"url"'):
            rest, errors = self.process.communicate(timeout=SECONDS)
            raise AssertionError((first + rest + errors).decode())
        self.serving = json.loads(first)

    @property
    def client(self) -> Client:
        return Client(self.serving["url"], Path(self.serving["token_file"]).read_text().strip())

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=SECONDS)
        return self.process.returncode
