"""Templates become texts, and every failure says where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from clusterlib.errors import TemplateError
from clusterlib.machine.facts import Machine
from clusterlib.profiles import ResolvedProfile, load_profile, template_folders
from clusterlib.profiles.samples import sample_values
from clusterlib.profiles.trying import check_templates
from clusterlib.rendering import complete, render, render_page, render_text
from tests.odd_names import ODD

ROOT = Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a template of the project."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "profiles").mkdir()

    def written(name: str, text: str) -> Path:
        path = tmp_path / "templates" / name
        path.write_text(text)
        return path

    return written


@pytest.fixture
def profile() -> ResolvedProfile:
    return load_profile("dev", project=ROOT, environ={}, machine=Machine(None, 8.0, 2**34), adapt=False)


def test_values_and_a_template_make_a_text(write: Callable[[str, str], Path]) -> None:
    path = write("greeting", "Hello {{ who }} & <co>\n")

    assert render("greeting", [path.parent], {"who": "you"}) == "Hello you & <co>\n"
    assert render(path, [], {"who": "you"}) == "Hello you & <co>\n"


def test_a_path_is_one_word_of_a_shell_script_whatever_its_name(write: Callable[[str, str], Path]) -> None:
    path = write("say.sh", "printf '%s' {{ folder | quote }}/x")
    script = render(path, [], {"folder": f"/tmp/{ODD}"})

    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == (
        f"/tmp/{ODD}/x"
    )
    with pytest.raises(TemplateError, match="is undefined"):
        render(path, [], {})


def test_a_template_that_cannot_be_read_is_no_mistake_in_an_expression(
    write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("server.conf", "{% if true %}port{% endif %}")

    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files", str(path))

    monkeypatch.setattr("jinja2.FileSystemLoader.get_source", refuse)

    with pytest.raises(TemplateError) as told:
        render(path, [], {})

    assert "Too many open files" in told.value.problem
    assert told.value.remedies == ("see that it can be read",)


def test_a_page_escapes_every_value_and_includes_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>{{ text | loud }}</p>{% include 'page.css' %}")
    (tmp_path / "page.css").write_text("a > b { }")

    page = render_page(tmp_path / "page.html", {"text": "<b>&"}, loud=str.upper)

    assert page == "<p>&lt;B&gt;&amp;</p>a > b { }"


def test_the_first_folder_that_has_the_template_wins(
    write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    write("a", "first")
    (tmp_path / "a").write_text("second")

    assert render("a", [tmp_path / "templates", tmp_path], {}) == "first"


def test_a_changed_template_is_read_anew(write: Callable[[str, str], Path], tmp_path: Path) -> None:
    folder = write("a", "before").parent
    assert render("a", [folder], {}) == "before"

    write("a", "after, and longer")
    os.utime(folder / "a", (1, 1))

    assert render("a", [folder], {}) == "after, and longer"


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("one\n{{ absent }}", "'absent' is undefined", 2),
        ("\n\n{{ node.nmae }}", 'there is no "nmae" here, only name, ports', 3),
        ("{{ node.nmae | tojson }}", 'there is no "nmae" here, only name, ports', 1),
        ("{{ node.ports.http.x }}", "has no attribute 'x'", 1),
        ("a\n{% if %}", "Expected an expression", 2),
        ("a\n{% endfor %}", "unknown tag 'endfor'", 2),
        ("\n{{ node | nofilter }}", "No filter named 'nofilter'", 2),
        ("\n\n\n{{ 1 / 0 }}", "ZeroDivisionError", 4),
        ("{% for x in node.ports.http %}{% endfor %}", "TypeError", 1),
        ("\n{% include 'absent' %}", 'there is no template "absent"', 2),
        ("\n{% include '../../../etc/passwd' %}", "there is no template", 2),
        ("\n{% include 'it' %}", "it includes or calls itself without end", 2),
    ],
)
def test_a_failure_says_what_and_where(
    write: Callable[[str, str], Path], text: str, problem: str, line: int
) -> None:
    path = write("it", text)

    with pytest.raises(TemplateError) as caught:
        render("it", [path.parent], {"node": {"name": "n", "ports": {"http": 1}}})

    assert problem in caught.value.problem
    assert caught.value.evidence == (f"{path}:{line}",)
    assert caught.value.remedies
    assert caught.value.exit_code == 2


def test_a_failure_in_what_is_included_points_there(write: Callable[[str, str], Path]) -> None:
    inner = write("inner", "\n\n{{ absent }}")
    outer = write("outer", "{% include 'inner' %}")

    with pytest.raises(TemplateError) as caught:
        render(outer, [], {"node": 1})

    assert caught.value.evidence == (f"{inner}:3",)
    assert caught.value.remedies == ("names a template is given here: node",)


def test_a_template_that_is_missing_or_no_text_says_so(
    write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    path = write("bytes", "")
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(TemplateError, match="it is not UTF-8"):
        render(path, [], {})
    with pytest.raises(TemplateError, match='there is no template "absent"') as caught:
        render("absent", [tmp_path], {})
    assert caught.value.remedies == (f"searched in {tmp_path}",)


def test_the_shipped_template_gives_an_embedded_node_all_it_reads(profile: ResolvedProfile) -> None:
    text = render("python/node.json.j2", template_folders(ROOT), sample_values(profile, 2))

    assert json.loads(text) == {
        "name": "node2",
        "cluster": "sample",
        "simulated": False,
        "index": 2,
        "address": "127.0.0.1",
        "host": "localhost",
        "ports": {"cluster": 20001, "http": 24001},
        "cookie_file": "/sample/cookie",
        "directory": "/sample/node2",
        "peers": [
            {"name": "node1", "address": "127.0.0.1", "port": 20000},
            {"name": "node2", "address": "127.0.0.1", "port": 20001},
            {"name": "node3", "address": "127.0.0.1", "port": 20002},
        ],
        "detect": 0.8,
        "app": None,
        "code_roots": [str(ROOT)],
    }


def test_odd_names_survive_the_shipped_template(profile: ResolvedProfile) -> None:
    values = sample_values(profile)
    odd = 'a "b" \\ <c> é\n'
    values["cluster"]["name"] = values["node"]["directory"] = odd

    data = json.loads(render("python/node.json.j2", template_folders(ROOT), values))

    assert (data["cluster"], data["directory"]) == (odd, odd)


def test_a_single_node_is_its_only_peer(profile: ResolvedProfile) -> None:
    values = sample_values(profile)
    values["cluster"]["nodes"] = values["cluster"]["nodes"][:1]

    text = render("python/node.json.j2", template_folders(ROOT), complete(values))
    peers = json.loads(text)["peers"]

    assert [peer["name"] for peer in peers] == ["node1"]


def test_all_shipped_profiles_have_sound_templates() -> None:
    for name in ("dev", "ci-small", "ci-large"):
        assert check_templates(load_profile(name, project=ROOT, environ={}, adapt=False)) == []


def test_each_unsound_template_of_a_profile_is_a_mistake(
    write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    write("one", "fine so far\n{{ node.prots }}")
    write("two", "{% if node.index == 2 %}{{ absent }}{% endif %}")
    write("three", "{{ cluster.nodes | length }}")
    (tmp_path / "profiles/mine.toml").write_text('[templates]\na = "one"\nb = "two"\nc = "three"\n')
    resolved = load_profile("mine", project=tmp_path, environ={}, adapt=False)

    found = check_templates(resolved)

    assert [(mistake.field, mistake.where) for mistake in found] == [
        ("templates.a", f"{tmp_path}/templates/one:2"),
        ("templates.b", f"{tmp_path}/templates/two:1"),
    ]
    assert 'there is no "prots" here, only address' in found[0].problem


def test_everything_a_template_is_given_is_in_the_reference(profile: ResolvedProfile) -> None:
    described = (ROOT / "docs/profiles.md").read_text()

    def names(values: dict[str, Any], above: str = "") -> list[str]:
        return [f"{above}{key}" for key in values]

    sample = sample_values(profile)
    expected = [
        *names(sample["cluster"], "cluster."),
        *names(sample["node"], "node."),
        *names(sample["python"], "python."),
    ]
    assert [name for name in [*expected, "timeouts", "cookie_file"] if f"`{name}`" not in described] == []


def test_the_module_is_cheap_until_it_is_used() -> None:
    code = "import sys, clusterlib.rendering; print('jinja2' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.split() == ["False"]


def test_profiles_do_not_pay_for_what_they_do_not_use() -> None:
    code = (
        "import sys\nfrom clusterlib.profiles import load_profile; load_profile('dev')\n"
        "print([name for name in ('jinja2', 'toml', 'difflib', 'rich') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("profile", "template"), [("dev", "python/node.json.j2"), ("beam", "beam/vm.args.j2")]
)
def test_what_our_own_nodes_read_is_written_without_the_template_language(
    profile: str, template: str
) -> None:
    code = (
        "import sys; from pathlib import Path; from clusterlib.profiles import load_profile, template_folders\n"
        "from clusterlib.rendering import render; from clusterlib.profiles.samples import sample_values\n"
        f"values = sample_values(load_profile({profile!r}))\n"
        f"text = render({template!r}, template_folders(Path.cwd()), values)\n"
        "print('node1' in text and '127' in text, 'jinja2' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.strip() == "True False"


VALUES: dict[str, Any] = {
    "name": 'it\'s <b> & "c"',
    "count": 3,
    "share": 0.5,
    "yes": True,
    "nothing": None,
    "node": {"name": "söhne", "ports": {"http": 1, "b": [2, {"z": 1, "a": "<"}]}, "items": "hidden"},
}
PIECES = [
    "{{ name }}", "{{name}}", "{{ node.name }}", "{{ node.ports.http }}", "{{ node.ports | tojson }}",
    "{{ name|tojson }}", "{{ yes }}", "{{ yes | tojson }}", "{{ nothing }}", "{{ nothing | tojson }}",
    "{{ count }}", "{{ share }}", "{{ node.items }}", "{{ node['name'] }}", "{{ name | upper }}",
    "{{- count }}", "{{ count -}}", "{{ unknown }}", "{{ node.unknown }}", "{{ name.upper() }}",
    "{#- said -#}", "{# said #}", "{% if yes %}", "{% endif %}", "{{", "}}", "{", "}", "#}", "{{ node.name.x }}",
    " ", "\n", "\r\n", "a", '"', "\\", "ü", "{{ range }}", "{{\nname }}", "{{ count }}}", "{{{ count }}",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_a_text_of_names_is_what_the_template_language_makes_of_it(text: str) -> None:
    whole = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    try:
        expected = whole.from_string(text).render(VALUES)
    except Exception:  # noqa: BLE001 - it fails in many ways
        with pytest.raises(TemplateError):
            render_text(text, VALUES)
    else:
        assert render_text(text, VALUES) == expected
