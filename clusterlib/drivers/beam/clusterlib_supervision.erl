%% The supervision trees of a node, and what can be done with children. Only what is a supervisor is asked, each with a limit
%% and all at once, and never one of another node.
-module(clusterlib_supervision).

-export([trees/1, child/3, terminate/2, restart/2, start_child/7, node_named/1, existing/3]).

%% -- trees

%% A member is {Id, Name, Function, Node, Restart, Strategy, Restarts, Note, Children}.
trees(Time) ->
    Until = now_in_ms() + Time,
    Applications = [Name || {Name, _, _} <- lists:reverse(application:which_applications(Time))],
    Grown = [{Name, grown(fun() -> tree(Name, Until) end)} || Name <- Applications],
    [Tree || {Name, Growing} <- Grown, Tree <- [picked(Growing, Until + 100, unknown(Name))], Tree =/= none].

unknown(Name) ->
    {none, atom_to_binary(Name), <<>>, here(), <<>>, <<>>, 0, <<"its application does not answer">>, []}.

tree(Name, Until) ->
    case application_controller:get_master(Name) of
        Master when is_pid(Master) ->
            case application_master:get_child(Master) of
                {Pid, _} when is_pid(Pid) -> setelement(2, member(Name, Pid, <<>>, Until), atom_to_binary(Name));
                _ -> none
            end;
        _ -> none
    end.

%% Each subtree grows in a process of its own.
grown(Fun) ->
    spawn_monitor(fun() -> exit({grown, Fun()}) end).

picked({Pid, Monitor}, Until, Else) ->
    receive
        {'DOWN', Monitor, process, Pid, {grown, Tree}} -> Tree;
        {'DOWN', Monitor, process, Pid, _} -> Else
    after max(0, Until - now_in_ms()) ->
        exit(Pid, kill),
        erlang:demonitor(Monitor, [flush]),
        Else
    end.

member(Id, Pid, Restart, Until) ->
    Leaf = leaf(Id, Pid, Restart),
    case clusterlib_node:behaviour(Pid) of
        supervisor -> supervisor(Pid, Leaf, Until);
        _ -> Leaf
    end.

leaf(Id, Pid, Restart) when is_pid(Pid), node(Pid) =:= node() ->
    Name = case clusterlib_processes:name(Pid) of none -> child_name(Id); Registered -> Registered end,
    {clusterlib_processes:id(Pid), Name, clusterlib_processes:function(Pid), here(), Restart, <<>>, 0, <<>>, []};
leaf(Id, Pid, Restart) when is_pid(Pid) ->
    Node = clusterlib_processes:node_name(node(Pid)),
    {clusterlib_processes:id(Pid), child_name(Id), <<>>, Node, Restart, <<>>, 0, <<>>, []};
leaf(Id, _, Restart) ->
    {none, child_name(Id), <<>>, here(), Restart, <<>>, 0, <<>>, []}.

supervisor(Pid, {Id, Name, Function, Node, Restart, _, _, _, _}, Until) ->
    Limit = max(20, (Until - now_in_ms()) div 2),
    case asked(Pid, which_children, Limit) of
        {ok, All} ->
            {Strategy, Restarts, Kinds} = known(Pid, length(All), Limit),
            Growing = [{Child, growing(Child, Kinds, Until)} || Child <- lists:sublist(lists:reverse(All), 200)],
            Note = case length(All) > 200 of
                true -> clusterlib_processes:said("200 of its ~b children are shown", [length(All)]);
                false -> <<>>
            end,
            Children = [done(Child, Tree, Until) || {Child, Tree} <- Growing],
            {Id, Name, Function, Node, Restart, Strategy, Restarts, Note, Children};
        late ->
            Note = clusterlib_processes:said("it did not answer within ~b ms", [Limit]),
            {Id, Name, Function, Node, Restart, <<>>, 0, Note, []};
        gone ->
            {Id, Name, Function, Node, Restart, <<>>, 0, <<"it has ended">>, []}
    end.

growing({Id, Pid, Type, _}, Kinds, Until) ->
    Restart = maps:get(Pid, Kinds, maps:get(Id, Kinds, <<>>)),
    case Type =:= supervisor andalso is_pid(Pid) andalso node(Pid) =:= node() of
        true -> {growing, grown(fun() -> member(Id, Pid, Restart, Until) end)};
        false -> {grown, leaf(Id, Pid, Restart)}
    end.

done(_, {grown, Member}, _) ->
    Member;
done({Id, Pid, _, _}, {growing, Tree}, Until) ->
    picked(Tree, Until + 50, setelement(8, leaf(Id, Pid, <<>>), <<"it did not answer in time">>)).

%% What only its state tells: the strategy, how many restarts count at the moment, and how each child is restarted.
known(Pid, Children, Limit) when Children =< 1000 ->
    try sys:get_state(Pid, Limit) of
        #{'__struct__' := 'Elixir.DynamicSupervisor', strategy := Strategy, restarts := Restarts, children := Each} ->
            {word(Strategy), length(Restarts), maps:map(fun(_, Child) -> restart_of(Child) end, Each)};
        State when is_tuple(State), element(1, State) =:= state ->
            {word(element(3, State)), length(element(8, State)), kinds(element(4, State))};
        _ -> {<<>>, 0, #{}}
    catch
        _:_ -> {<<>>, 0, #{}}
    end;
known(_, _, _) ->
    {<<>>, 0, #{}}.

kinds({[Id], #{} = Specifications}) when map_size(Specifications) =:= 1 ->
    Kind = restart_of(maps:get(Id, Specifications)),
    #{Id => Kind, undefined => Kind};  %% children that are all equal have no id
kinds({_, #{} = Specifications}) ->
    maps:map(fun(_, Child) -> restart_of(Child) end, Specifications);
kinds(_) ->
    #{}.

restart_of(Child) ->
    case [Kind || Kind <- [permanent, transient, temporary], lists:member(Kind, tuple_to_list(Child))] of
        [Kind | _] -> word(Kind);
        [] -> <<>>
    end.

word(Word) when is_atom(Word) ->
    binary:replace(atom_to_binary(Word), <<"_">>, <<"-">>, [global]);
word(_) ->
    <<>>.

child_name(undefined) -> none;
child_name(Id) -> clusterlib_processes:text(Id).

here() ->
    clusterlib_processes:node_name(node()).

%% -- one child

%% Under which id a supervisor has this child.
child(Supervisor, Pid, Time) ->
    case asked(Supervisor, which_children, Time) of
        {ok, Children} ->
            case lists:keyfind(Pid, 2, Children) of
                {Id, _, _, _} -> {ok, Id};
                false -> no_child
            end;
        Other -> Other
    end.

terminate(Target, Time) ->
    {Pid, Supervisor, Id} = supervised(Target, Time),
    Named = case Id of undefined -> Pid; _ -> Id end,
    answered(asked(Supervisor, {terminate_child, Named}, Time)),
    ok.

restart(Target, Time) ->
    {_, Supervisor, Id} = supervised(Target, Time),
    case Id =/= undefined andalso asked(Supervisor, {get_childspec, Id}, Time) of
        {ok, {ok, #{restart := Kind}}} when Kind =/= temporary -> ok;
        late -> clusterlib_processes:fail(late, none);
        _ -> clusterlib_processes:fail(forgotten, clusterlib_processes:id(Supervisor))
    end,
    answered(asked(Supervisor, {terminate_child, Id}, Time)),
    clusterlib_processes:id(answered(asked(Supervisor, {restart_child, Id}, Time))).

supervised(Target, Time) ->
    Pid = clusterlib_processes:living(Target),
    case clusterlib_processes:parent(Pid) of
        none -> clusterlib_processes:fail(unsupervised, none);
        Supervisor ->
            case child(Supervisor, Pid, Time) of
                {ok, Id} -> {Pid, Supervisor, Id};
                no_child -> clusterlib_processes:fail(unsupervised, none);
                gone -> clusterlib_processes:fail(gone, none);
                late -> clusterlib_processes:fail(late, none)
            end
    end.

%% Starts a child of a supervisor. Its id tells where it is. Supervisors that spread over nodes see the wish in its specification.
start_child(Target, Module, Function, Values, Restart, Prefer, Time) ->
    Supervisor = clusterlib_processes:living(Target),
    Args = [clusterlib_acting:value(One) || One <- Values],
    {M, F} = existing(Module, Function, length(Args)),
    Kind = case Restart of <<"always">> -> permanent; <<"on-error">> -> transient; <<"never">> -> temporary end,
    Wish = case node_named(Prefer) of none -> #{}; Node -> #{prefer => Node} end,
    Plain = #{id => {M, make_ref()}, start => {M, F, Args}, restart => Kind},
    Answer = case spreads(Supervisor) of
        true ->
            Name = element(2, process_info(Supervisor, registered_name)),
            case clusterlib_processes:within(Time, fun() ->
                'Elixir.Horde.DynamicSupervisor':start_child(Name, maps:merge(Plain, Wish))
            end) of
                {failed, Why} -> {error, Why};
                Other -> Other
            end;
        false ->
            clusterlib_node:behaviour(Supervisor) =:= supervisor
                orelse clusterlib_processes:fail(no_supervisor, clusterlib_processes:id(Supervisor)),
            asked(Supervisor, request(Supervisor, Plain), Time)
    end,
    clusterlib_processes:id(answered(Answer)).

spreads(Pid) ->
    element(1, proc_lib:translate_initial_call(Pid)) =:= 'Elixir.Horde.DynamicSupervisorImpl'.

%% Elixir's dynamic supervisors have a form of their own, and those for equal children have the start already.
request(Supervisor, #{start := {_, _, Args} = Start, restart := Restart} = Plain) ->
    case proc_lib:initial_call(Supervisor) of
        {supervisor, _, _} ->
            try sys:get_state(Supervisor, 500) of
                #{'__struct__' := 'Elixir.DynamicSupervisor'} ->
                    {start_child, {Start, Restart, 5000, worker, [element(1, Start)]}};
                State when element(3, State) =:= simple_one_for_one -> {start_child, Args};
                _ -> {start_child, Plain}
            catch
                exit:_ -> clusterlib_processes:fail(late, none)
            end;
        _ -> {start_child, Plain}
    end.

asked(Supervisor, Request, Time) ->
    try gen_server:call(Supervisor, Request, max(0, Time)) of
        Answer -> {ok, Answer}
    catch
        exit:{timeout, _} -> late;
        exit:_ -> gone
    end.

answered({ok, ok}) -> ok;
answered({ok, {ok, Pid}}) when is_pid(Pid) -> Pid;
answered({ok, {ok, Pid, _}}) when is_pid(Pid) -> Pid;
answered({ok, {error, Reason}}) -> clusterlib_processes:fail(refused, clusterlib_processes:shown(Reason, 500));
answered({ok, Other}) -> clusterlib_processes:fail(refused, clusterlib_processes:shown(Other, 500));
answered({error, Reason}) -> clusterlib_processes:fail(refused, clusterlib_processes:shown(Reason, 500));
answered(late) -> clusterlib_processes:fail(late, none);
answered(gone) -> clusterlib_processes:fail(gone, none).

%% -- what exists

%% The connected node whose name, without its host, this is.
node_named(Name) ->
    case [Node || Node <- [node() | nodes()], clusterlib_processes:node_name(Node) =:= Name] of
        [Node | _] -> Node;
        [] -> none
    end.

existing(Module, Function, Arity) ->
    %% the function that this text names, if there is one
    try
        M = clusterlib_node:module(Module),
        F = clusterlib_node:function(M, Function),
        true = erlang:function_exported(M, F, Arity),
        {M, F}
    catch
        _:_ -> clusterlib_processes:fail(no_function, Arity)
    end.

now_in_ms() ->
    erlang:monotonic_time(millisecond).
