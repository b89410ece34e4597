"""Values and a template make a text. The only user of jinja2, which is imported with the first text and not before.

Every failure becomes a TemplateError with the template's file and line, also inside what it includes. A template is rendered
in Jinja's sandbox: it reaches the values that it is given, and no code, no file and no program.

A text whose marks are nothing but names, as what an embedded or an Erlang node reads, is filled in without jinja2, whose
import was a fifth of all that a keeper imports; where anything is unusual, jinja2 does it, and says what is wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clusterlib.errors import TemplateError
from clusterlib.rendering.faults import Faulty
from clusterlib.rendering.plain import Unusual, filled_in, parts_of, parts_of_file

__all__ = ["complete", "render", "render_page", "render_text", "rendered", "rendered_text"]


def render(template: Path | str, search: Sequence[Path], values: Mapping[str, Any]) -> str:
    """The text of a template, looked for in `search` in that order. Raises TemplateError.

    A template can include what lies in these folders, and nothing outside of them."""
    try:
        return rendered(template, search, values)
    except Faulty as error:
        fault = error.fault
        raise TemplateError(
            f"the template {template} cannot be rendered: {fault.problem}",
            evidence=[fault.place] if fault.place else [],
            remedies=[fault.right] if fault.right else [],
        ) from error.__cause__


def render_text(text: str, values: Mapping[str, Any]) -> str:
    """A text of a profile, filled in; one without marks is given back as it is. Raises TemplateError."""
    try:
        return rendered_text(text, values)
    except Faulty as error:
        fault = error.fault
        raise TemplateError(
            f"the text {text!r} of the profile cannot be filled in: {fault.problem}",
            remedies=[fault.right] if fault.right else [],
        ) from error.__cause__


def complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """Adds what follows from the cluster and the node: who is first, who the others are, where data belongs.

    `alive` and `starting` are facts of a moment, so the caller gives them."""
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
        "data": f"{node['directory']}/data",
    }


def render_page(template: Path, values: Mapping[str, Any], **filters: Callable[..., Any]) -> str:
    """The text of a page of ours: every value is escaped. What it includes lies beside it."""
    from clusterlib.rendering.language import page_environment

    environment = page_environment(template.parent, tuple(filters.items()))
    return environment.get_template(template.name).render(values)


def rendered(template: Path | str, search: Sequence[Path], values: Mapping[str, Any]) -> str:
    """The text of a template. Raises Faulty."""
    if isinstance(template, Path):
        search, template = (template.parent, *search), template.name
    folders = tuple(str(folder) for folder in search)
    with contextlib.suppress(Unusual):
        return filled_in(parts_of_file(template, folders), values)
    from clusterlib.rendering.language import file_rendered

    return file_rendered(template, folders, values)


def rendered_text(text: str, values: Mapping[str, Any]) -> str:
    """A text of a profile, filled in. Raises Faulty."""
    with contextlib.suppress(Unusual):
        return filled_in(parts_of(text), values)
    from clusterlib.rendering.language import text_rendered

    return text_rendered(text, values)
