"""Values and a template make a text. The only user of jinja2, which is imported with the first text and not before.

Every failure becomes a TemplateError with the template's file and line, also inside what it includes.

A text whose marks are nothing but names, as what an embedded or an Erlang node reads, is filled in without jinja2, whose
import was a fifth of all that a keeper imports; where anything is unusual, jinja2 does it, and says what is wrong."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from clusterlib.errors import TemplateError
from clusterlib.frozen import frozen

if TYPE_CHECKING:
    from jinja2 import Environment, Template

    from clusterlib.profiles import Mistake, ResolvedProfile

__all__ = [
    "check_templates",
    "complete",
    "render",
    "render_page",
    "render_text",
    "sample_values",
]

MOST_SAMPLES = 3


@frozen
class _Fault:
    """What keeps a template from becoming a text."""

    problem: str
    right: str
    file: str | None = None
    line: int | None = None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.file and self.line else self.file or ""


class _Faulty(Exception):
    def __init__(self, fault: _Fault) -> None:
        super().__init__(fault.problem)
        self.fault = fault


def render(template: Path | str, search: Sequence[Path], values: Mapping[str, Any]) -> str:
    """The text of a template, looked for in `search` in that order. Raises TemplateError.

    A template can include what lies in these folders, and nothing outside of them."""
    try:
        return _rendered(template, search, values)
    except _Faulty as error:
        fault = error.fault
        raise TemplateError(
            f"the template {template} cannot be rendered: {fault.problem}",
            evidence=[fault.place] if fault.place else [],
            remedies=[fault.right] if fault.right else [],
        ) from error.__cause__


def render_text(text: str, values: Mapping[str, Any]) -> str:
    """A text of a profile, filled in; one without marks is given back as it is. Raises TemplateError."""
    try:
        return _rendered_text(text, values)
    except _Faulty as error:
        fault = error.fault
        raise TemplateError(
            f"the text {text!r} of the profile cannot be filled in: {fault.problem}",
            remedies=[fault.right] if fault.right else [],
        ) from error.__cause__


def complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """Adds what follows from the cluster and the node: who is first, who the others are, where data belongs."""
    nodes, node = values["cluster"]["nodes"], values["node"]
    return {
        **values,
        "roster": [
            {"name": one["name"], "address": one["address"], "port": one["ports"].get("cluster")}
            for one in nodes
        ],
        "erlang_address": "{" + node["address"].replace(".", ",") + "}",
        "seed": nodes[0],
        "peers": [one for one in nodes if one["name"] != node["name"]],
        "alive": [one["name"] for one in nodes],
        "data": f"{node['directory']}/data",
    }


def render_page(template: Path, values: Mapping[str, Any], **filters: Callable[..., Any]) -> str:
    """The text of a page of ours: every value is escaped. What it includes lies beside it."""
    return (
        _page_environment(template.parent, tuple(filters.items())).get_template(template.name).render(values)
    )


def check_templates(profile: ResolvedProfile, search: Sequence[Path] | None = None) -> list[Mistake]:
    """Renders every template of a profile with sample values; gives back what is wrong with them, by file and line."""
    from clusterlib.profiles import Mistake, Origin, template_folders

    folders = template_folders(profile.project) if search is None else tuple(search)
    mistakes: list[Mistake] = []
    for output, template in profile.values.templates.items():
        for index in range(1, min(profile.values.nodes.count, MOST_SAMPLES) + 1):
            try:
                _rendered(template, folders, sample_values(profile, index))
            except _Faulty as error:
                fault = error.fault
                field = f"templates.{output}"
                place = Origin("profile", profile.name, fault.file, fault.line)
                origin = place if fault.file else profile.origin(field)
                mistakes.append(Mistake(fault.problem, fault.right, field, origin))
                break
    return mistakes + _check_texts(profile)


def _check_texts(profile: ResolvedProfile) -> list[Mistake]:
    """The same for the texts of the profile itself, such as the arguments of a server program."""
    from clusterlib.profiles import Mistake

    mistakes: list[Mistake] = []
    samples = [
        sample_values(profile, index) for index in range(1, min(profile.values.nodes.count, MOST_SAMPLES) + 1)
    ]
    for field, text in profile.texts():
        try:
            for values in samples:
                _rendered_text(text, values)
        except _Faulty as error:
            mistakes.append(Mistake(error.fault.problem, error.fault.right, field, profile.origin(field)))
    return mistakes


def sample_values(profile: ResolvedProfile, index: int = 1) -> dict[str, Any]:
    """What a template is given for the node `index`: the same names as from the keeper, with made-up values."""
    values = profile.values
    nodes = [_sample_node(profile, number) for number in range(1, values.nodes.count + 1)]
    timeouts = values.timeouts
    told = {
        "cluster": {
            "name": "sample",
            "project": str(profile.project),
            "profile": profile.name,
            "simulated": values.simulate,
            "nodes": nodes,
        },
        "node": nodes[index - 1],
        "timeouts": {
            "start": timeouts.start,
            "stop": timeouts.stop,
            "call": timeouts.call,
            "health": timeouts.health,
            "detect": timeouts.detect,
        },
        "python": {
            "app": values.python.app,
            "path": [str(profile.project / root) for root in values.python.path],
        },
        "cookie_file": "/sample/cookie",
    }
    return complete(told)


def _sample_node(profile: ResolvedProfile, index: int) -> dict[str, Any]:
    from clusterlib.profiles import derived_port

    values = profile.values
    apart = values.network.mode == "per-node"
    ports = {purpose: ports.first + (0 if apart else index - 1) for purpose, ports in values.ports.items()}
    derived = {purpose: derived_port(text) for purpose, text in values.derived.items()}
    address = f"127.1.{index // 250}.{index % 250 + 1}" if apart else "127.0.0.1"
    name = values.nodes.name.replace("{index}", str(index))
    host = (
        values.nodes.host.replace("{name}", name).replace("{index}", str(index)).replace("{address}", address)
    )
    return {
        "name": name,
        "index": index,
        "address": address,
        "host": host,
        "ports": {**ports, **{name: ports[base] + offset for name, (base, offset) in derived.items()}},
        "directory": f"/sample/{name}",
        "memory": values.nodes.memory,
    }


def _rendered(template: Path | str, search: Sequence[Path], values: Mapping[str, Any]) -> str:
    if isinstance(template, Path):
        search, template = (template.parent, *search), template.name
    folders = tuple(str(folder) for folder in search)
    with contextlib.suppress(_Unusual):
        return _filled_in(_parts_of_file(template, folders), values)
    try:
        return _environment(folders).get_template(template).render(values)
    except Exception as error:
        # A template computes, so it can raise whatever computing raises; each is the template's fault, not ours.
        raise _Faulty(_fault_of(error, template, folders, values)) from error


def _rendered_text(text: str, values: Mapping[str, Any]) -> str:
    with contextlib.suppress(_Unusual):
        return _filled_in(_parts(text), values)
    try:
        return _text_template(text).render(values)
    except Exception as error:
        raise _Faulty(_fault_of(error, "", (), values)) from error


# -- without jinja2


class _Unusual(Exception):
    """More than names, or a name that needs explaining."""


_Mark = tuple[tuple[str, ...], bool]
"""A name, and whether its value is written as JSON."""
_Parts = tuple[str | _Mark, ...]

MARK = re.compile(r"(?<!\{)\{\{ *([a-z]\w*(?:\.[a-z]\w*)*) *(\| *tojson *)?\}\}")
COMMENT = re.compile(r"\s*\{#-.*?-#\}\s*", re.DOTALL)
UNUSUAL = re.compile(r"\{[{%#]|\r")


def _parts_of_file(template: str, folders: tuple[str, ...]) -> _Parts:
    path = _first(template, folders)
    if path is None or template.startswith("/") or ".." in template.split("/"):
        raise _Unusual
    try:
        return _parts(Path(path).read_bytes().decode())
    except (OSError, UnicodeDecodeError) as error:
        raise _Unusual from error


@cache
def _parts(text: str) -> _Parts:
    """Plain text and marks, in turns. Nothing, where there is more to it."""
    parts: list[str | _Mark] = []
    text = COMMENT.sub("", text)
    end = 0
    for mark in MARK.finditer(text):
        parts += [text[end : mark.start()], (tuple(mark[1].split(".")), mark[2] is not None)]
        end = mark.end()
    parts.append(text[end:])
    plain = not any(UNUSUAL.search(part) for part in parts if isinstance(part, str))
    return tuple(parts) if plain else ()


def _filled_in(parts: _Parts, values: Mapping[str, Any]) -> str:
    if not parts:
        raise _Unusual
    return "".join([part if isinstance(part, str) else _shown(part, values) for part in parts])


def _shown(mark: _Mark, values: Mapping[str, Any]) -> str:
    names, as_json = mark
    value: Any = values
    for name in names:
        if not isinstance(value, Mapping) or name not in value or hasattr(value, name):
            raise _Unusual
        value = value[name]
    if as_json:
        return _json(value)
    if type(value) in {str, int, float}:
        return str(value)
    raise _Unusual


def _json(value: object) -> str:
    """As the filter of jinja2 has it: without the characters that mean something in HTML."""
    import json

    try:
        text = json.dumps(value, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise _Unusual from error
    return re.sub("[<>&']", lambda found: f"\\u{ord(found[0]):04x}", text)


# -- with jinja2


@cache
def _text_template(text: str) -> Template:
    return _environment(()).from_string(text)


@cache
def _environment(folders: tuple[str, ...]) -> Environment:
    """One for each list of folders: a template is compiled once and rendered for every node."""
    import json
    import shlex

    import jinja2

    class Explained(jinja2.StrictUndefined):
        """Fails on any use, and says which names there are instead."""

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

    def refuse(value: object) -> str:
        if isinstance(value, jinja2.Undefined):
            str(value)  # raises with the name that is missing
        raise TypeError(f"a {type(value).__name__} cannot be written as JSON")

    def to_json(value: object, **options: Any) -> str:
        return json.dumps(value, default=refuse, **options)

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=Explained,
        autoescape=False,  # noqa: S701 - configuration files are no HTML
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_function"] = to_json
    environment.filters["quote"] = lambda value: shlex.quote(str(value))
    return environment


@cache
def _page_environment(folder: Path, filters: tuple[tuple[str, Callable[..., Any]], ...]) -> Environment:
    import jinja2

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


def _fault_of(error: Exception, template: str, folders: tuple[str, ...], values: Mapping[str, Any]) -> _Fault:
    import jinja2

    file, line = _place_of(error.__traceback__, folders)
    match error:
        case jinja2.TemplateSyntaxError():
            return _Fault(
                error.message or "is malformed", "correct the line", error.filename or file, error.lineno
            )
        case jinja2.TemplateNotFound():
            searched = f"searched in {' and '.join(folders) or 'no folder'}"
            return _Fault(f'there is no template "{error.name}"', searched, file, line)
        case jinja2.UndefinedError():
            return _Fault(error.message or "a name is undefined", _known(values), file, line)
        case RecursionError():
            return _Fault("it includes itself without end", "break the circle", file, line)
        case UnicodeDecodeError():
            return _Fault("it is not UTF-8", "save it as UTF-8", _first(template, folders))
        case _:
            told = f"{type(error).__name__}: {error}"
            right = "see that it can be read" if isinstance(error, OSError) else "correct the expression"
            return _Fault(told, right, file or _first(template, folders), line)


def _known(values: Mapping[str, Any]) -> str:
    return f"names a template is given here: {', '.join(sorted(values))}"


def _place_of(traceback: TracebackType | None, folders: tuple[str, ...]) -> tuple[str | None, int | None]:
    """Jinja writes the lines of templates into the traceback; the innermost one is where it happened."""
    place: tuple[str | None, int | None] = None, None
    inside: Callable[[str], bool] = lambda file: any(file.startswith(f"{folder}/") for folder in folders)  # noqa: E731
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if inside(file):
            place = file, traceback.tb_lineno
        traceback = traceback.tb_next
    return place


def _first(template: str, folders: tuple[str, ...]) -> str | None:
    paths = (Path(folder) / template for folder in folders)
    return next((str(path) for path in paths if path.is_file()), None)
