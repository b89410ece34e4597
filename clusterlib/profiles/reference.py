"""The JSON schema for editors and the reference for people, both from the declared settings.

`python -m clusterlib.profiles.reference docs/profiles.md` writes the reference."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from clusterlib.drivers.registry import kind_of as driver_of
from clusterlib.drivers.shipped import SHIPPED
from clusterlib.profiles.model import SHARED
from clusterlib.profiles.vocabulary import Vocabulary
from clusterlib.values.fields import Kind, described_of, json_schema_of, kind_of
from clusterlib.values.kinds import memory_text
from clusterlib.values.wording import in_toml

__all__ = ["reference", "schema"]

WIDTH = 100
"""Columns of prose."""
EXTENDS = "The profile this one builds on: a name, or a path ending in .toml."

INTRODUCTION = """\
<!-- Generated: python -m clusterlib.profiles.reference docs/profiles.md -->
# Profiles

A profile is a TOML file in `profiles/` that describes a cluster. Profiles of your project take
precedence over the shipped ones (`dev`, `ci-small`, `ci-large`, and those of
[systems.md](systems.md)). A profile of yours may have the name of a shipped one, and extend it.

```toml
description = "Four nodes of our shop"
extends = "dev"

[nodes]
count = 4

[python]
app = "shop.main:start"
path = ["src"]
```

## Where a value comes from

Later sources override earlier ones. `profile.show` prints the origin of each value.

1. the defaults below
2. the profiles named by `extends`, the most distant first
3. the profile itself
4. `[tool.clusterlib]` in the project's `pyproject.toml`, then `[tool.clusterlib.profiles.NAME]`
5. the environment: `CLUSTERLIB_` and the path of the setting, such as `CLUSTERLIB_NODES_COUNT=5`;
   lists are split as a shell splits words, and an empty variable is ignored
6. the command line

Tables are merged key by key. A list replaces the whole list; `"..."` in it stands for the inherited
items, so `arguments = ["...", "--verbose"]` adds an argument. `profile = "NAME"` in
`[tool.clusterlib]` names the default profile. The variable `CLUSTERLIB_PROFILE` does the same and
takes precedence.

Then the profile is adapted to the machine (see [`[adapt]`](#adapt)): fewer nodes if CPUs or memory,
as limited by cgroups, are short; longer timeouts in CI; an address instead of a host name that does
not lead to this machine; other ports if the kernel's own range covers the usual ones. Each change
has a reason. Values from the environment or the command line are never adapted.

All mistakes of a profile are reported at once, each with its file and line and a correction. The
exit code is 2, and nothing is started. `profile.check` also tries templates and texts, as far as
this is possible despite other mistakes; `cluster.up` does so once all settings are valid.

A table or setting in a file that the driver of the profile does not use is also a mistake:
`[ready]` without `driver = "command"` would have no effect. This does not apply to settings that
are inherited from a profile of another driver, that `[tool.clusterlib]` sets for all profiles, or
that come from the environment.

## Settings
"""

WATCHED = """\
## Files that nodes read

An embedded node records which modules it has loaded: those of the project in any folder, of
editable dependencies and installed packages, and C extensions, including those that it loaded long
after its start. If one of them has changed on disk, the next `cluster.up`, `cluster.run` or test
run restarts the nodes. The same applies to programs and templates, to the compiled modules of
Erlang nodes, and to the source of [servers](systems.md#code-and-configuration-that-change). Other
files that nodes read are not visible from outside. Name them:

```toml
watch = ["config/**", "prices.csv", "plugins/*/plugin.toml"]
```

A pattern begins in the project, or at `/`. `*` and `?` stand for a part of a name, `**` for any
folders; a folder means everything in it. A file that appears, disappears or gets another content
counts as changed; a file that is only touched does not. `.clusterlib`, `.git` and `__pycache__` are
never watched. The files are read at each use of the cluster, so do not name gigabytes: above 64 MB
only size and times are compared.

Not covered, unless you name the files:

- data, and code that is run without an import: `exec`, `runpy`, plug-ins that are found by listing
  a folder before one of them was loaded;
- code of processes that an embedded node has started;
- for a server, files that its command and its environment do not lead to: its libraries, sources in
  other languages than Python, files that only its configuration names.
  [Servers](systems.md#code-and-configuration-that-change) has the list.

Not covered at all: environment variables of the shell that started the cluster, the Python that
runs it, its standard library, clusterlib, and the targets of `.pth` files and editable installs.
After a change of these use `cluster.down` and `cluster.up`.
"""

TEMPLATES = """\
## What a template is given

Templates are [Jinja](https://jinja.palletsprojects.com) texts. An unknown name is a mistake, with
file and line. They are rendered in Jinja's sandbox: a template computes with its variables, and
cannot run code, change a list or produce very large results. `profile.check` therefore runs nothing
of a profile with a shipped driver, as long as you call it in a folder of your own: `invoke` runs
the `tasks.py` of the current folder. If a profile names [another driver](extending.md), its module
is imported, from `[python] path` too: read such a profile before you check it. Starting a cluster
of a profile does run the programs that it names.

| name | what |
| --- | --- |
| `cluster.name`, `cluster.project`, `cluster.profile` | the cluster, the project's folder, the profile |
| `cluster.simulated` | whether all nodes run in one process |
| `cluster.nodes` | a list of all nodes of all roles, each as `node` below |
| `node.name`, `node.index`, `node.index0` | the node's name, and its number from 1 and from 0 |
| `node.role` | the role of the node in its cluster; `node`, as a profile has one role |
| `node.address`, `node.host` | the address it binds to, and its host name |
| `node.ports` | its port for each purpose: `node.ports.http` |
| `node.directory`, `node.memory` | its own folder; the setting `memory` in bytes, which is the default where it is not set |
| `seed`, `peers` | the first node; all nodes but this one |
| `data` | a folder for what the node writes, kept by a restart, emptied by a fresh one (driver `command`) |
| `alive` | the names of the nodes that run, see below; in `[formed]`, of those that the node should see |
| `starting` | the names of the nodes that are started together, this one among them |
| `timeouts` | the table of that name: `timeouts.detect` |
| `roster` | all nodes, each with `name`, `address` and the `port` for cluster traffic, for `tojson` |
| `erlang_address` | the node's address as Erlang writes it: `{127,0,0,1}` |
| `python.app`, `python.path` | the function to call, or none; the code roots as absolute paths |
| `cookie_file` | the file with the cluster's secret |

In `[templates]`, `arguments`, `prepare` and `[environment]`, `alive` are the nodes that ran before
this start began: none at the first start, and none when all are restarted. In other texts they are
the nodes that answer at that moment. With `alive` and `starting` a node can find out that it is the
first to start, or to start again, and must begin the cluster:
`{% if not alive and node.name == starting[0] %}--bootstrap{% endif %}`. This is true for exactly
one node of a first start, for one when all are restarted, and for one that is started while all
others are down.

The folder of a project may have any name, including spaces and quotes. So write values into JSON
with the filter `tojson`, `{{ node.name | tojson }}`, and into a shell script with the filter
`quote`, `cp {{ data | quote }}/*.log .`; other files have their own rules. Arguments need no
quotes, because no shell reads them. With driver `command`, the texts of `[environment]`, `[ready]`,
`[form]`, `[formed]`, `[health]` and, in `[command]`, of `arguments`, `prepare`, `stop_command`,
`logs` and `shell` are also filled in: `arguments = ["--port", "{{ node.ports.client }}"]`.
"""


def schema() -> dict[str, Any]:
    """The JSON schema of a profile file, for editors."""
    from clusterlib.drivers.external import installed

    properties = {one.name: described_of(one) for one in SHARED}
    for name, table in Vocabulary.of_all().sections.items():
        properties[name] = {**json_schema_of(table), "description": table.__doc__}
    properties["driver"]["examples"] = [*SHIPPED, *(name for name in installed() if name not in SHIPPED)]
    properties["extends"] = {"type": "string", "description": EXTENDS}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A clusterlib profile",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def reference() -> str:
    """docs/profiles.md."""
    return "\n".join([INTRODUCTION, *_settings(), WATCHED, TEMPLATES])


def _settings() -> Iterator[str]:
    plain = [one for one in SHARED if kind_of(one).table is None and not kind_of(one).open]
    extends = f"| `extends` | text | | {EXTENDS} |"
    yield from _table("### At the top of the file", "", [extends, *(_row(one) for one in plain)])
    for one in SHARED:
        kind = kind_of(one)
        if kind.table is not None:
            about = one.metadata["description"]
            yield from _table(f"### `[{one.name}]`", about, [_row(inner) for inner in fields(kind.table)])
        elif kind.open:
            yield from (
                f"### `[{one.name}]`",
                "",
                _wrapped(one.metadata["description"]),
                "",
                *_driver_defaults(one.name),
            )
    for driver in SHIPPED:
        for name, table in driver_of(driver).sections().items():
            yield from _table(
                f"### `[{name}]`", table.__doc__ or "", [_row(inner) for inner in fields(table)]
            )


def _wrapped(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH, break_on_hyphens=False)


def _table(title: str, about: str, rows: list[str]) -> Iterator[str]:
    yield from (title, "")
    if about:
        yield from (_wrapped(about), "")
    yield from ("| setting | what | default | |", "| --- | --- | --- | --- |", *rows, "")


def _row(one: Field[Any]) -> str:
    return f"| `{one.name}` | {_words(kind_of(one))} | {_default(one)} | {one.metadata['description']} |"


def _words(kind: Kind) -> str:
    schema = kind.json
    if "enum" in schema:
        return " or ".join(f'`"{word}"`' for word in schema["enum"])
    if "examples" in schema:
        return f"such as `{in_toml(schema['examples'][0])}`"
    words = {"boolean": "true or false", "array": "list of texts", "string": "text"}
    if schema["type"] not in words:
        noun = "whole number" if schema["type"] == "integer" else "number"
        least = (
            f"above {schema['exclusiveMinimum']:g}"
            if "exclusiveMinimum" in schema
            else f"{schema['minimum']:g}"
        )
        return f"{noun}, {least} to {schema['maximum']:g}"
    return words[schema["type"]]


def _default(one: Field[Any]) -> str:
    if one.default is MISSING or one.default is None:
        return ""
    return f"`{in_toml(memory_text(one.default) if one.name == 'memory' else one.default)}`"


def _driver_defaults(table: str) -> Iterator[str]:
    for name in SHIPPED:
        kind = driver_of(name)
        values = {"ports": kind.ports, "templates": kind.templates}.get(table)
        if values:
            defaults = ", ".join(
                f"`{in_toml(key) if '.' in key else key} = {in_toml(value)}`" for key, value in values.items()
            )
            yield from (f"Default with driver `{name}`: {defaults}.", "")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference())
