%% Who is registered where: local names, `global`, the groups of `pg`, Elixir's registries, and those of Horde, which are found
%% by what their processes were started with.
-module(clusterlib_registries).

-export([names/1, find/1]).

%% Each as {Registry, Name, Id}.
names(Time) ->
    Local = [{<<"local">>, clusterlib_processes:text(Name), Pid} || Name <- registered(), Pid <- [whereis(Name)], is_pid(Pid)],
    Global = [{<<"global">>, clusterlib_processes:text(Name), Pid}
              || Name <- global:registered_names(), Pid <- [global:whereis_name(Name)], is_pid(Pid)],
    Groups = [{titled(<<"pg ">>, Scope), clusterlib_processes:text(Group), Pid}
              || Scope <- started_as({pg, init, 1}), Group <- pg:which_groups(Scope), Pid <- pg:get_members(Scope, Group)],
    [{Registry, Name, clusterlib_processes:id(Pid)} || {Registry, Name, Pid} <- Local ++ Global ++ Groups ++ keyed(Time)].

%% The processes that have this name in a registry of Elixir or of Horde.
find(Name) ->
    [Pid || {_, Known, Pid} <- keyed(500), Known =:= Name].

keyed(Time) ->
    Kinds = [{<<"Horde ">>, {'Elixir.Horde.RegistryImpl', init, 1}, 'Elixir.Horde.Registry'},
             {<<"Registry ">>, {supervisor, 'Elixir.Registry.Supervisor', 1}, 'Elixir.Registry'}],
    [{titled(Title, Name), clusterlib_processes:text(Key), Pid}
     || {Title, Call, Module} <- Kinds, Name <- started_as(Call), {Key, Pid} <- selected(Module, Name, Time), is_pid(Pid)].

%% Registries are code of others, and may fail.
selected(Module, Name, Time) ->
    Wanted = [{{'$1', '$2', '_'}, [], [{{'$1', '$2'}}]}],
    case clusterlib_processes:within(Time, fun() -> Module:select(Name, Wanted) end) of
        {ok, Found} when is_list(Found) -> Found;
        _ -> []
    end.

%% The registered names of the processes that were started with this call.
started_as(Call) ->
    [Name || Name <- registered(), Pid <- [whereis(Name)], is_pid(Pid), proc_lib:translate_initial_call(Pid) =:= Call].

titled(Title, Name) ->
    <<Title/binary, (clusterlib_processes:text(Name))/binary>>.
