"""Renders templates. The only user of jinja2, which is imported with the first text that needs it.

Every failure becomes a TemplateError with file and line, also for included templates. A template is
rendered in Jinja's sandbox: it can use the values that it is given, but not code, files or
programs.

A text that contains only names, such as those of embedded and Erlang nodes, is filled in without
jinja2, whose import was a fifth of all imports of a keeper. Everything else is left to jinja2."""

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
    """Renders a template, which is searched in the folders of `search` in order. Raises
    TemplateError.

    A template can include files from these folders only."""
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
    """Fills in a text of a profile.

    A text without marks is returned unchanged. Raises TemplateError."""
    try:
        return rendered_text(text, values)
    except Faulty as error:
        fault = error.fault
        raise TemplateError(
            f"the text {text!r} of the profile cannot be filled in: {fault.problem}",
            remedies=[fault.right] if fault.right else [],
        ) from error.__cause__


def complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """Adds values that follow from the cluster and the node: the first node of its role, the other
    nodes of its role, the data folder.

    `alive` and `starting` change over time, so the caller passes them."""
    node = values["node"]
    nodes = [one for one in values["cluster"]["nodes"] if one["role"] == node["role"]]
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
    """Renders a page of clusterlib, with every value escaped.

    Included files are in the same folder."""
    from clusterlib.rendering.language import page_environment

    environment = page_environment(template.parent, tuple(filters.items()))
    return environment.get_template(template.name).render(values)


def rendered(template: Path | str, search: Sequence[Path], values: Mapping[str, Any]) -> str:
    """Renders a template. Raises Faulty."""
    if isinstance(template, Path):
        search, template = (template.parent, *search), template.name
    folders = tuple(str(folder) for folder in search)
    with contextlib.suppress(Unusual):
        return filled_in(parts_of_file(template, folders), values)
    from clusterlib.rendering.language import file_rendered

    return file_rendered(template, folders, values)


def rendered_text(text: str, values: Mapping[str, Any]) -> str:
    """Fills in a text of a profile. Raises Faulty."""
    with contextlib.suppress(Unusual):
        return filled_in(parts_of(text), values)
    from clusterlib.rendering.language import text_rendered

    return text_rendered(text, values)
