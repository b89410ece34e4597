%% What clusterlib does with the processes of a node. Texts become terms only if the node knows their atoms, and nothing of them
%% is evaluated. The one process that outlives a call is the holder of suspended processes, which ends with the last of them.
-module(clusterlib_acting).

-export([kill/3, send/2, suspend/2, resume/2, holding/1, collect_garbage/2, start/6, value/1]).

%% Ends it, and waits until it has ended. One that handles exits is killed, because it could go on.
kill(Target, Reason, Time) ->
    Pid = clusterlib_processes:living(Target),
    Monitor = monitor(process, Pid),
    case process_info(Pid, trap_exit) of
        {trap_exit, false} -> exit(Pid, Reason);
        _ -> exit(Pid, kill)
    end,
    let_go(Pid, Time),
    ended(Pid, Monitor, Time div 2) orelse begin
        exit(Pid, kill),
        ended(Pid, Monitor, Time div 2) orelse clusterlib_processes:fail(late, none)
    end,
    ok.

ended(Pid, Monitor, Time) ->
    receive {'DOWN', Monitor, process, Pid, _} -> true after Time -> false end.

send(Target, Value) ->
    Pid = clusterlib_processes:living(Target),
    Pid ! value(Value),
    ok.

%% A value is {Text, Encoded}. Text is read as Elixir where Elixir runs. Else it was read as Erlang by the client, and is
%% encoded, too.
value({Text, Encoded}) ->
    case is_binary(Text) andalso clusterlib_processes:elixir_runs() of
        true -> elixir_term(Text);
        false when Encoded =:= none -> clusterlib_processes:fail(unreadable, none);
        false -> try binary_to_term(Encoded, [safe]) catch error:badarg -> clusterlib_processes:fail(unknown_atom, none) end
    end.

elixir_term(Text) ->
    case 'Elixir.Code':string_to_quoted(Text, [{existing_atoms_only, true}]) of
        {ok, Quoted} -> data(Quoted);
        {error, {_, <<"unsafe atom does not exist: ">>, _}} -> clusterlib_processes:fail(unknown_atom, none);
        {error, {_, Why, Where}} -> clusterlib_processes:fail(unwritable, problem(Why, Where))
    end.

problem(Why, Where) when is_binary(Why), is_binary(Where) -> <<Why/binary, Where/binary>>;
problem({Before, After}, Where) -> clusterlib_processes:said("~ts~ts~ts", [Before, Where, After]);
problem(Why, _) -> clusterlib_processes:shown(Why, 200).

%% Only what is data. Nothing of it is evaluated.
data(Value) when is_number(Value); is_atom(Value); is_binary(Value) -> Value;
data(Items) when is_list(Items) -> [data(One) || One <- Items];
data({One, Other}) -> {data(One), data(Other)};
data({'{}', _, Items}) -> list_to_tuple(data(Items));
data({'%{}', _, Pairs}) when is_list(Pairs) -> maps:from_list(data(Pairs));
data({'-', _, [Number]}) when is_number(Number) -> -Number;
data({'__block__', _, [One]}) -> data(One);
data({'__aliases__', _, Parts}) ->
    case lists:all(fun is_atom/1, Parts) of
        true ->
            Name = lists:join($., ["Elixir" | [atom_to_binary(Part) || Part <- Parts]]),
            try
                binary_to_existing_atom(unicode:characters_to_binary(Name))
            catch
                error:badarg -> clusterlib_processes:fail(unknown_atom, none)
            end;
        false -> clusterlib_processes:fail(unwritable, <<"a message is data, without variables and calls">>)
    end;
data(_) -> clusterlib_processes:fail(unwritable, <<"a message is data, without variables and calls">>).

collect_garbage(Target, Time) ->
    Pid = clusterlib_processes:living(Target),
    Mark = make_ref(),
    erlang:garbage_collect(Pid, [{async, Mark}]),
    receive
        {garbage_collect, Mark, true} -> ok;
        {garbage_collect, Mark, false} -> clusterlib_processes:fail(gone, none)
    after Time -> clusterlib_processes:fail(late, none)
    end.

%% Starts a process on the node of that name, or here. The name of the process is known to all nodes.
start(Module, Function, Values, Name, Wish, Time) ->
    Args = [value(One) || One <- Values],
    {M, F} = clusterlib_supervision:existing(Module, Function, length(Args)),
    Node = wished(Wish),
    Start = fun() ->
        {module, M} = erpc:call(Node, code, ensure_loaded, [M], Time),
        erpc:call(Node, proc_lib, spawn, [M, F, Args], Time)
    end,
    case clusterlib_processes:within(Time, Start) of
        {ok, Pid} -> named(Name, Pid);
        _ -> clusterlib_processes:fail(unreachable, clusterlib_processes:node_name(Node))
    end.

wished(none) -> node();
wished({Kind, Name}) ->
    case clusterlib_supervision:node_named(Name) of
        none when Kind =:= node -> clusterlib_processes:fail(unreachable, Name);
        none -> node();
        Node -> Node
    end.

named(Name, Pid) ->
    case Name =:= none orelse global:register_name(Name, Pid) of
        no ->
            exit(Pid, kill),
            clusterlib_processes:fail(taken, clusterlib_processes:where(Name));
        _ -> clusterlib_processes:id(Pid)
    end.

%% -- holding still

%% A suspended process goes on when the process that suspended it ends. So one process of ours holds all of them.
suspend(Target, Time) ->
    Pid = clusterlib_processes:living(Target),
    Needed = [Needed || Name <- [init, rex, net_kernel, code_server, clusterlib_suspended],
                        Needed <- [whereis(Name)], Needed =:= Pid],
    case Needed of
        [] -> ok;
        _ -> clusterlib_processes:fail(needed, clusterlib_processes:name(Pid))
    end,
    case held(suspend, Pid, Time) of
        suspended -> ok;
        exited -> clusterlib_processes:fail(gone, none)
    end.

resume(Target, Time) ->
    let_go(clusterlib_processes:living(Target), Time).

%% Does nothing if we do not hold it.
let_go(Pid, Time) ->
    case whereis(clusterlib_suspended) of
        undefined -> ok;
        _ -> held(resume, Pid, Time), ok
    end.

held(What, Pid, Time) ->
    Holder = holder(),
    Mark = monitor(process, Holder),
    Holder ! {What, Pid, self(), Mark},
    receive
        {Mark, Answer} -> demonitor(Mark, [flush]), Answer;
        {'DOWN', Mark, process, _, _} -> held(What, Pid, Time)  %% it had nothing more to hold, and ended
    after Time -> demonitor(Mark, [flush]), clusterlib_processes:fail(late, none)
    end.

holder() ->
    case whereis(clusterlib_suspended) of
        undefined ->
            spawn(fun() ->
                try register(clusterlib_suspended, self()) of
                    true -> clusterlib_acting:holding(#{})
                catch
                    error:badarg -> ok  %% another one was faster
                end
            end);
        Holder -> Holder
    end.

holding(Held) ->
    receive
        {suspend, Pid, From, Mark} when is_map_key(Pid, Held) ->
            From ! {Mark, suspended},
            clusterlib_acting:holding(Held);
        {suspend, Pid, From, Mark} ->
            try erlang:suspend_process(Pid, [unless_suspending, {asynchronous, {From, Mark}}]) of
                _ -> clusterlib_acting:holding(Held#{Pid => monitor(process, Pid)})
            catch
                error:badarg -> From ! {Mark, exited}, clusterlib_acting:holding(Held)
            end;
        {{From, Mark}, State} ->
            From ! {Mark, State},
            clusterlib_acting:holding(Held);
        {resume, Pid, From, Mark} when is_map_key(Pid, Held) ->
            demonitor(maps:get(Pid, Held), [flush]),
            try erlang:resume_process(Pid) catch error:badarg -> ok end,
            From ! {Mark, resumed},
            clusterlib_acting:holding(maps:remove(Pid, Held));
        {resume, _, From, Mark} ->
            From ! {Mark, resumed},
            clusterlib_acting:holding(Held);
        {'DOWN', _, process, Pid, _} ->
            clusterlib_acting:holding(maps:remove(Pid, Held))
    after case map_size(Held) of 0 -> 100; _ -> infinity end -> ok
    end.
