%% What clusterlib adds to a node, and only while it is talked to: calls whose errors arrive whole, news of other nodes,
%% and what a look at the node's health needs. No text from outside becomes an atom unless code of that name exists.
%% There is no preprocessor where this is compiled: no macros. Loops name their module, so that they outlive a newer version.
-module(clusterlib_node).

-export([call/3, watch/1, watching/2, heed/1, heeding/1, join/1, configure/1, start/1, leave/0, seen/0, look/0, echo/1, reach/2, silent/2]).
-export([module/1, function/2, behaviour/1]).
-export([compare/1, load/1, unload/1, evaluate/2, interrupt/1, collecting/1, collecting/2]).

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

%% -- silence

%% Has this node and all others that do the same listen for each other, from now on. One that gives no sign of life for Limit
%% milliseconds is disconnected, as if it had ended, and connected again as soon as it answers.
heed(Limit) ->
    Caller = self(),
    {Pid, Monitor} = spawn_opt(fun() ->
        try register(clusterlib_node, self()) catch error:badarg -> exit(listens_already) end,
        ok = net_kernel:monitor_nodes(true),
        Known = lists:foldl(fun met/2, #{}, nodes()),
        Caller ! {self(), heeds},
        clusterlib_node:heeding(#{limit => Limit, heard => Known, lost => #{}, grace => 0, due => now_in_ms()})
    end, [monitor, {priority, high}]),
    receive
        {Pid, heeds} -> erlang:demonitor(Monitor, [flush]), ok;
        {'DOWN', Monitor, process, Pid, listens_already} -> ok
    end.

%% heard: when each peer gave its last sign of life. lost: peers that were disconnected, and the process that tries to reach each.
heeding(#{due := Due, heard := Heard, lost := Lost} = State) ->
    receive
        {clusterlib_node, lives, Node} ->
            clusterlib_node:heeding(State#{heard := Heard#{Node => now_in_ms()}});
        {nodeup, Node} ->
            clusterlib_node:heeding(State#{heard := met(Node, Heard), lost := maps:remove(Node, Lost)});
        {nodedown, Node} ->
            clusterlib_node:heeding(State#{heard := maps:remove(Node, Heard)});
        {'DOWN', _, process, {clusterlib_node, Node}, noproc} ->
            clusterlib_node:heeding(State#{heard := maps:remove(Node, Heard)});  %% none of ours: it may be silent
        {'DOWN', _, process, Pid, gone} ->
            clusterlib_node:heeding(State#{lost := maps:filter(fun(_, Seeker) -> Seeker =/= Pid end, Lost)});
        {'DOWN', _, process, Pid, _} ->
            Again = fun(_, Seeker) -> case Seeker of Pid -> none; _ -> Seeker end end,
            clusterlib_node:heeding(State#{lost := maps:map(Again, Lost)});
        _ ->
            clusterlib_node:heeding(State)
    after max(0, Due - now_in_ms()) -> clusterlib_node:heeding(sought(judged(State)))
    end.

%% Counts as heard until the answer is that the helper does not run there.
met(Node, Heard) ->
    erlang:monitor(process, {clusterlib_node, Node}),
    show_life(Node),
    Heard#{Node => now_in_ms()}.

%% Six signs of life in the limit; after nearly five that did not come a peer counts as silent. A node that was late itself must not
%% accuse others: its own delay is granted to all, and makes it lenient as long as it goes on.
judged(#{limit := Limit, due := Due, heard := Heard, lost := Lost, grace := Former} = State) ->
    Interval = max(1, Limit div 6),
    Now = now_in_ms(),
    Delay = Now - Due,
    Late = case Delay > 20 of true -> Delay; false -> 0 end,
    Grace = max(min(Late, Limit), Former * 9 div 10),
    [show_life(Node) || Node <- nodes()],
    Granted = maps:map(fun(_, Last) -> min(Now, Last + Late) end, Heard),
    Silent = [Node || {Node, Last} <- maps:to_list(Granted), Now - Last > Limit - Interval - Interval div 2 + Grace],
    [erlang:disconnect_node(Node) || Node <- Silent],
    State#{due := Now + Interval, grace := Grace, heard := maps:without(Silent, Granted),
           lost := maps:merge(Lost, maps:from_list([{Node, none} || Node <- Silent]))}.

show_life(Node) ->
    Send = fun(Options) -> erlang:send({clusterlib_node, Node}, {clusterlib_node, lives, node()}, Options) end,
    case Send([noconnect, nosuspend]) of
        nosuspend -> spawn(fun() -> Send([noconnect]) end);  %% much is under way to it: waits for a gap
        _ -> ok
    end.

%% One attempt at a time for each that was lost: a node that is paused takes the connection, and does not answer.
sought(#{lost := Lost} = State) ->
    Seek = fun
        (Node, none) -> element(1, spawn_monitor(fun() -> seek(Node) end));
        (_, Seeker) -> Seeker
    end,
    State#{lost := maps:map(Seek, Lost)}.

%% A node that has ended is not waited for: when it is started again, it joins by itself.
seek(Node) ->
    [Name, Host] = string:split(atom_to_list(Node), "@"),
    Directory = net_kernel:epmd_module(),
    case Directory:port_please(Name, Host) of
        noport -> exit(gone);
        _ -> net_kernel:connect_node(Node)
    end.

now_in_ms() ->
    erlang:monotonic_time(millisecond).

%% -- coming and leaving

%% Connects to these nodes, each by itself, since one that is gone takes its time. The news say who came.
join(Nodes) ->
    [spawn(net_kernel, connect_node, [Node]) || Node <- Nodes, not lists:member(Node, nodes())],
    ok.

%% Reads Elixir's files of configuration as Mix does: each is merged into those before it, and what they say goes before what
%% applications say of themselves.
configure(Files) ->
    {ok, _} = application:ensure_all_started(elixir),
    Options = [{env, list_to_atom(os:getenv("MIX_ENV", "dev"))}, {target, host}],
    Read = fun(File, Known) ->
        'Elixir.Config.Reader':merge(Known, 'Elixir.Config.Reader':'read!'(File, Options))
    end,
    application:set_env(lists:foldl(Read, [], Files), [{persistent, true}]).

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

%% The name of an application is that of a file NAME.app, which may not have been read yet: it must become an atom.
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

%% Term, as a process of its own gives it back, and the node that did that work.
echo(Term) ->
    {Pid, Monitor} = spawn_monitor(fun() -> exit({node(), Term}) end),
    receive {'DOWN', Monitor, process, Pid, Answer} -> Answer end.

%% Microseconds until a process spawned on Node has answered: the median of a few, once the two are connected.
reach(Node, Timeout) ->
    Node = erpc:call(Node, erlang, node, [], Timeout),
    Taken = [element(1, timer:tc(erpc, call, [Node, erlang, node, [], Timeout])) || _ <- lists:seq(1, 5)],
    lists:nth(3, lists:sort(Taken)).

%% The supervisors and servers of these applications that give no sign of life within Timeout. All are asked at once.
silent(Names, Timeout) ->
    Until = now_in_ms() + Timeout,
    Servers = lists:append([supervised(top(existing(Name)), Until) || Name <- Names]),
    Asked = [{Pid, spawn_monitor(sys, statistics, [Pid, get, Timeout])} || Pid <- lists:sublist(Servers, 200)],
    [called(Pid) || {Pid, {_, Monitor}} <- Asked,
                    receive {'DOWN', Monitor, process, _, Reason} -> Reason =/= normal end,
                    is_process_alive(Pid)].

top(Application) ->
    case application_controller:get_master(Application) of
        undefined -> [];
        Master ->
            case application_master:get_child(Master) of
                {Pid, _} when is_pid(Pid) -> [Pid];
                _ -> []
            end
    end.

%% Supervisors and all below them that are servers. Others need not answer.
supervised(Pids, Until) ->
    lists:flatmap(fun(Pid) ->
        case behaviour(Pid) of
            supervisor -> [Pid | supervised(children(Pid, Until), Until)];
            server -> [Pid];
            none -> []
        end
    end, Pids).

children(Pid, Until) ->
    Left = max(0, Until - now_in_ms()),
    try gen_server:call(Pid, which_children, Left) of
        Children -> [Child || {_, Child, _, _} <- Children, is_pid(Child)]
    catch
        exit:_ -> []
    end.

behaviour(Pid) ->
    case proc_lib:initial_call(Pid) of
        {supervisor, _, _} -> supervisor;
        {'Elixir.DynamicSupervisor', _, _} -> supervisor;
        {Module, init, _} ->
            Attributes = case erlang:module_loaded(Module) of true -> Module:module_info(attributes); false -> [] end,
            Named = [Name || {Kind, Names} <- Attributes, Name <- Names, Kind =:= behaviour orelse Kind =:= behavior],
            case Named -- (Named -- [gen_server, gen_statem, gen_event, 'Elixir.GenServer']) of
                [] -> none;
                _ -> server
            end;
        _ -> none
    end.

called(Pid) ->
    case process_info(Pid, registered_name) of
        {registered_name, Name} -> unicode:characters_to_binary(io_lib:format("~tp", [Name]));
        _ -> list_to_binary(pid_to_list(Pid))
    end.

existing(Name) when is_binary(Name) ->
    try binary_to_existing_atom(Name, utf8) catch error:badarg -> undefined end;
existing(Name) -> Name.

%% -- code

%% Each of these modules {Name, File} that runs here, with the digest of what runs and of its file. Where nothing is loaded
%% by itself, those that do not run yet, too.
compare(Modules) ->
    Embedded = code:get_mode() =:= embedded,
    [{Name, Running, on_disk(File)} || [Name, File] <- Modules,
                                       Running <- [digest(Name)],
                                       Running =/= none orelse Embedded].

%% Loads these [Name, File, Binary], all of them or none. As in a shell, processes end that still run code older than what
%% is replaced. Gives what was refused.
load(Modules) ->
    New = [{binary_to_atom(Name, utf8), unicode:characters_to_list(File), Binary} || [Name, File, Binary] <- Modules],
    [code:purge(Module) || {Module, _, _} <- New],
    load_together(New).

load_together(Modules) ->
    case code:atomic_load(Modules) of
        ok ->
            [];
        {error, Refused} ->
            %% Modules with a function that runs when they are loaded come one by one.
            Alone = [Module || {Module, on_load_not_allowed} <- Refused],
            {Single, Together} = lists:partition(fun({Module, _, _}) -> lists:member(Module, Alone) end, Modules),
            case length(Alone) =:= length(Refused) andalso load_together(Together) of
                false -> Refused;
                [] -> lists:append([load_alone(Module) || Module <- Single]);
                More -> More
            end
    end.

load_alone({Module, File, Binary}) ->
    case code:load_binary(Module, File, Binary) of
        {module, Module} -> [];
        {error, Why} -> [{Module, Why}]
    end.

%% Takes the code of these away; processes that run it end with the next code of that name.
unload(Names) ->
    [begin code:purge(Module), code:delete(Module) end || Name <- Names,
                                                          digest(Name) =/= none,
                                                          Module <- [binary_to_existing_atom(Name, utf8)]],
    ok.

on_disk(File) ->
    case file:read_file(File) of
        {ok, Binary} -> code:module_md5(Binary);
        {error, _} -> none
    end.

digest(Name) ->
    try binary_to_existing_atom(Name, utf8) of
        Module ->
            case erlang:module_loaded(Module) of
                true -> Module:module_info(md5);
                false -> none
            end
    catch
        error:badarg -> none
    end.

%% -- a line typed by a person

%% What an expression comes to, as text, and what it printed: Elixir's where Elixir runs, else Erlang's. A caller that knows its mark
%% can end it before.
evaluate(Source, Mark) ->
    put(clusterlib_node, Mark),
    Output = spawn(clusterlib_node, collecting, [self()]),
    Usual = group_leader(),
    group_leader(Output, self()),
    Outcome =
        case lists:keymember(elixir, 1, application:which_applications()) of
            true -> elixir(Source);
            false -> erlang(unicode:characters_to_list(Source))
        end,
    group_leader(Usual, self()),
    Output ! {heard, self()},
    receive {Output, Heard} -> maps:put(output, Heard, Outcome) end.

interrupt(Mark) ->
    Marked = fun(Pid) ->
        case process_info(Pid, dictionary) of
            {dictionary, Known} -> lists:member({clusterlib_node, Mark}, Known);
            undefined -> false
        end
    end,
    [exit(Pid, kill) || Pid <- processes(), Marked(Pid)],
    ok.

erlang(Source) ->
    try
        {value, Value, _} = erl_eval:exprs(parsed(Source), [], {value, fun shell_command/2}),
        #{value => shown("~tp", [Value])}
    catch
        throw:{clusterlib_node, Problem} -> #{problem => Problem};
        Class:Reason:Stack ->
            Ours = fun(Module, _, _) -> lists:member(Module, [clusterlib_node, erl_eval, erpc, rpc]) end,
            Text = erl_error:format_exception(Class, Reason, Stack, #{stack_trim_fun => Ours}),
            #{problem => shown("~ts", [Text])}
    end.

%% As the shell looks for it. A newer one would otherwise ask its own process, which does not run here, for a function that does not exist.
shell_command(Name, Values) ->
    Has = fun(Module) ->
        code:ensure_loaded(Module) =:= {module, Module} andalso erlang:function_exported(Module, Name, length(Values))
    end,
    case lists:filter(Has, [user_default, shell_default]) of
        [Module | _] -> apply(Module, Name, Values);
        [] -> erlang:raise(error, undef, [{shell_default, Name, Values, []}])
    end.

parsed(Source) ->
    case erl_scan:string(Source) of
        {ok, Tokens, End} ->
            Whole = case lists:keymember(dot, 1, Tokens) of true -> Tokens; false -> Tokens ++ [{dot, End}] end,
            case erl_parse:parse_exprs(Whole) of
                {ok, Expressions} -> Expressions;
                {error, {_, Module, What}} -> throw({clusterlib_node, shown("~ts", [Module:format_error(What)])})
            end;
        {error, {_, Module, What}, _} -> throw({clusterlib_node, shown("~ts", [Module:format_error(What)])})
    end.

elixir(Source) ->
    try
        {Value, _} = 'Elixir.Code':eval_string(Source),
        #{value => 'Elixir.Kernel':inspect(Value, [{pretty, true}])}
    catch
        Class:Reason:Stack -> #{problem => 'Elixir.Exception':format(Class, Reason, ours_cut_off(Stack))}
    end.

shown(Format, Values) ->
    unicode:characters_to_binary(io_lib:format(Format, Values)).

%% Takes the place of the terminal of the evaluating process. At the end it hands those who go on to the log of the node.
collecting(Evaluator) ->
    collecting(monitor(process, Evaluator), []).

collecting(Evaluator, Heard) ->
    receive
        {io_request, From, As, Request} ->
            {Answer, More} = written(Request),
            From ! {io_reply, As, Answer},
            clusterlib_node:collecting(Evaluator, [Heard, More]);
        {heard, Asker} ->
            hand_over(),
            Asker ! {self(), iolist_to_binary(Heard)};
        {'DOWN', Evaluator, process, _, _} ->
            hand_over()
    end.

hand_over() ->
    [group_leader(whereis(user), Pid) || Pid <- processes(),
        process_info(Pid, group_leader) =:= {group_leader, self()}].

written({put_chars, Encoding, Module, Function, Args}) ->
    try apply(Module, Function, Args) of
        Chars -> written({put_chars, Encoding, Chars})
    catch
        _:_ -> {{error, Function}, []}
    end;
written({put_chars, Encoding, Chars}) ->
    case unicode:characters_to_binary(Chars, Encoding) of
        Binary when is_binary(Binary) -> {ok, Binary};
        _ -> {{error, put_chars}, []}
    end;
written({requests, Requests}) ->
    lists:foldl(fun(Request, {_, Before}) ->
        {Answer, More} = written(Request),
        {Answer, [Before, More]}
    end, {ok, []}, Requests);
written({setopts, _}) -> {ok, []};
written(getopts) -> {[{encoding, unicode}], []};
written(Request) when element(1, Request) =:= get_geometry -> {{error, enotsup}, []};
%% There is no keyboard: a question is answered by the Return key, and a read without a prompt finds the end.
written({get_line, _, Prompt}) when Prompt =/= '', Prompt =/= "", Prompt =/= <<>> -> {"\n", []};
written(_) -> {eof, []}.
