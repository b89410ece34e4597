"""How a text from the environment or the command line becomes a value."""

from __future__ import annotations

from collections.abc import Callable

from clusterlib.values.kinds import Wrong

__all__ = ["flag_from", "is_unicode", "list_from", "text_reader", "without_null"]

YES = ("true", "yes", "on", "1")
NO = ("false", "no", "off", "0")


def is_unicode(value: str) -> bool:
    """False if it contains bytes of the environment that are not text."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def without_null(value: str) -> str:
    if "\0" in value:
        raise Wrong("holds a NUL character, which no program can be given", "remove it")
    return value


def text_reader(convert: Callable[[str], object]) -> Callable[[str], object]:
    """A text that cannot be converted stays, and the check of the value says what is wrong."""

    def read(value: str) -> object:
        try:
            return convert(value)
        except ValueError:
            return value

    return read


def flag_from(value: str) -> object:
    lowered = value.strip().lower()
    return True if lowered in YES else False if lowered in NO else value


def list_from(value: str) -> object:
    """Split as a shell does, because a person types it into a variable."""
    import shlex

    try:
        words: list[str] = shlex.split(value)
    except ValueError:
        return value
    return words
