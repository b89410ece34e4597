"""Asks a node a question of a profile, once: connects, sends, requests a URL, or runs a command."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from clusterlib.drivers.command.settings import Question
from clusterlib.health.probes import Answer, Never, NotYet, Ready
from clusterlib.hosts.run_program import ProgramRun
from clusterlib.rendering import render_text

__all__ = ["Run", "ask", "ports_of", "unanswered"]

Run = Callable[[Sequence[str]], Awaitable[ProgramRun]]
"""Runs a command in the node's folder."""

ANYTHING = re.compile("")
MOST_READ = 4 * 2**20
QUIET = 0.05
"""A reply that does not grow for so long is complete."""


async def ask(question: Question, values: Mapping[str, Any], run: Run) -> Answer:
    """Whether all of it holds now, except `log`, which is read from the output."""
    try:
        pattern = _pattern(question.answer, values)
    except re.error as error:
        return Never(f"{render_text(question.answer, values)!r} is no regular expression: {error}")
    try:
        async with asyncio.timeout(question.limit):
            return await _asked(question, values, pattern, run)
    except TimeoutError:
        return NotYet(unanswered(question, values, f" within {question.limit:g} s"))
    except OSError as error:
        url = render_text(question.http, values)
        return NotYet(f"{error.strerror or error}" + (f" ({url})" if url else ""))


def unanswered(question: Question, values: Mapping[str, Any], how_long: str = "") -> str:
    """The question, and what a good answer would mean."""
    means = render_text(question.means, values)
    meaning = f", so it does not say that {means}" if means else ""
    return f"{_who_answers(question, values)} does not answer{how_long}{meaning}"


def _who_answers(question: Question, values: Mapping[str, Any]) -> str:
    if question.http:
        return render_text(question.http, values)
    if question.command:
        return render_text(question.command[0], values)
    if question.send:
        return f"{values['node']['address']}:{_port_for(question, values['node'])}"
    return f"port {' or '.join(question.ports)}" if question.ports else "it"


def _port_for(question: Question, node: Mapping[str, Any]) -> int:
    return int(node["ports"][question.to or next(iter(node["ports"]))])


def ports_of(question: Question, values: Mapping[str, Any]) -> frozenset[int]:
    """The ports of the node that have to answer."""
    node = values["node"]
    found = {node["ports"][purpose] for purpose in question.ports}
    if question.send:
        found.add(_port_for(question, node))
    if question.http and (port := urlsplit(render_text(question.http, values)).port):
        found.add(port)
    return frozenset(found)


async def _asked(
    question: Question, values: Mapping[str, Any], pattern: re.Pattern[str] | None, run: Run
) -> Answer:
    node = values["node"]
    for port in question.ports:
        await _connect(node["address"], node["ports"][port])
    if question.http:
        return await _http(question, values, pattern)
    if question.send:
        to = _port_for(question, node)
        data = render_text(question.send, values).encode()
        text = await _exchange(node["address"], to, data, pattern or ANYTHING)
        return _judged(question, values, pattern, text, f"port {to}")
    if question.command:
        done = await run(words := [render_text(word, values) for word in question.command])
        if not done.exit.clean:
            means = render_text(question.means, values)
            meaning = f"does not say that {means}: it " if means else ""
            return NotYet(f"{words[0]} {meaning}{done.exit}: {_short(done.output)}")
        return _judged(question, values, pattern, done.output, words[0])
    return Ready()


async def _connect(address: str, port: int) -> None:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        raise ConnectionRefusedError(0, f"nothing listens on {address}:{port} yet") from None
    writer.close()


async def _http(question: Question, values: Mapping[str, Any], pattern: re.Pattern[str] | None) -> Answer:
    url = render_text(question.http, values)
    parts = urlsplit(url)
    body = render_text(question.post, values).encode()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.0\r\nHost: {parts.netloc}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    reply = await _exchange(parts.hostname or "", parts.port or 80, head.encode() + b"\r\n" + body, None)
    head, _, text = reply.partition("\r\n\r\n")
    words = head.split(maxsplit=2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if status != question.status:
        answers = f"answers {status or 'nothing'}, not {question.status}: {_short(text)}"
        means = render_text(question.means, values)
        return NotYet(f"{url} does not say that {means}: it {answers}" if means else f"{url} {answers}")
    return _judged(question, values, pattern, text, url)


async def _exchange(address: str, port: int, data: bytes, pattern: re.Pattern[str] | None) -> str:
    """Sends it and reads the reply: to its end, up to the pattern, or until the other side is
    quiet."""
    try:
        reader, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        raise ConnectionRefusedError(0, f"nothing listens on {address}:{port} yet") from None
    try:
        writer.write(data)
        heard = b""
        while len(heard) < MOST_READ:
            limit = QUIET if heard and pattern is not None else None
            try:
                async with asyncio.timeout(limit):
                    piece = await reader.read(65536)
            except TimeoutError:
                break
            if not piece:
                break
            heard += piece
            if pattern is not None and pattern.search(heard.decode("utf-8", errors="replace")):
                break
        return heard.decode("utf-8", errors="replace")
    finally:
        writer.close()


def _judged(
    question: Question, values: Mapping[str, Any], pattern: re.Pattern[str] | None, text: str, who: str
) -> Answer:
    if pattern is None or pattern.search(text):
        return Ready()
    if means := render_text(question.means, values):
        return NotYet(f"{who} does not say that {means}; it says {_short(text)}")
    return NotYet(f"{who} says {_short(text)}, which does not hold {pattern.pattern!r}")


def _pattern(answer: str, values: Mapping[str, Any]) -> re.Pattern[str] | None:
    return re.compile(render_text(answer, values)) if answer else None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 200 else f"{line[:100]} ... {line[-100:]}")
