%% What clusterlib adds to a node, and only while it is talked to: calls whose errors arrive whole, news of other nodes,
%% and what a look at the node's health needs. No text from outside becomes an atom unless code of that name exists.
%% There is no preprocessor where this is compiled: no macros. Loops name their module, so that they outlive a newer version.
-module(clusterlib_node).

-export([call/3, watch/1, watching/2, join/1, start/1, leave/0, seen/0, look/0, digests/1]).

%% -- calls

%% Module and Function are text or atoms. Text that starts like an Elixir module means that module.
call(Module, Function, Args) ->
    try
        M = module(Module),
        F = function(M, Function),
        erlang:apply(M, F, Args)
    of
        Value -> {ok, Value}
    catch
        throw:{clusterlib_node, undefined} -> {error, undef, [{Module, Function, Args, []}]};
        Class:Reason:Stack -> {Class, Reason, ours_cut_off(Stack)}
    end.

module(Module) when is_atom(Module) ->
    Module;
module(<<First, _/binary>> = Name) when First >= $A, First =< $Z ->
    first_there([<<"Elixir.", Name/binary>>, Name]);
module(Name) when is_binary(Name) ->
    first_there([Name]).

first_there([]) ->
    throw({clusterlib_node, undefined});
first_there([Name | Rest]) ->
    case loaded(Name) of
        {ok, Module} -> Module;
        none -> first_there(Rest)
    end.

loaded(Name) ->
    try binary_to_existing_atom(Name, utf8) of
        Module ->
            case erlang:module_loaded(Module) orelse code:ensure_loaded(Module) of
                true -> {ok, Module};
                {module, Module} -> {ok, Module};
                _ -> none
            end
    catch
        error:badarg ->
            %% No such atom: the module was not loaded yet, or does not exist at all.
            case code:where_is_file(unicode:characters_to_list(<<Name/binary, ".beam">>)) of
                non_existing -> none;
                _ -> loaded_now(binary_to_atom(Name, utf8))
            end
    end.

loaded_now(Module) ->
    case code:ensure_loaded(Module) of
        {module, Module} -> {ok, Module};
        _ -> none
    end.

function(_, Function) when is_atom(Function) ->
    Function;
function(_, Name) ->
    try
        binary_to_existing_atom(Name, utf8)
    catch
        error:badarg -> throw({clusterlib_node, undefined})
    end.

ours_cut_off(Stack) ->
    lists:takewhile(fun(Frame) -> element(1, Frame) =/= clusterlib_node end, Stack).

%% -- news of other nodes

%% Tells Client of every node that comes or goes, hidden ones too, until Client's connection ends.
watch(Client) ->
    Caller = self(),
    {Pid, Monitor} = spawn_monitor(fun() ->
        ok = net_kernel:monitor_nodes(true, #{node_type => all, nodedown_reason => true}),
        true = erlang:monitor_node(node(Client), true),
        Caller ! {self(), nodes([visible])},
        clusterlib_node:watching(Client, node(Client))
    end),
    receive
        {Pid, Nodes} ->
            erlang:demonitor(Monitor, [flush]),
            {ok, Pid, Nodes};
        {'DOWN', Monitor, process, Pid, Reason} ->
            {error, Reason}
    end.

watching(Client, Home) ->
    receive
        {nodedown, Home} -> ok;
        {nodedown, Home, _} -> ok;
        {nodeup, Node, #{node_type := Type}} -> tell(Client, {nodeup, Node, Type}, Home);
        {nodedown, Node, #{node_type := Type} = Info} ->
            tell(Client, {nodedown, Node, Type, maps:get(nodedown_reason, Info, unknown)}, Home);
        _ -> clusterlib_node:watching(Client, Home)
    end.

tell(Client, News, Home) ->
    erlang:send(Client, {clusterlib_node, node(), News}, [noconnect]),
    clusterlib_node:watching(Client, Home).

%% -- coming and leaving

%% Connects to these nodes, each by itself, since one that is gone takes its time. Who came is told by the news.
join(Nodes) ->
    [spawn(net_kernel, connect_node, [Node]) || Node <- Nodes, not lists:member(Node, nodes())],
    ok.

%% Starts applications and all that they need.
start(Names) ->
    start(Names, []).

start([], Started) ->
    {ok, Started};
start([Name | Rest], Started) ->
    case application:ensure_all_started(application_named(Name)) of
        {ok, More} -> start(Rest, Started ++ More);
        {error, Reason} -> {error, Name, Reason}
    end.

%% The name of an application is that of a file NAME.app, which nobody has read yet: it must become an atom.
application_named(Name) when is_binary(Name) -> binary_to_atom(Name, utf8);
application_named(Name) -> Name.

%% Stops all applications, the last one first, so that each can put its things away, and ends at once.
leave() ->
    spawn(fun() ->
        process_flag(trap_exit, true),
        [application:stop(Name) || {Name, _, _} <- application:which_applications(),
                                   Name =/= kernel, Name =/= stdlib],
        erlang:halt(0)
    end),
    ok.

%% -- what a look at the node needs

%% The nodes this one sees, itself included: those that count as members.
seen() ->
    [node() | nodes()].

look() ->
    #{node => node(),
      nodes => nodes(),
      hidden => nodes(hidden),
      known => nodes(known),
      applications => [{Name, list_to_binary(Version)} || {Name, _, Version} <- application:which_applications()],
      processes => erlang:system_info(process_count),
      process_limit => erlang:system_info(process_limit),
      ports => erlang:system_info(port_count),
      atoms => erlang:system_info(atom_count),
      atom_limit => erlang:system_info(atom_limit),
      memory => maps:from_list(erlang:memory()),
      run_queue => erlang:statistics(total_run_queue_lengths),
      schedulers => erlang:system_info(schedulers_online),
      uptime => element(1, erlang:statistics(wall_clock)) div 1000,
      release => list_to_binary(erlang:system_info(otp_release)),
      init => element(1, init:get_status())}.

%% The digests of the code that runs, of these modules; `none` where one is not loaded.
digests(Names) ->
    [{Name, digest(Name)} || Name <- Names].

digest(Name) when is_binary(Name) ->
    try
        digest(binary_to_existing_atom(Name, utf8))
    catch
        error:badarg -> none
    end;
digest(Module) ->
    case erlang:module_loaded(Module) of
        true -> Module:module_info(md5);
        false -> none
    end.
