"""An Erlang application with processes of all kinds, for tests that look into nodes, and a stub of
Horde: modules with the names, initial calls and answers of the real library, which is not
installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.systems.beam_nodes import PATIENCE

__all__ = ["compile_shop"]

APPLICATION = """
{application, shop, [{vsn, "1"}, {modules, [shop]}, {registered, [shop_sup, cart]},
                     {applications, [kernel, stdlib]}, {mod, {shop, []}}]}.
"""
SOURCES = {
    "shop": """
-module(shop).
-behaviour(gen_server).
-export([start/2, stop/1, supervise/3, init/1, cart/1, cart/2, handle_call/3, handle_cast/2, handle_info/2]).
-export([loop/1, plain/0, stubborn/0, fill/2, empty/0, idle/1, watcher/1, watching/1, busy/0, seen/1, wasteful/0, waste/0]).
-export([join/2, horde/1, spreading/0, dynamic/0, registry/1, keeping/2, deaf/0, deaf_child/1]).

start(_, _) -> supervise(shop_sup, one_for_one, [child(cart, [cart, #{tea => 1}]), child(till, [till, []])]).
stop(_) -> ok.

supervise(Name, Strategy, Children) ->
    supervisor:start_link({local, Name}, shop, {supervisor, Strategy, Children}).

child(Name, Args) -> #{id => Name, start => {shop, cart, Args}, restart => permanent}.

init({supervisor, Strategy, Children}) ->
    {ok, {#{strategy => Strategy, intensity => 20, period => 60}, Children}};
init(State) ->
    {ok, State}.

cart(State) -> gen_server:start_link(shop, State, []).
cart(Name, State) -> gen_server:start_link({local, Name}, shop, State, []).

handle_call(state, _, State) -> {reply, State, State}.
handle_cast(sleep, State) -> receive wake -> {noreply, State} end.
handle_info({add, Item}, State) when is_map(State) -> {noreply, State#{Item => 1}};
handle_info(Other, State) -> {noreply, [Other | lists:wrap(State)]}.

plain() -> spawn(shop, loop, [[]]).
loop(Seen) -> receive {seen, From} -> From ! {seen, self(), Seen}, loop(Seen); Other -> loop([Other | Seen]) end.

stubborn() -> spawn(fun() -> process_flag(trap_exit, true), loop([]) end).

fill(Count, Size) -> [spawn(shop, idle, [lists:seq(1, Size)]) || _ <- lists:seq(1, Count)], ok.
idle(_) -> receive stop -> ok end.

empty() -> [exit(Pid, kill) || Pid <- processes(), {_, {shop, idle, 1}} <- [process_info(Pid, initial_call)]], ok.

watcher(Name) -> watching(whereis(Name)).
watching(Pid) ->
    Starter = self(),
    Watcher = spawn(fun() -> monitor(process, Pid), Starter ! watching, loop([]) end),
    receive watching -> Watcher end.

%% A server that is busy for ever.
busy() -> {ok, Pid} = gen_server:start(shop, [], []), gen_server:cast(Pid, sleep), Pid.

seen(Pid) -> Pid ! {seen, self()}, receive {seen, Pid, Seen} -> Seen after 10000 -> silent end.

wasteful() -> spawn(shop, waste, []).
waste() -> _ = length(lists:seq(1, 500000)), loop([]).

join(Group, Pid) -> {ok, _} = pg:start(shop_scope), ok = pg:join(shop_scope, Group, Pid).
horde(Table) -> {ok, _} = 'Elixir.Horde.RegistryImpl':start(shop_horde, Table), ok.
spreading() -> {ok, _} = 'Elixir.Horde.DynamicSupervisorImpl':start(shop_spread), ok.
dynamic() -> {ok, Pid} = 'Elixir.DynamicSupervisor':start_link([{name, shop_dynamic}]), unlink(Pid), ok.

registry(Key) ->
    {ok, Pid} = 'Elixir.Registry':start_link([{keys, unique}, {name, shop_registry}]),
    unlink(Pid),
    spawn(shop, keeping, [Key, Pid]),
    ok.
keeping(Key, Registry) ->
    link(Registry),
    {ok, _} = 'Elixir.Registry':register(shop_registry, Key, none),
    loop([]).

%% A supervisor whose child cannot be started again, because its start hangs the second time.
deaf() ->
    Child = #{id => deaf, start => {shop, deaf_child, [shop_deaf_child]}},
    {ok, Pid} = supervise(shop_deaf, one_for_one, [Child]),
    unlink(Pid),
    ok.
deaf_child(Name) ->
    case get(started) of
        undefined -> put(started, true), cart(Name, []);
        true -> receive never -> ok end
    end.
""",
    "Elixir.Horde.RegistryImpl": """
-module('Elixir.Horde.RegistryImpl').
-behaviour(gen_server).
-export([start/2, init/1, handle_call/3, handle_cast/2]).
start(Name, Table) -> gen_server:start({local, Name}, 'Elixir.Horde.RegistryImpl', Table, []).
init(Table) -> {ok, Table}.
handle_call(table, _, Table) -> {reply, Table, Table}.
handle_cast(_, Table) -> {noreply, Table}.
""",
    "Elixir.Horde.Registry": """
-module('Elixir.Horde.Registry').
-export([select/2]).
select(Name, [{{'$1', '$2', '_'}, [], [{{'$1', '$2'}}]}]) -> gen_server:call(Name, table).
""",
    "Elixir.Horde.DynamicSupervisorImpl": """
-module('Elixir.Horde.DynamicSupervisorImpl').
-behaviour(gen_server).
-export([start/1, init/1, handle_call/3, handle_cast/2]).
start(Name) -> gen_server:start({local, Name}, 'Elixir.Horde.DynamicSupervisorImpl', [], []).
init(State) -> {ok, State}.
handle_call({start_child, #{start := {M, F, A}} = Spec}, _, State) ->
    {reply, erpc:call(maps:get(prefer, Spec, node()), 'Elixir.Horde.DynamicSupervisor', run, [M, F, A]), State};
handle_call(which_children, _, State) -> receive never -> {reply, [], State} end.
handle_cast(_, State) -> {noreply, State}.
""",
    "Elixir.Horde.DynamicSupervisor": """
-module('Elixir.Horde.DynamicSupervisor').
-export([start_child/2, run/3]).
start_child(Name, Spec) -> gen_server:call(Name, {start_child, Spec}).
run(M, F, A) -> {ok, Pid} = apply(M, F, A), unlink(Pid), {ok, Pid}.
""",
}


def compile_shop(folder: Path) -> Path:
    """The folder with the compiled modules, which nodes take on their path."""
    ebin = folder / "ebin"
    ebin.mkdir(parents=True, exist_ok=True)
    (ebin / "shop.app").write_text(APPLICATION)
    for module, source in SOURCES.items():
        (folder / f"{module}.erl").write_text(source)
    files = [str(folder / f"{module}.erl") for module in SOURCES]
    subprocess.run(["erlc", "-o", str(ebin), *files], check=True, timeout=PATIENCE)
    return ebin
