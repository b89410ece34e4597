%% What clusterlib shows of the processes of a node. Loaded when it is first needed.
%% No text from outside becomes an atom: names are compared as text.
%% Each function runs in a process of its own and is bounded, so nothing is left when it has answered.
%% There is no preprocessor where this is compiled: no macros.
-module(clusterlib_processes).

-export([where/1, busiest/3, detail/2]).
-export([living/1, id/1, node_name/1, name/1, function/1, parent/1, text/1, shown/2, said/2, within/2, fail/2, elixir_runs/0]).

%% -- finding

%% The id of a process and the name of its node; `none` if there is no such process.
where(Target) ->
    case found(Target) of
        none -> none;
        Pid -> {id(Pid), node_name(node(Pid))}
    end.

%% A target is a name, or {id, Text} with the text of a local pid.
found({id, Text}) ->
    try list_to_pid(binary_to_list(Text)) of
        Pid when node(Pid) =:= node() ->
            case is_process_alive(Pid) of true -> Pid; false -> none end;
        _ -> none
    catch
        error:badarg -> none
    end;
found(Name) ->
    Local = fun() -> [whereis(Known) || Known <- registered(), text(Known) =:= Name] end,
    Global = fun() -> [global:whereis_name(Known) || Known <- global:registered_names(), text(Known) =:= Name] end,
    Others = fun() -> clusterlib_registries:find(Name) end,
    first_pid([Local, Global, Others]).

first_pid([]) ->
    none;
first_pid([Look | Rest]) ->
    case [Pid || Pid <- Look(), is_pid(Pid)] of
        [Pid | _] -> Pid;
        [] -> first_pid(Rest)
    end.

living(Target) ->
    case found(Target) of
        none -> fail(gone, none);
        Pid when node(Pid) =/= node() -> fail(elsewhere, {id(Pid), node_name(node(Pid))});
        Pid -> Pid
    end.

%% -- the busiest

%% How many processes there are, and the first Limit of them by Order. One value of each is read, and the rest of the chosen.
busiest(Order, Limit, Matching) ->
    Key = case Order of
        <<"memory">> -> memory;
        <<"messages">> -> message_queue_len;
        <<"work">> -> reductions
    end,
    Found = [{Value, Pid} || Pid <- processes(), Pid =/= self(), matches(Pid, Matching),
                             {_, Value} <- [process_info(Pid, Key)]],
    Chosen = lists:sublist(lists:reverse(lists:sort(Found)), Limit),
    {length(Found), lists:append([row(Pid) || {_, Pid} <- Chosen])}.

matches(_, none) ->
    true;
matches(Pid, Part) ->
    has(name(Pid), Part) orelse has(function(Pid), Part).

has(none, _) -> false;
has(Text, Part) -> string:find(Text, Part) =/= nomatch.

%% Nothing if the process has ended meanwhile.
row(Pid) ->
    case process_info(Pid, [memory, message_queue_len, reductions, status]) of
        [{_, Memory}, {_, Messages}, {_, Work}, {_, Status}] ->
            Supervisor = case parent(Pid) of none -> none; Parent -> id(Parent) end,
            [{id(Pid), function(Pid), Status, name(Pid), Messages, Work, Memory, Supervisor}];
        undefined -> []
    end.

%% -- one process

%% Everything about a process, as text. Its state and its messages are copied only if they are not too large.
detail(Target, Time) ->
    Pid = living(Target),
    Keys = [memory, message_queue_len, status, current_stacktrace, links, monitors, monitored_by,
            trap_exit, priority, group_leader, total_heap_size, dictionary],
    case {row(Pid), process_info(Pid, Keys)} of
        {[Row], [_ | _] = Facts} ->
            Known = maps:from_list(Facts),
            {Waiting, Asked} = waiting(Pid, Known),
            #{row => Row,
              waiting => Waiting,
              links => some(maps:get(links, Known)),
              monitors => some([Item || {_, Item} <- maps:get(monitors, Known)]),
              monitored_by => some(maps:get(monitored_by, Known)),
              ancestors => [ancestor(One) || One <- entry('$ancestors', Known), is_pid(One) orelse is_atom(One)],
              stack => [frame(One) || One <- lists:reverse(maps:get(current_stacktrace, Known))],
              values => [{<<"state">>, state(Pid, Known, Asked, Time)} || answers(Pid, Known)]
                  ++ place(Pid, Time) ++ facts(Pid, Known)};
        _ -> fail(gone, none)
    end.

%% The first messages, and whether a question for its state is among them.
waiting(Pid, #{message_queue_len := Length, memory := Memory}) when Length =< 10000, Memory =< 64000000 ->
    case process_info(Pid, messages) of
        {messages, Messages} ->
            Asked = lists:any(fun(M) -> is_tuple(M) andalso M =/= {} andalso element(1, M) =:= system end, Messages),
            {[shown(One, 200) || One <- lists:sublist(Messages, 10)], Asked};
        undefined -> fail(gone, none)
    end;
waiting(_, #{message_queue_len := Length}) ->
    {[said("~b messages, too many or too large to be copied", [Length])], false}.

%% By what it was started with. Some servers, such as Elixir's agents, hide that, but wait as servers do.
answers(Pid, #{current_stacktrace := Stack}) ->
    Serving = [{gen_server, loop}, {gen_server, try_dispatch}, {gen_server, try_handle_call},
               {gen_statem, loop_receive}, {gen_statem, loop_state_callback}, {gen_event, fetch_msg}],
    clusterlib_node:behaviour(Pid) =/= none
        orelse lists:any(fun({Module, Function, _, _}) -> lists:member({Module, Function}, Serving) end, Stack).

%% Only what answers such questions by its kind is asked. One that has not answered is not asked a second time: the question
%% would wait in its mailbox, too.
state(_, #{status := suspended}, _, _) ->
    <<"not known: it is suspended">>;
state(_, _, true, _) ->
    <<"not known: it has not answered an earlier question">>;
state(_, #{memory := Memory}, _, _) when Memory > 64000000 ->
    said("not asked for: ~b bytes would have to be copied", [Memory]);
state(Pid, _, _, Time) ->
    Limit = Time div 2,
    case within(Limit + 100, fun() -> shown(sys:get_state(Pid, Limit), 2000) end) of
        {ok, Text} -> Text;
        {failed, {timeout, _}} -> said("not known: no answer within ~b ms", [Limit]);
        late -> said("not known: no answer within ~b ms", [Limit]);
        {failed, Reason} -> said("not known: ~ts", [shown(Reason, 200)])
    end.

place(Pid, Time) ->
    case parent(Pid) of
        none -> [];
        Parent ->
            Child = case clusterlib_supervision:child(Parent, Pid, Time div 4) of
                {ok, Id} -> shown(Id, 200);
                Why -> said("not known: ~p", [Why])
            end,
            [{<<"supervisor">>, ancestor(Parent)}, {<<"child id">>, Child}]
    end.

facts(Pid, Known) ->
    [{<<"initial call">>, function(Pid)},
     {<<"group leader">>, id_text(maps:get(group_leader, Known))},
     {<<"traps exits">>, said("~p", [maps:get(trap_exit, Known)])},
     {<<"priority">>, said("~p", [maps:get(priority, Known)])},
     {<<"heap">>, said("~b words", [maps:get(total_heap_size, Known)])}].

entry(Key, #{dictionary := Dictionary}) ->
    proplists:get_value(Key, Dictionary, []).

some(List) ->
    Shown = [id_text(One) || One <- lists:sublist(List, 100)],
    case length(List) - length(Shown) of
        0 -> Shown;
        More -> Shown ++ [said("and ~b more", [More])]
    end.

frame({Module, Function, Arity, Location}) ->
    Call = call_text(Module, Function, case is_list(Arity) of true -> length(Arity); false -> Arity end),
    case {proplists:get_value(file, Location), proplists:get_value(line, Location)} of
        {undefined, _} -> Call;
        {File, Line} -> said("~ts (~ts:~p)", [Call, File, Line])
    end.

ancestor(One) ->
    case is_pid(One) andalso node(One) =:= node() andalso name(One) of
        Name when is_binary(Name) -> Name;
        _ -> id_text(One)
    end.

%% -- names of things

%% `node1.0.123.0`: the name of its node, and the numbers of the pid there.
id(Pid) ->
    [_, Rest] = string:split(pid_to_list(Pid), "."),
    said("~ts.0.~ts", [node_name(node(Pid)), string:trim(Rest, trailing, ">")]).

id_text(Pid) when is_pid(Pid) -> id(Pid);
id_text({Name, Node}) when is_atom(Name), is_atom(Node) -> said("~ts on ~ts", [text(Name), node_name(Node)]);
id_text(Name) when is_atom(Name) -> text(Name);
id_text(Other) -> said("~0tp", [Other]).

node_name(Node) ->
    unicode:characters_to_binary(hd(string:split(atom_to_list(Node), "@"))).

%% Its registered name on this node.
name(Pid) ->
    case process_info(Pid, registered_name) of
        {registered_name, Name} -> text(Name);
        _ -> none
    end.

text(Name) when is_atom(Name) ->
    case atom_to_binary(Name) of
        <<"Elixir.", Rest/binary>> when Rest =/= <<>> -> Rest;
        Text -> Text
    end;
text(Name) when is_binary(Name) ->
    case io_lib:printable_unicode_list(unicode:characters_to_list(Name)) of
        true -> Name;
        false -> shown(Name, 200)
    end;
text(Name) ->
    shown(Name, 200).

%% What it runs: what its behaviour was started with. Of a fun, the outermost function that is seen.
function(Pid) ->
    case process_info(Pid, initial_call) of
        {_, {proc_lib, init_p, _}} -> call_text(proc_lib:translate_initial_call(Pid));
        {_, {erlang, apply, 2}} -> outermost(process_info(Pid, current_stacktrace));
        {_, Call} -> call_text(Call);
        undefined -> <<>>
    end.

outermost({_, [_ | _] = Stack}) ->
    {Module, Function, Arity, _} = lists:last(Stack),
    call_text(Module, Function, Arity);
outermost(_) ->
    <<"erlang:apply/2">>.

call_text({Module, Function, Arity}) -> call_text(Module, Function, Arity).

call_text(Module, Function, Arity) -> said("~ts:~ts/~b", [text(Module), text(Function), Arity]).

%% Its supervisor, if that is on this node.
parent(Pid) ->
    case process_info(Pid, dictionary) of
        {dictionary, Dictionary} ->
            case proplists:get_value('$ancestors', Dictionary, []) of
                [Name | _] when is_atom(Name) -> supervisor(whereis(Name));
                [Parent | _] -> supervisor(Parent);
                _ -> none
            end;
        undefined -> none
    end.

supervisor(Pid) when is_pid(Pid), node(Pid) =:= node() ->
    case clusterlib_node:behaviour(Pid) of supervisor -> Pid; _ -> none end;
supervisor(_) ->
    none.

%% A term as Elixir or Erlang writes it, shortened.
shown(Term, Most) ->
    Text = case elixir_runs() of
        true -> 'Elixir.Kernel':inspect(Term, [{limit, 50}, {printable_limit, Most}]);
        false -> unicode:characters_to_binary(io_lib:format("~0tP", [Term, 60], [{chars_limit, Most}]))
    end,
    case string:length(Text) > Most of
        true -> <<(string:slice(Text, 0, Most))/binary, "...">>;
        false -> Text
    end.

said(Format, Values) ->
    unicode:characters_to_binary(io_lib:format(Format, Values)).

elixir_runs() ->
    whereis(elixir_sup) =/= undefined.

%% Runs code of others, for at most so many milliseconds.
within(Time, Fun) ->
    Caller = self(),
    Mark = make_ref(),
    {Pid, Monitor} = spawn_monitor(fun() ->
        Caller ! {Mark, try {ok, Fun()} catch throw:Thrown -> {thrown, Thrown}; _:Reason -> {failed, Reason} end}
    end),
    receive
        {Mark, Answer} ->
            demonitor(Monitor, [flush]),
            case Answer of {thrown, Thrown} -> throw(Thrown); _ -> Answer end;
        {'DOWN', Monitor, process, Pid, Reason} -> {failed, Reason}
    after max(0, Time) ->
        demonitor(Monitor, [flush]),
        exit(Pid, kill),
        late
    end.

%% Refuses, in the way that the client reads.
fail(Kind, What) ->
    throw({clusterlib_processes, Kind, What}).
