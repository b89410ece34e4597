"""The options of `clusterlib mcp`: what else than looking is allowed."""

from __future__ import annotations

from collections.abc import Sequence

from clusterlib.errors import UsageError
from clusterlib.messages.effects import Effect

__all__ = ["ALLOW", "ALLOWABLE", "allowed", "usage"]

ALLOW = "--allow"
ALLOWABLE = tuple(one for one in Effect if one is not Effect.READ)


def usage(call: str) -> str:
    return "\n".join(
        [
            f"usage: {call} mcp [{ALLOW} {'|'.join(ALLOWABLE)}] ...",
            "",
            "Serve the operations as tools of a coding assistant: MCP, on stdin and stdout.",
            "The assistant starts it. Tools that only look are offered, and others if they are allowed.",
            "",
            "Options:",
            f"  {ALLOW} EFFECT  Also offer operations of this effect: {', '.join(ALLOWABLE)}.",
            "                  May be given several times.",
            "  -h, --help      Show this.",
        ]
    )


def allowed(call: str, given: Sequence[str]) -> list[Effect]:
    """Raises UsageError. `call`: what calls the program."""
    found, words = list[Effect](), list(given)
    while words:
        word = words.pop(0)
        flag, has_value, value = word.partition("=")
        remedies = [f"{call} mcp {ALLOW} {one}" for one in ALLOWABLE]
        if flag != ALLOW:
            raise UsageError(
                f"{call} mcp does not know what to do with {word!r}", remedies=[f"{call} mcp --help"]
            )
        if not has_value and not words:
            raise UsageError(f"{ALLOW} needs a value", remedies=remedies)
        value = value if has_value else words.pop(0)
        if value not in ALLOWABLE:
            raise UsageError(f"there is no effect {value!r} to allow", remedies=remedies)
        found.append(Effect(value))
    return found
