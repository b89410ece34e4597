"""Sends a module of ours to a node, such as the helper. It is compiled once for each Erlang
release, and identified by its digest.

`bringing` yields the calls to make, (module, function, arguments), and receives their values or
exceptions: threads and event loops share it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

from clusterlib.drivers.beam.errors import ErlangError
from clusterlib.drivers.beam.session import HELPER
from clusterlib.drivers.beam.terms import Atom, show, text
from clusterlib.errors import NotSupported
from clusterlib.hosts.places import read_private, runtime_dir, write_private

__all__ = ["Bringing", "bringing"]

DOT: Final = Atom("dot")
OPTIONS: Final = [Atom("binary"), Atom("return_errors")]
LARGEST_MODULE: Final = 2**20
"""Bytes: compiled, the helper has about 18 KiB."""

Bringing = Generator[tuple[str, str, list[Any]], Any, Any]


def bringing(node: str, module: Atom = HELPER) -> Bringing:
    """Ensures that exactly this module runs on the node; does nothing if it does."""
    running = yield from _running(module)
    release = text((yield "erlang", "system_info", [Atom("otp_release")]))
    digest, code = _cached(module, release) or (yield from _compiled(module, node, release))
    if running == digest:
        return
    running = yield from _loaded(module, code)
    if running != digest:  # the stored file is damaged
        digest, code = yield from _compiled(module, node, release)
        running = yield from _loaded(module, code)
    if running != digest:
        raise NotSupported(
            f"{node} runs another {module} than the one it was given",
            cause=f"its digest is {running.hex() if running else 'none'}, not {digest.hex()}",
            remedies=["two versions of this tool may be talking to it: end the other one"],
        )


def _loaded(module: Atom, code: bytes) -> Bringing:
    yield "code", "load_binary", [module, [*map(ord, f"{module}.erl")], code]
    return (yield from _running(module))


def _running(module: Atom) -> Bringing:
    if not (
        yield "erlang", "module_loaded", [module]
    ):  # asked first, because a question to a missing module would search for it
        return None
    return (yield module.name, "module_info", [Atom("md5")])


def _compiled(module: Atom, node: str, release: str) -> Bringing:
    """Compiled by the node itself, so that it fits, and stored for all others of its release."""
    try:
        _, tokens, _ = yield "erl_scan", "string", [[*map(ord, _source(module))]]
        forms = []
        for form in _forms(tokens):
            forms.append((yield "erl_parse", "parse_form", [form])[1])  # noqa: PERF401  (a comprehension cannot yield)
        answer = yield "compile", "forms", [forms, OPTIONS]
    except ErlangError as error:
        raise NotSupported(
            f"{node} cannot compile what this tool adds to a node",
            cause=error.problem,
            remedies=[
                "add the application `compiler` to the release, or connect to a full Erlang of that version once"
            ],
        ) from error
    if not isinstance(answer, tuple) or answer[0] != Atom("ok"):
        raise NotSupported(f"{module} does not compile on Erlang/OTP {release}", evidence=[show(answer)])
    code: bytes = answer[2]
    digest: bytes = yield "code", "module_md5", [code]
    _keep(module, release, digest, code)
    return digest, code


def _forms(tokens: list[Any]) -> Iterator[list[Any]]:
    form: list[Any] = []
    for token in tokens:
        form.append(token)
        if token[0] == DOT:
            yield form
            form = []


def _source(module: Atom) -> str:
    return Path(__file__).with_name(f"{module}.erl").read_text(encoding="utf-8")


# -- stored in a folder that only this user can write, since its content runs in every node


def _cache(module: Atom, release: str) -> tuple[Path, str]:
    version = hashlib.blake2b(_source(module).encode(), digest_size=8).hexdigest()
    return runtime_dir() / "beam", f"{module}-{release}-{version}"


def _cached(module: Atom, release: str) -> tuple[bytes, bytes] | None:
    folder, stem = _cache(module, release)
    for path in folder.glob(f"{stem}-*.beam"):
        with contextlib.suppress(OSError, ValueError):
            return bytes.fromhex(path.stem.rpartition("-")[2]), read_private(path, LARGEST_MODULE)
    return None


def _keep(module: Atom, release: str, digest: bytes, code: bytes) -> None:
    folder, stem = _cache(module, release)
    write_private(folder / f"{stem}-{digest.hex()}.beam", code)
