"""Jinja as templates and texts of profiles use it: in its sandbox, with limits, and with helpful
errors.

A profile may come from somebody else, and is checked before it is trusted. So a template cannot
reach the internals of Python's objects, change its values, or produce something larger than any
file that a node reads."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.meta import find_referenced_templates
from jinja2.sandbox import ImmutableSandboxedEnvironment

from clusterlib.rendering.faults import Faulty, TemplateFault
from clusterlib.rendering.plain import first_file

__all__ = ["LARGEST", "file_rendered", "page_environment", "references_in", "text_rendered"]

LARGEST = 2**20
"""The limit for characters of a template, of a repeated text and of a width, and for bits of a
number."""
MANY_BITS = 4096
TOO_LARGE = "makes something that is too large"


def file_rendered(template: str, folders: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """Renders a template file. Raises Faulty."""
    try:
        return _environment(folders).get_template(template).render(values)
    except Exception as error:
        # A template computes, so it can raise any exception; each is a fault of the template.
        raise Faulty(_fault_of(error, template, folders, values)) from error


def text_rendered(text: str, values: Mapping[str, Any]) -> str:
    """Renders a text. Raises Faulty."""
    try:
        return _text_template(text).render(values)
    except Exception as error:
        raise Faulty(_fault_of(error, "", (), values)) from error


def references_in(text: str) -> tuple[str | None, ...]:
    """The names of the templates that this one refers to. None stands for a computed name."""
    try:
        return tuple(find_referenced_templates(_environment(()).parse(text)))
    except jinja2.TemplateError:
        return ()


class UndefinedName(jinja2.StrictUndefined):
    """An undefined name. Fails on any use, with a list of the names that exist."""

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = jinja2.utils.missing,
        name: str | None = None,
        exc: type[jinja2.exceptions.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        if hint is None and isinstance(obj, Mapping):
            hint = f'there is no "{name}" here, only {", ".join(sorted(map(str, obj)))}'
        super().__init__(hint, obj, name, exc)


class Sandbox(ImmutableSandboxedEnvironment):
    """Allows a template to read values, compute with them, and call methods that change nothing."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            _check_repeated(left, right)
            _check_repeated(right, left)
        elif operator == "**":
            _check_power(left, right)
        elif isinstance(left, str):
            _check_widths(left)
        return super().call_binop(context, operator, left, right)

    def call(self, context: jinja2.runtime.Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        _check_numbers(args, kwargs)
        return super().call(context, obj, *args, **kwargs)


class Loader(jinja2.FileSystemLoader):
    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """Reuses a compiled template as long as the same file would be read."""
        searched = tuple(map(str, self.searchpath))
        path = first_file(template, searched)
        if path is not None and Path(path).stat().st_size > LARGEST:
            raise OSError(f"{path} is larger than {LARGEST // 1024} KiB, and no template")
        mark = None if path is None else _mark(path)
        source, found, _ = super().get_source(environment, template)
        return source, found, lambda: first_file(template, searched) == found and _mark(found) == mark


def _mark(path: str) -> tuple[int, ...] | None:
    """Identifies the version of a file."""
    try:
        seen = Path(path).stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _check_repeated(sequence: object, count: object) -> None:
    if (
        isinstance(sequence, str | list | tuple)
        and isinstance(count, int)
        and len(sequence) * count > LARGEST
    ):
        raise SecurityError(TOO_LARGE)
    if isinstance(sequence, int) and isinstance(count, int) and sequence.bit_length() > MANY_BITS:
        raise SecurityError(TOO_LARGE)


def _check_power(base: object, exponent: object) -> None:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > MANY_BITS:
        raise SecurityError(TOO_LARGE)


def _check_widths(pattern: str) -> None:
    """`"%1000000000d" % 1`"""
    if any(int(digits[:20]) > LARGEST for digits in re.findall(r"[0-9]+", pattern)):
        raise SecurityError(TOO_LARGE)


def _check_numbers(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """`"x".ljust(1000000000)`"""
    if any(isinstance(one, int) and one > LARGEST for one in (*args, *kwargs.values())):
        raise SecurityError(TOO_LARGE)


@cache
def _text_template(text: str) -> jinja2.Template:
    return _environment(()).from_string(text)


@cache
def _environment(folders: tuple[str, ...]) -> Sandbox:
    """One for each list of folders: a template is compiled once and rendered for every node."""
    environment = Sandbox(
        loader=Loader(folders),
        undefined=UndefinedName,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_function"] = _to_json
    environment.filters["quote"] = lambda value: shlex.quote(str(value))
    for name in ("center", "indent"):
        environment.filters[name] = _bounded(environment.filters[name])
    del environment.globals["lipsum"]
    return environment


def _bounded(filter_: Callable[..., str]) -> Callable[..., str]:
    def bounded(text: str, *args: Any, **kwargs: Any) -> str:
        _check_numbers(args, kwargs)
        return filter_(text, *args, **kwargs)

    return bounded


def _to_json(value: object, **options: Any) -> str:
    return json.dumps(value, default=_refuse, **options)


def _refuse(value: object) -> str:
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises, with the name that is missing
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


@cache
def page_environment(folder: Path, filters: tuple[tuple[str, Callable[..., Any]], ...]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment


def _fault_of(
    error: Exception, template: str, folders: tuple[str, ...], values: Mapping[str, Any]
) -> TemplateFault:
    file, line = _place_of(error.__traceback__, folders)
    match error:
        case jinja2.TemplateSyntaxError():
            return TemplateFault(
                error.message or "is malformed", "correct the line", error.filename or file, error.lineno
            )
        case UnicodeDecodeError():
            return TemplateFault("it is not UTF-8", "save it as UTF-8", first_file(template, folders))
        case jinja2.TemplateError() | MemoryError() | OverflowError() | RecursionError():
            return TemplateFault(*_words_of(error, folders, values), file, line)
        case _:
            problem = f"{type(error).__name__}: {error}"
            right = "see that it can be read" if isinstance(error, OSError) else "correct the expression"
            return TemplateFault(problem, right, file or first_file(template, folders), line)


def _words_of(error: Exception, folders: tuple[str, ...], values: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong, and a correction."""
    match error:
        case jinja2.TemplateNotFound():
            searched = f"searched in {' and '.join(folders) or 'no folder'}"
            return f'there is no template "{error.name}"', searched
        case SecurityError():
            problem = (error.message or TOO_LARGE).rstrip(".")
            return problem, "a template reaches the values that it is given, and no more"
        case jinja2.UndefinedError():
            return error.message or "a name is undefined", _known(values)
        case RecursionError():
            return "it includes or calls itself without end", "break the circle"
        case MemoryError() | OverflowError():
            return str(error) or TOO_LARGE, "write less of it"
        case _:
            return str(error), "correct the expression"


def _known(values: Mapping[str, Any]) -> str:
    return f"names a template is given here: {', '.join(sorted(values))}"


def _place_of(traceback: TracebackType | None, folders: tuple[str, ...]) -> tuple[str | None, int | None]:
    """The place in the template.

    Jinja writes the lines of templates into the traceback; the innermost one counts."""
    place: tuple[str | None, int | None] = None, None
    inside: Callable[[str], bool] = lambda file: any(file.startswith(f"{folder}/") for folder in folders)  # noqa: E731
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if inside(file):
            place = file, traceback.tb_lineno
        traceback = traceback.tb_next
    return place
