"""Every mistake at once, each with its place and what would be right."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.errors import ProfileError
from clusterlib.profiles import Mistake, ResolvedProfile, shipped

Load = Callable[..., ResolvedProfile]
Found = Callable[..., list[Mistake]]
Write = Callable[[str, str], Path]


def test_all_mistakes_of_a_file_come_in_one_report_in_order(load: Load, write: Write, project: Path) -> None:
    write(
        "shop",
        """\
simulate = "yes"
[nodes]
cuont = 3
count = "three"
name = "node"
[network]
mode = "netns"
[ports]
cluster = "20000-23999"
http = "23000-24999"
spare = "30000-30001"
[timeouts]
start = 0
[templates]
"node.json" = "absent.j2"
[seasons]
x = 1
""",
    )

    with pytest.raises(ProfileError) as caught:
        load("shop")

    assert caught.value.exit_code == 2
    assert list(caught.value.evidence) == (
        [
            (
                'profiles/shop.toml:1: simulate: must be true or false, not "yes"; '
                "write true or false, without quotes"
            ),
            'profiles/shop.toml:3: nodes.cuont: unknown key; did you mean "count"?',
            (
                'profiles/shop.toml:4: nodes.count: must be a whole number, not "three"; '
                "write it without quotes and without a fraction, for example 3"
            ),
            (
                'profiles/shop.toml:5: nodes.name: "node" gives every node the same name; '
                'put {index} into it, for example "node{index}"'
            ),
            (
                'profiles/shop.toml:7: network.mode: "netns" is reserved for a later version and not there yet; '
                'use one of "shared", "per-node" until then'
            ),
            (
                'profiles/shop.toml:10: ports.http: "23000-24999" overlaps with ports.cluster, '
                'which is "20000-23999"; give each purpose ports of its own'
            ),
            (
                'profiles/shop.toml:11: ports.spare: "30000-30001" has 2 ports for 3 nodes; '
                'write at least 3, for example "30000-30002"'
            ),
            "profiles/shop.toml:13: timeouts.start: 0 is out of bounds; write more than 0",
            (
                'profiles/shop.toml:15: templates.node.json: there is no template "absent.j2"; '
                f"searched in {project / 'templates'} and {shipped('templates')}"
            ),
            f"profiles/shop.toml:16: seasons: unknown key; known here: {KNOWN}",
        ]
    )


KNOWN = (
    "adapt, beam, command, derived, description, driver, environment, extends, form, formed, health, linger, monitor, network, "
    "nodes, ports, python, ready, requires, restart, retry, simulate, templates, tests, timeouts, watch"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nodes = 3", "nodes: must be a table, not 3"),
        ("[[nodes]]\ncount = 3", "nodes: must be a table, not [a table]"),
        ("nodes.count = true", "nodes.count: must be a whole number, not true"),
        ("nodes.count = 0", "nodes.count: 0 is out of bounds; write at least 1"),
        ("nodes.count = 2.5", "nodes.count: must be a whole number, not 2.5"),
        (f"nodes.count = 0x{'f' * 5000}", "nodes.count: a number of 20000 bits is out of bounds"),
        ("nodes = { count = 2, min = 3 }", "nodes.min: 3 is more than nodes.count, which is 2"),
        ('nodes.name = "a/{index}"', 'nodes.name: "a/{index}" is no name for a node'),
        ('nodes.name = "a{index}{foo}"', "known here: {index}"),
        ('nodes.host = "{who}"', "known here: {index}, {index0}, {name}, {address}"),
        ('nodes.memory = "32 parsecs"', 'has an unknown unit "parsecs"'),
        ('nodes.memory = "0B"', "is no amount of memory"),
        ("timeouts.start = nan", "timeouts.start: nan is no length of anything"),
        ("timeouts.start = inf", "timeouts.start: inf is no length of anything"),
        ("timeouts.start = 1e9", "write at most 86400"),
        ("timeouts.start = 2020-01-01", "timeouts.start: must be a number, not 2020-01-01"),
        ('driver = "pyhton"', 'driver: "pyhton" is not known here; did you mean "python"?'),
        ('driver = "docker"', 'driver: "docker" is not known here; known: "python", "command", "beam"'),
        ('ports.http = "30-40"', "holds ports below 1024"),
        ('ports.http = "3000 3009"', "is not a range of ports"),
        ('ports.http = "4000-3000"', 'ends before it begins; write "3000-4000"'),
        ('ports.http = "4000-70000"', "goes beyond 65535"),
        ("ports.http = [4000]", "must be a range of ports in quotes"),
        ('ports.http = "40000-41000"', "reaches into 32768-60999, which the kernel gives to outgoing"),
        ('ports."Not A Name" = "30000-30100"', "is no name for what ports are for"),
        ('templates."../x" = "python/node.json.j2"', "is no file name in a node's folder"),
        ('templates."/etc/passwd" = "python/node.json.j2"', "is no file name in a node's folder"),
        ('templates."x" = "../../secret"', "is no path inside a templates folder"),
        ("environment.PORT = 8080", "environment.PORT: must be text, not 8080; put it in quotes"),
        ('environment."a b" = "1"', "is no name for an environment variable"),
        ('environment.CLUSTERLIB_NAME = "1"', "is a name kept for clusterlib itself"),
        ('environment.A = "\\u0000"', "holds a NUL character"),
        ('tests.paths = ["a", 3]', "tests.paths[1]: must be text, not 3"),
        ('tests.paths = "a"', 'tests.paths: must be a list, not "a"'),
        ('tests.fallbacks = ["retry", "smalller"]', 'tests.fallbacks[1]: "smalller" is not known here; did you mean "smaller"?'),
        ('tests.fallbacks = ["wait"]', 'tests.fallbacks[0]: "wait" is not known here; known: "retry", "smaller",'),
        ('tests.fallbacks = "skip"', 'tests.fallbacks: must be a list, not "skip"'),
        ('tests.strict = "sometimes"', 'tests.strict: "sometimes" is not known here'),
        ('tests.log_lines = -1', "tests.log_lines: -1 is out of bounds; write at least 0"),
        ('tests.turn = 0', "tests.turn: 0 is out of bounds; write more than 0"),
        ('monitor.interval = -1', "monitor.interval: -1 is out of bounds; write at least 0"),
        ('python.app = "main"', 'python.app: "main" does not name a function; write "package.module:function"'),
        ('python.path = ["absent"]', 'python.path: there is no folder "absent"'),
        ('restart.policy = "allways"', 'did you mean "always"?'),
        ("restart = { first = 9, ceiling = 3 }", "restart.ceiling: 3 is less than restart.first, which is 9"),
        ("count = 3", 'count: unknown key'),
        ("policy = 3", "it belongs into [restart]"),
        ("adapt.memory_share = 1.5", "adapt.memory_share: 1.5 is out of bounds; write at most 1"),
        ("extends = 3", "extends: must be text, not 3"),
        ('extends = "dve"', 'extends: there is no profile "dve"; did you mean "dev"?'),
        ('extends = "mine"', "extends: goes in a circle: mine -> mine"),
        ("a = ", "1: is not valid TOML: Invalid value"),
        ("[nodes]\ncount = 1\ncount = 2\n", "3: is not valid TOML: Cannot overwrite a value (column 10)"),
        ('a = "', "is not valid TOML"),
        (f"a = {'1' * 5000}", "is not valid TOML: Exceeds the limit"),
        (f"a = {'[' * 5000}", "is nested too deeply"),
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
    ],
)  # fmt: skip
def test_a_mistake_says_what_is_wrong_and_what_is_right(
    mistakes: Found, write: Write, text: str, told: str
) -> None:
    write("mine", text)

    found = [str(mistake) for mistake in mistakes("mine")]

    assert len(found) == 1, found
    assert found[0].startswith("profiles/mine.toml")
    assert told in found[0]


def test_a_mistake_in_an_extended_profile_points_there(mistakes: Found, write: Write) -> None:
    write("base", "\n\n[nodes]\ncount = 0\n")
    write("mine", 'extends = "base"\ntimeouts.start = -1\n')

    assert {mistake.where for mistake in mistakes("mine")} == {"profiles/base.toml:4", "profiles/mine.toml:2"}


def test_a_circle_names_its_chain(mistakes: Found, write: Write) -> None:
    write("one", 'extends = "two"\n')
    write("two", '\nextends = "three"\n')
    write("three", 'extends = "one"\n')

    (found,) = mistakes("one")

    assert (found.where, found.field) == ("profiles/three.toml:1", "extends")
    assert "one -> two -> three -> one" in found.problem


def test_mistakes_of_the_environment_and_the_command_line_name_them(mistakes: Found) -> None:
    found = mistakes(
        "dev",
        environ={
            "CLUSTERLIB_NODES_COUNT": "many",
            "CLUSTERLIB_NODES_CUONT": "3",
            "CLUSTERLIB_PORTS_HTTP": "one",
        },
        overrides={"nodes.hots": "a", "": 1, "simulate": "perhaps"},
    )

    told = "\n".join(map(str, found))
    assert "environment CLUSTERLIB_NODES_COUNT: nodes.count: must be a whole number" in told
    assert "CLUSTERLIB_NODES_CUONT: is no setting; did you mean CLUSTERLIB_NODES_COUNT?" in told
    assert 'environment CLUSTERLIB_PORTS_HTTP: ports.http: "one" is not a range' in told
    assert 'command line: nodes.hots: unknown key; did you mean "host"?' in told
    assert "command line: simulate: must be true or false" in told
    assert "is no setting; write" in told
    assert len(found) == 6


@pytest.mark.parametrize(
    ("variable", "text", "right"),
    [
        ("COMMAND_ARGUMENTS", "'unbalanced", "separate words by spaces, and close each quote, as in a shell"),
        ("NODES_COUNT", "many", "write a number without a fraction, for example 3"),
        ("TIMEOUTS_START", "long", "write a number, for example 1.5"),
        ("SIMULATE", "perhaps", "write true or false"),
    ],
)
def test_what_is_right_in_a_variable_is_told_for_a_variable(
    mistakes: Found, variable: str, text: str, right: str
) -> None:
    (found,) = mistakes("dev", environ={f"CLUSTERLIB_{variable}": text})

    assert found.right == right


def test_asking_for_more_than_there_are_at_least_is_a_mistake(mistakes: Found) -> None:
    (found,) = mistakes("dev", overrides={"nodes.count": 1, "nodes.min": 2})

    assert str(found).startswith("command line: nodes.min: 2 is more than nodes.count, which is 1")


def test_nodes_with_addresses_of_their_own_need_one_port(mistakes: Found, write: Write) -> None:
    write("mine", 'network.mode = "per-node"\nports = { cluster = "20000-20000", http = "20001-20001" }\n')

    assert mistakes("mine") == []


def test_an_unknown_profile_gets_the_nearest_name(load: Load) -> None:
    with pytest.raises(ProfileError) as caught:
        load("ci-lrage")

    assert caught.value.problem == 'there is no profile "ci-lrage"'
    assert caught.value.remedies[0] == 'did you mean "ci-large"?'


@pytest.mark.parametrize("name", ["", ".", "..", "a\0b", "x" * 5000, "/", "no/such/file.toml", "\udcff"])
def test_a_name_that_no_file_can_have_is_an_unknown_profile(mistakes: Found, name: str) -> None:
    assert len(mistakes(name)) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xef\xbb\xbfsimulate = true", "begins with a byte order mark (UTF-8)"),
        ("simulate = true".encode("utf-16"), "begins with a byte order mark (UTF-16)"),
        (b"a = 1\nb = '\xe9'\n", ":2: is not UTF-8: byte 0xe9 at column 6"),
        (b"a = 1\n" * 200_000, "is larger than 1024 KiB"),
        (b"\0", "is not valid TOML"),
    ],
)
def test_a_file_that_is_no_text_is_a_mistake(
    mistakes: Found, project: Path, content: bytes, told: str
) -> None:
    (project / "profiles/mine.toml").write_bytes(content)

    (found,) = mistakes("mine")

    assert told in str(found)


def test_what_is_no_file_is_a_mistake(mistakes: Found, project: Path) -> None:
    profiles = project / "profiles"
    (profiles / "folder.toml").mkdir()
    os.mkfifo(profiles / "pipe.toml")
    (profiles / "broken.toml").symlink_to("absent")
    (profiles / "loop.toml").symlink_to("loop.toml")

    assert [mistakes(name)[0].problem for name in ("folder", "pipe", "broken")] == [
        "is a folder, not a file",
        "is not a regular file",
        "does not exist",
    ]
    assert "cannot be read: too many levels" in mistakes("loop")[0].problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_mistake(mistakes: Found, write: Write) -> None:
    write("mine", "simulate = true").chmod(0)

    assert "cannot be read: permission denied" in str(mistakes("mine")[0])


def test_a_watched_pattern_that_can_name_no_file_is_a_mistake(
    load: Load, write: Write, project: Path
) -> None:
    (project / "config").mkdir()
    (project / "prices.csv").write_text("")
    write("well", 'watch = ["config/**", "prices.csv", ".env*", "/etc/hosts", "config"]\n')
    assert load("well").origin("watch").line == 1
    write("shop", 'watch = ["confg/**", "prices.tsv", ""]\n')

    with pytest.raises(ProfileError) as caught:
        load("shop")

    assert "watch" in caught.value.evidence[0]
    write("shop", 'watch = ["confg/**", "prices.tsv"]\n')
    with pytest.raises(ProfileError) as caught:
        load("shop")
    right = f"write files or folders relative to {project}"
    assert list(caught.value.evidence) == [
        f'profiles/shop.toml:1: watch: there is no file or folder "confg"; {right}',
        f'profiles/shop.toml:1: watch: there is no file or folder "prices.tsv"; {right}',
    ]


def test_what_is_watched_shapes_the_cluster(load: Load, write: Write, project: Path) -> None:
    (project / "config").mkdir()
    write("shop", "watch = []\n")
    before = load("shop").fingerprint()
    write("shop", 'watch = ["config/**"]\n')

    assert load("shop").fingerprint() != before
