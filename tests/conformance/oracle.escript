#!/usr/bin/env escript
%%! +S 1:1 +sbwt none -kernel logger_level error
%% Differential-test oracle: runs JSON cases against the real OTP supervisor.
%%   oracle.escript case.json ...            print result JSON (one document per case)
%%   oracle.escript --write case.json ...    write case.expected.json beside each case
%%   oracle.escript --check case.json ...    re-run, compare with case.expected.json (exit 1 on mismatch)
%% The code under test is stdlib's supervisor.erl, untouched: a supervisor process here is a
%% gen_server whose callbacks delegate 1:1 to supervisor:init/handle_*/terminate/code_change,
%% so that termination can be logged synchronously.  See FORMAT.md.
-mode(compile).
-export([main/1]).
-export([start_node/2, start_dyn/3, init/1, handle_call/3, handle_cast/2, handle_info/2,
         terminate/2, code_change/3, log/2]).

main(Args) ->
    {Mode, Files} = case Args of
        ["--write" | Fs] -> {write, Fs};
        ["--check" | Fs] -> {check, Fs};
        Fs -> {print, Fs}
    end,
    logger:remove_handler(default),
    ok = logger:add_handler(oracle, ?MODULE, #{level => error}),
    process_flag(trap_exit, true),
    Bad = lists:foldl(fun(F, N) -> N + one(Mode, F) end, 0, Files),
    case Mode of check -> io:format("~p checked, ~p mismatches~n", [length(Files), Bad]); _ -> ok end,
    halt(case Bad of 0 -> 0; _ -> 1 end).

one(Mode, File) ->
    {ok, Bin} = file:read_file(File),
    Case = try jdec(Bin)
           catch C0:E0 -> io:format(standard_error, "~s: bad JSON ~p~n", [File, {C0, E0}]), halt(2) end,
    Self = self(),
    {Pid, Mon} = spawn_monitor(fun() -> Self ! {res, self(), run_case(Case)} end),
    Out = receive
        {res, Pid, R} -> erlang:demonitor(Mon, [flush]), R;
        {'DOWN', Mon, _, _, Why} -> [{oracle_error, bin(io_lib:format("~0p", [Why]))}]
    after 60000 -> exit(Pid, kill), [{oracle_error, <<"timeout">>}]
    end,
    case whereis(oracle_coll) of undefined -> ok; CP -> catch unregister(oracle_coll), exit(CP, kill) end,
    Json = iolist_to_binary([jtop(Out), "\n"]),
    Exp = filename:rootname(File) ++ ".expected.json",
    Err = case Out of [{oracle_error, M}] -> io:format(standard_error, "~s: ~s~n", [File, M]), 1; _ -> 0 end,
    case Mode of
        print -> io:put_chars(Json), Err;
        write -> ok = file:write_file(Exp, Json), Err;
        check -> case file:read_file(Exp) of
                     {ok, Json} -> Err;
                     _ -> io:format("MISMATCH ~s~n", [File]), 1
                 end
    end.

%% ------------------------------------------------------------------ case runner
run_case(Case) ->
    process_flag(trap_exit, true),
    Coll = spawn(fun coll_init/0),
    register(oracle_coll, Coll),
    put(suspended, []),
    Path = <<"root">>,
    Res = (catch start_node(Path, maps:get(<<"root">>, Case))),
    case Res of {ok, P} -> put(root, P); _ -> put(root, undefined) end,
    S0 = step([{op, start}], rend(Res), false),
    Steps = [do_op(Op) || Op <- maps:get(<<"ops">>, Case, [])],
    Last = stop_root(get(root)),
    RootExit = case get(root) of
        undefined -> null;
        RP -> receive {'EXIT', RP, Rs} -> rend(Rs) after 1000 -> <<"none">> end
    end,
    [{name, maps:get(<<"name">>, Case, null)}, {steps, [S0 | Steps] ++ Last}, {root_exit, RootExit}].

stop_root(undefined) -> [];
stop_root(RP) ->
    case is_process_alive(RP) of
        false -> [];
        true ->
            [catch sys:resume(pid_of(Sp)) || Sp <- get(suspended)],
            put(suspended, []),
            M = monitor(process, RP),
            exit(RP, shutdown),
            receive {'DOWN', M, _, _, _} -> ok end,
            [step([{op, stop_root}], <<"ok">>, false)]
    end.

step(OpJ, Result, Unord) ->
    Tree = quiesce(),
    {Ev, Inj} = ccall(take),
    [{op, {raw, OpJ}}, {result, Result}, {events, canon(Ev)}]
        ++ [{unordered, true} || Unord]
        ++ [{injected, Inj} || Inj =/= []]
        ++ [{tree, Tree}].

do_op(Op0) ->
    Op = maps:get(<<"op">>, Op0),
    P = maps:get(<<"path">>, Op0, maps:get(<<"sup">>, Op0, undefined)),
    Unord = maps:get(<<"unordered">>, Op0, false) orelse (Op =:= <<"kill">> andalso ccall({is_sup, P})),
    R = try rend(op(Op, P, Op0)) catch exit:Why -> rend({exit, call_exit(Why)}) end,
    step(Op0, R, Unord).

call_exit({Why, {gen_server, call, _}}) -> Why;
call_exit(Why) -> Why.

pid_of(Path) -> ccall({pid, Path}).

withpid(P, F) -> case pid_of(P) of undefined -> noproc; Pid -> F(Pid) end.
wait_down(Pid, F) ->
    M = monitor(process, Pid), F(Pid),
    receive {'DOWN', M, _, _, _} -> ok end.

op(O, P, Op) when O =:= <<"exit">>; O =:= <<"crash">> ->
    R = reason(maps:get(<<"reason">>, Op, <<"boom">>)),
    withpid(P, fun(Pid) ->
        case ccall({is_sup, P}) of
            true -> (catch gen_server:stop(Pid, R, infinity)), ok;
            false -> wait_down(Pid, fun(X) -> gen_server:cast(X, {stop, R}) end)
        end end);
op(<<"kill">>, P, _) -> withpid(P, fun(Pid) -> wait_down(Pid, fun(X) -> exit(X, kill) end) end);
op(<<"signal">>, P, Op) ->       % exit signal from a process that is not the parent
    R = reason(maps:get(<<"reason">>, Op)),
    withpid(P, fun(Pid) -> spawn(fun() -> exit(Pid, R) end), timer:sleep(20), ok end);
op(<<"parent_signal">>, _, Op) -> % exit signal from root's own parent
    exit(get(root), reason(maps:get(<<"reason">>, Op))), timer:sleep(20), ok;
op(<<"suspend">>, P, _) -> withpid(P, fun(Pid) -> ok = sys:suspend(Pid), put(suspended, [P | get(suspended)]), ok end);
op(<<"resume">>, P, _) -> withpid(P, fun(Pid) -> put(suspended, get(suspended) -- [P]), sys:resume(Pid) end);
op(<<"terminate_child">>, P, Op) -> withpid(P, fun(S) -> supervisor:terminate_child(S, cid(P, Op)) end);
op(<<"restart_child">>, P, Op) -> withpid(P, fun(S) -> supervisor:restart_child(S, cid(P, Op)) end);
op(<<"delete_child">>, P, Op) -> withpid(P, fun(S) -> supervisor:delete_child(S, cid(P, Op)) end);
op(<<"get_childspec">>, P, Op) -> withpid(P, fun(S) -> supervisor:get_childspec(S, cid(P, Op)) end);
op(<<"which_children">>, P, _) -> withpid(P, fun(S) -> supervisor:which_children(S) end);
op(<<"count_children">>, P, _) -> withpid(P, fun(S) -> supervisor:count_children(S) end);
op(<<"start_child">>, P, #{<<"spec">> := Spec}) ->
    withpid(P, fun(S) -> supervisor:start_child(S, childspec(P, Spec)) end);
op(<<"start_child">>, P, Op) ->   % simple_one_for_one: extra args = [K, Overrides]
    withpid(P, fun(S) -> K = ccall({next_k, P}), supervisor:start_child(S, [K, maps:get(<<"overrides">>, Op, #{})]) end);
op(<<"start_child_raw">>, P, Op) ->
    withpid(P, fun(S) -> supervisor:start_child(S, rawspec(maps:get(<<"spec">>, Op))) end);
op(<<"check_childspecs">>, _, Op) ->
    Specs = case maps:get(<<"specs">>, Op) of L when is_list(L) -> [rawspec(X) || X <- L]; X -> atomize(X) end,
    case Op of
        #{<<"auto_shutdown">> := A} -> supervisor:check_childspecs(Specs, atomize(A));
        _ -> supervisor:check_childspecs(Specs)
    end;
op(<<"code_change">>, P, Op) ->
    withpid(P, fun(S) ->
        ccall({over, P, maps:get(<<"spec">>, Op)}),
        ok = sys:suspend(S),
        R = sys:change_code(S, ?MODULE, undefined, []),
        case R of ok -> ok; _ -> ccall({unover, P}) end,
        ok = sys:resume(S), R end);
op(<<"info">>, P, Op) -> withpid(P, fun(Pid) -> Pid ! reason(maps:get(<<"msg">>, Op)), ok end);
op(<<"sleep">>, _, Op) -> timer:sleep(maps:get(<<"ms">>, Op)), ok.

%% child id in an operation: "#3" under a simple_one_for_one parent means that instance's pid
cid(P, Op) ->
    case maps:get(<<"id">>, Op) of
        <<"#", _/binary>> = K -> case ccall({anypid, <<P/binary, "/", K/binary>>}) of undefined -> K; Pid -> Pid end;
        Id -> Id
    end.

atomize(B) when is_binary(B) -> binary_to_atom(B);
atomize(X) -> X.
reason(B) when is_binary(B) -> binary_to_atom(B);
reason(#{<<"shutdown">> := X}) -> {shutdown, reason(X)};
reason(#{<<"tuple">> := L}) -> list_to_tuple([reason(X) || X <- L]);
reason(X) -> X.

%% ------------------------------------------------------------------ specs -> OTP
childspec(Sup, S) ->
    Id = maps:get(<<"id">>, S),
    Base = #{id => Id, start => {?MODULE, start_node, [<<Sup/binary, "/", Id/binary>>, S]}},
    opt(Base, S).
opt(Base, S) ->
    lists:foldl(fun({J, K}, M) ->
        case S of #{J := V} when V =/= null -> M#{K => atomize(V)}; _ -> M end end, Base,
        [{<<"restart">>, restart}, {<<"significant">>, significant}, {<<"shutdown">>, shutdown}, {<<"type">>, type}]).
rawspec(S) when is_map(S) ->
    maps:from_list([{binary_to_atom(K), rawval(binary_to_atom(K), V)} || {K, V} <- maps:to_list(S)]);
rawspec(X) -> atomize(X).
rawval(id, V) -> V;
rawval(start, true) -> {?MODULE, start_node, []};
rawval(modules, L) when is_list(L) -> [atomize(X) || X <- L];
rawval(_, V) -> atomize(V).
flags(S) ->
    lists:foldl(fun({J, K}, M) -> case S of #{J := V} -> M#{K => atomize(V)}; _ -> M end end, #{},
        [{<<"strategy">>, strategy}, {<<"intensity">>, intensity}, {<<"period">>, period}, {<<"auto_shutdown">>, auto_shutdown}]).
children(Path, S) ->
    Ch = maps:get(<<"children">>, S, []),
    case S of
        #{<<"strategy">> := <<"simple_one_for_one">>} ->
            [opt(#{id => maps:get(<<"id">>, C), start => {?MODULE, start_dyn, [{Path, C}]}}, C) || C <- Ch];
        _ -> [childspec(Path, C) || C <- Ch]
    end.

%% ------------------------------------------------------------------ start functions (run inside the parent)
start_dyn({Pool, C}, K, Over) ->
    start_node(<<Pool/binary, "/#", (integer_to_binary(K))/binary>>, maps:merge(C, Over)).

start_node(Path, S) ->
    N = ccall({attempt, Path}),
    inject(N, Path, S),
    case mode(N, S) of
        ok -> go(Path, S, N, ok);
        ignore -> go(Path, S, N, ignore);
        {error, R} -> go(Path, S, N, {stop, R});
        {crash, R} -> clog([start_failed, Path, N, R]), exit(R)   % start function itself exits
    end.
go(Path, #{<<"type">> := <<"supervisor">>} = S, N, M) -> gen_server:start_link(?MODULE, {sup, Path, S, N, M}, []);
go(Path, S, N, M) -> gen_server:start_link(?MODULE, {worker, Path, S, N, M}, []).

mode(N, S) ->
    In = fun(K) -> case S of
        #{K := L} when is_list(L) -> lists:member(N, L);
        #{K := #{<<"from">> := F}} -> N >= F;
        _ -> false end end,
    case {In(<<"fail_starts">>), In(<<"ignore_starts">>), In(<<"crash_starts">>)} of
        {true, _, _} -> {error, start_failed};
        {_, true, _} -> ignore;
        {_, _, true} -> {crash, start_crashed};
        _ -> ok
    end.

%% "inject": {"2":[ops]} : while the parent is inside start attempt 2, queue those calls in its inbox, in order
inject(N, Path, #{<<"inject">> := I}) ->
    Ops = maps:get(integer_to_binary(N), I, []),
    Sup = self(), [Parent, _] = string:split(Path, "/", trailing),
    lists:foreach(fun(Op) ->
        {_, L0} = process_info(Sup, message_queue_len),
        Ref = ccall(inj_new),
        spawn(fun() ->
            R = try rend(iop(maps:get(<<"op">>, Op), Sup, Parent, Op)) catch exit:W -> rend({exit, call_exit(W)}) end,
            ccall({inj_done, Ref, Op, R}) end),
        inj_wait(Sup, L0) end, Ops);
inject(_, _, _) -> ok.
inj_wait(Sup, L0) ->
    case process_info(Sup, message_queue_len) of
        {_, L} when L > L0 -> ok;
        _ -> erlang:yield(), inj_wait(Sup, L0)
    end.
iop(<<"terminate_child">>, S, P, Op) -> supervisor:terminate_child(S, cid(P, Op));
iop(<<"restart_child">>, S, P, Op) -> supervisor:restart_child(S, cid(P, Op));
iop(<<"delete_child">>, S, P, Op) -> supervisor:delete_child(S, cid(P, Op));
iop(<<"which_children">>, S, _, _) -> supervisor:which_children(S);
iop(<<"count_children">>, S, _, _) -> supervisor:count_children(S);
iop(<<"start_child">>, S, P, #{<<"spec">> := Sp}) -> supervisor:start_child(S, childspec(P, Sp)).

%% ------------------------------------------------------------------ gen_server callbacks (worker and supervisor wrapper)
init({worker, Path, S, N, ok}) ->
    process_flag(trap_exit, maps:get(<<"trap_exit">>, S, true)),
    clog({start, worker, Path, N, self()}),
    {ok, {w, Path, S, N}};
init({sup, Path, S, N, ok}) ->
    put(oracle_path, Path),
    clog({start, sup, Path, N, self()}),
    put(oracle_n, N),
    case supervisor:init({self, ?MODULE, {supcb, Path, S}}) of
        {ok, St} -> {ok, St};
        ignore -> clog({undo, self()}), clog([ignore, Path, N]), ignore;
        {stop, R} -> clog({undo, self()}), clog([start_failed, Path, N, rend(R)]), {stop, R}
    end;
init({supcb, Path, S0}) ->
    S = case ccall({getover, Path}) of undefined -> S0; O -> O end,
    case S of
        #{<<"init_returns">> := <<"ignore">>} -> ignore;
        #{<<"init_returns">> := X} -> atomize(X);
        _ -> {ok, {flags(S), children(Path, S)}}
    end;
init({_, Path, _, N, ignore}) -> clog([ignore, Path, N]), ignore;
init({_, Path, _, N, {stop, R}}) -> clog([start_failed, Path, N, rend(R)]), {stop, R}.

handle_call(_, _, {w, _, _, _} = St) -> {reply, ok, St};
handle_call(M, F, St) -> supervisor:handle_call(M, F, St).
handle_cast({stop, R}, {w, _, _, _} = St) -> {stop, R, St};
handle_cast(M, St) -> supervisor:handle_cast(M, St).
handle_info(_, {w, _, _, _} = St) -> {noreply, St};
handle_info(M, St) -> supervisor:handle_info(M, St).
terminate(R, {w, Path, S, N}) ->
    clog({terminate, Path, N, rend(R), self()}),
    case maps:get(<<"on_terminate">>, S, null) of
        null -> ok;
        <<"hang">> -> timer:sleep(infinity);
        #{<<"sleep">> := Ms} -> timer:sleep(Ms);
        #{<<"exit">> := X} -> exit(reason(X))
    end;
terminate(R, St) ->
    clog([sup_terminate, get(oracle_path), get(oracle_n), rend(R)]),
    supervisor:terminate(R, St),
    clog({sup_down, get(oracle_path), get(oracle_n), rend(R), self()}).
code_change(O, St, E) -> supervisor:code_change(O, St, E).

%% logger handler: runs inside the supervisor process, so its order is exact
log(#{msg := {report, #{label := {supervisor, Ctx}, report := Rep}}}, _) when Ctx =/= progress ->
    case get(oracle_path) of
        undefined -> ok;
        Path ->
            Off = proplists:get_value(offender, Rep),
            clog([report, Path, Ctx, off_name(Path, Off), rend(proplists:get_value(reason, Rep))])
    end;
log(_, _) -> ok.
off_name(_, Off) ->
    case proplists:get_value(nb_children, Off) of
        undefined -> proplists:get_value(id, Off);
        Nb -> bin(["*", integer_to_list(Nb)])
    end.

%% ------------------------------------------------------------------ collector
ccall(M) ->
    R = monitor(process, oracle_coll),
    oracle_coll ! {R, self(), M},
    receive {R, X} -> demonitor(R, [flush]), X; {'DOWN', R, _, _, W} -> exit({coll, W}) end.
clog(E) -> ccall({log, E}).

coll_init() -> coll(#{ev => [], procs => #{}, att => #{}, over => #{}, sups => #{}, ks => #{}, inj => [], cnt => 0}).
coll(St0) ->
    receive
        {'DOWN', Mon, process, Pid, Why} -> coll(died(Pid, Mon, rend(Why), St0));
        {R, From, M} ->
            {Reply, St1} = cmsg(M, flush(St0)),
            From ! {R, Reply},
            coll(St1)
    end.
add(E, #{ev := Ev, cnt := C} = St) -> St#{ev := [E | Ev], cnt := C + 1}.

%% A death that terminate/2 did not announce (killed, untrapped signal, changed reason) is a "down" event.
died(Pid, Mon, R, #{procs := Pr} = St) ->
    case Pr of
        #{Pid := {_, _, _, Mon, R}} -> St#{procs := maps:remove(Pid, Pr)};
        #{Pid := {Path, N, _, Mon, _}} -> add([down, Path, N, R], St#{procs := maps:remove(Pid, Pr)});
        _ -> St
    end.
%% A death that happened before the message being handled but whose DOWN has not arrived yet (SMP only).
flush(#{procs := Pr} = St) ->
    Dead = lists:sort([{P, Pid, Mon} || {Pid, {P, _, _, Mon, _}} <- maps:to_list(Pr), not is_process_alive(Pid)]),
    lists:foldl(fun({_, Pid, Mon}, S) ->
        receive {'DOWN', Mon, process, Pid, R} -> died(Pid, Mon, rend(R), S) end
    end, St, Dead).

cmsg({log, {start, Kind, Path, N, Pid}}, #{procs := Pr, sups := Su} = St) ->
    Mon = monitor(process, Pid),
    {ok, add([start, Path, N], St#{procs := Pr#{Pid => {Path, N, Kind, Mon, none}}, sups := Su#{Path => {Kind, Pid}}})};
cmsg({log, {undo, Pid}}, #{procs := Pr} = St) ->
    #{Pid := {_, _, _, Mon, _}} = Pr, demonitor(Mon, [flush]),
    {ok, St#{procs := maps:remove(Pid, Pr)}};
cmsg({log, {terminate, Path, N, R, Pid}}, #{procs := Pr} = St) ->
    {ok, add([terminate, Path, N, R], St#{procs := said(Pid, R, Pr)})};
cmsg({log, {sup_down, Path, N, R, Pid}}, #{procs := Pr} = St) ->
    {ok, add([sup_down, Path, N, R], St#{procs := said(Pid, R, Pr)})};
cmsg({log, E}, St) -> {ok, add(E, St)};
cmsg({attempt, P}, #{att := A} = St) ->
    N = maps:get(P, A, 0) + 1, {N, St#{att := A#{P => N}}};
cmsg({pid, P}, #{procs := Pr} = St) ->
    L = lists:reverse(lists:sort([{N, Pid} || {Pid, {P1, N, _, _, _}} <- maps:to_list(Pr), P1 =:= P])),
    {case L of [{_, Pid} | _] -> Pid; [] -> undefined end, St};
cmsg({anypid, P}, #{sups := Su} = St) -> {case Su of #{P := {_, Pid}} -> Pid; _ -> undefined end, St};
cmsg({is_sup, P}, #{sups := Su} = St) -> {case Su of #{P := {sup, _}} -> true; _ -> false end, St};
cmsg({next_k, P}, #{ks := K} = St) -> N = maps:get(P, K, 0) + 1, {N, St#{ks := K#{P => N}}};
cmsg({over, P, S}, #{over := O} = St) -> {ok, St#{over := O#{P => S}}};
cmsg({unover, P}, #{over := O} = St) -> {ok, St#{over := maps:remove(P, O)}};
cmsg({getover, P}, #{over := O} = St) -> {maps:get(P, O, undefined), St};
cmsg(inj_new, #{inj := I} = St) -> {length(I), St#{inj := I ++ [pending]}};
cmsg({inj_done, Ref, Op, R}, #{inj := I} = St) ->
    {A, [_ | B]} = lists:split(Ref, I),
    {ok, St#{inj := A ++ [[{op, {raw, Op}}, {result, R}] | B]}};
cmsg(procs, #{procs := Pr, cnt := C, inj := I} = St) -> {{Pr, C, lists:member(pending, I)}, St};
cmsg(take, #{ev := Ev, inj := I} = St) -> {{lists:reverse(Ev), I}, St#{ev := [], inj := []}}.
said(Pid, R, Pr) ->
    case Pr of #{Pid := {P, N, K, M, _}} -> Pr#{Pid := {P, N, K, M, R}}; _ -> Pr end.

%% runs of terminations of simple_one_for_one instances (OTP shuts them down concurrently): sort each run
canon(Ev) -> canon(Ev, []).
canon([], Acc) -> lists:reverse(Acc);
canon([E | T], Acc) ->
    case dyn_parent(E) of
        none -> canon(T, [E | Acc]);
        P -> {Run, Rest} = lists:splitwith(fun(X) -> dyn_parent(X) =:= P end, [E | T]),
             canon(Rest, lists:reverse(lists:sort(fun(A, B) -> dynkey(A) =< dynkey(B) end, Run)) ++ Acc)
    end.
dynkey([K, Path | _]) -> [_, I] = string:split(Path, "/#", trailing), {binary_to_integer(I), K =:= down}.
dyn_parent([K, Path | _]) when K =:= terminate; K =:= down ->
    case string:split(Path, "/#", trailing) of
        [P, I] -> case string:find(I, "/") of nomatch -> P; _ -> none end;
        _ -> none
    end;
dyn_parent(_) -> none.

%% ------------------------------------------------------------------ quiescence and snapshot
quiesce() -> quiesce(0, none, erlang:monotonic_time(millisecond) + 20000).
quiesce(K, Prev, Dl) ->
    case erlang:monotonic_time(millisecond) > Dl of true -> exit({no_quiescence, Prev}); false -> ok end,
    {_, C0, _} = ccall(procs),
    Tree = try snap(get(root), <<"root">>) catch exit:_ -> retry end,
    {Pr, C1, Pend} = ccall(procs),
    Calm = Tree =/= retry andalso C0 =:= C1 andalso not Pend andalso not has_restarting(Tree)
        andalso lists:all(fun({Pid, {Path, _, _, _, _}}) -> calm(Pid, Path) end, maps:to_list(Pr))
        andalso (get(suspended) =/= [] orelse tree_size(Tree) =:= maps:size(Pr)),
    case Calm of
        true when K >= 2, Prev =:= {Tree, C1} -> Tree;
        true when Prev =:= {Tree, C1} -> erlang:yield(), quiesce(K + 1, Prev, Dl);
        true -> erlang:yield(), quiesce(0, {Tree, C1}, Dl);
        false -> erlang:yield(), (K > 50 andalso timer:sleep(1)), quiesce(0, {Tree, C1}, Dl)
    end.
calm(Pid, Path) ->
    lists:member(Path, get(suspended)) orelse
    case process_info(Pid, [message_queue_len, status]) of
        [{_, 0}, {_, waiting}] -> true;
        _ -> false
    end.
has_restarting(T) when is_list(T) ->
    lists:any(fun({state, <<"restarting">>}) -> true; ({children, L}) -> lists:any(fun has_restarting/1, L); (_) -> false end, T);
has_restarting(_) -> false.
tree_size(null) -> 0;
tree_size(T) ->
    case proplists:get_value(state, T) of <<"running">> -> 1; _ -> 0 end
        + lists:sum([tree_size(C) || C <- proplists:get_value(children, T, [])]).

snap(undefined, _) -> null;
snap(Pid, Path) ->
    case is_process_alive(Pid) of
        false -> null;
        true -> {Pr, _, _} = ccall(procs), [{id, Path} | snap_proc(Pid, Path, Pr)]
    end.
snap_proc(Pid, Path, _) ->
    {Pr, _, _} = ccall(procs),
    case Pr of
        #{Pid := {_, N, worker, _, _}} -> [{state, <<"running">>}, {n, N}];
        #{Pid := {_, N, sup, _, _}} ->
            case lists:member(Path, get(suspended)) of
                true -> [{state, <<"running">>}, {n, N}, {suspended, true}];
                false ->
                    Wh = supervisor:which_children(Pid),
                    Cnt = supervisor:count_children(Pid),
                    Ch = [snap_child(Path, C) || C <- Wh],
                    Ch1 = case lists:any(fun({undefined, _, _, _}) -> true; (_) -> false end, Wh) of
                        true -> lists:sort(fun(A, B) -> kk(A) =< kk(B) end, Ch);
                        false -> Ch
                    end,
                    [{state, <<"running">>}, {n, N}, {counts, [{specs, pv(specs, Cnt)}, {active, pv(active, Cnt)},
                        {supervisors, pv(supervisors, Cnt)}, {workers, pv(workers, Cnt)}]}, {children, Ch1}]
            end;
        _ -> exit(retry)
    end.
kk(T) -> case proplists:get_value(id, T) of <<"#", I/binary>> -> binary_to_integer(I); X -> X end.
pv(K, L) -> proplists:get_value(K, L).
snap_child(P, {undefined, Pid, Ty, _}) when is_pid(Pid) ->
    {Pr, _, _} = ccall(procs),
    case Pr of
        #{Pid := {Path, _, _, _, _}} -> [_, I] = string:split(Path, "/", trailing), [{id, I}, {type, Ty} | snap_proc(Pid, <<P/binary, "/", I/binary>>, Pr)];
        _ -> exit(retry)
    end;
snap_child(P, {Id, Pid, Ty, _}) when is_pid(Pid) -> [{id, Id}, {type, Ty} | snap_proc(Pid, <<P/binary, "/", Id/binary>>, none)];
snap_child(_, {Id, St, Ty, _}) -> [{id, Id}, {type, Ty}, {state, atom_to_binary(St)}].

%% ------------------------------------------------------------------ rendering Erlang terms (pids, funs, MFAs hidden)
rend(T) -> bin(r(T)).
r({failed_to_start_child, Id, R}) -> ["{failed_to_start_child,", r(Id), ",", r(R), "}"];
r({?MODULE, F, A}) when F =:= start_node; F =:= start_dyn -> case A of undefined -> "<mf_undefined>"; _ -> "<mfa>" end;
r(T) when is_tuple(T), tuple_size(T) >= 8, element(1, T) =:= child -> ["<child:", r(element(3, T)), ">"];
r({R, [{M, F, _, Loc} | _]}) when is_atom(M), is_atom(F), is_list(Loc) -> ["{", r(R), ",<stack>}"];
r({bad_return, {?MODULE, init, X}}) -> ["{bad_return,{mod,init,", r(X), "}}"];
r(?MODULE) -> "mod";
r(A) when is_atom(A) -> atom_to_list(A);
r(B) when is_binary(B) -> B;
r(I) when is_integer(I) -> integer_to_list(I);
r(P) when is_pid(P) -> "<pid>";
r(T) when is_tuple(T) -> ["{", lists:join(",", [r(X) || X <- tuple_to_list(T)]), "}"];
r(L) when is_list(L) -> ["[", lists:join(",", [r(X) || X <- L]), "]"];
r(M) when is_map(M) -> ["#{", lists:join(",", [[r(K), "=>", r(V)] || {K, V} <- lists:sort(maps:to_list(M))]), "}"];
r(X) -> io_lib:format("~0p", [X]).
bin(X) -> unicode:characters_to_binary(X).

%% ------------------------------------------------------------------ JSON
jtop(L) ->
    ["{", lists:join(",", [case V of
        [[{op, _} | _] | _] when K =:= steps -> ["\n\"steps\":[\n", lists:join(",\n", [jenc(S) || S <- V]), "\n]"];
        _ -> [jenc(K), ":", jenc(V)] end || {K, V} <- L]), "}"].
jenc({raw, M}) -> jenc(M);
jenc(true) -> "true"; jenc(false) -> "false"; jenc(null) -> "null";
jenc(A) when is_atom(A) -> jenc(atom_to_binary(A));
jenc(I) when is_integer(I) -> integer_to_list(I);
jenc(F) when is_float(F) -> io_lib:format("~p", [F]);
jenc(B) when is_binary(B) -> [$", [jesc(C) || <<C>> <= B], $"];
jenc(M) when is_map(M) -> ["{", lists:join(",", [[jenc(K), ":", jenc(V)] || {K, V} <- lists:sort(maps:to_list(M))]), "}"];
jenc([]) -> "[]";
jenc([{_, _} | _] = L) -> ["{", lists:join(",", [[jenc(K), ":", jenc(V)] || {K, V} <- L]), "}"];
jenc(L) when is_list(L) -> ["[", lists:join(",", [jenc(X) || X <- L]), "]"].
jesc($") -> "\\\""; jesc($\\) -> "\\\\"; jesc($\n) -> "\\n"; jesc(C) -> C.

jdec(B) -> {V, R} = jv(ws(B)), <<>> = ws(R), V.
ws(<<C, R/binary>>) when C =:= $\s; C =:= $\n; C =:= $\t; C =:= $\r -> ws(R);
ws(B) -> B.
jv(<<"true", R/binary>>) -> {true, R};
jv(<<"false", R/binary>>) -> {false, R};
jv(<<"null", R/binary>>) -> {null, R};
jv(<<"{", R/binary>>) -> jo(ws(R), #{});
jv(<<"[", R/binary>>) -> ja(ws(R), []);
jv(<<$", R/binary>>) -> js(R, <<>>);
jv(B) ->
    {match, [{0, L}]} = re:run(B, "^-?[0-9]+", []),
    <<N:L/binary, R/binary>> = B, {binary_to_integer(N), R}.
jo(<<"}", R/binary>>, M) -> {M, R};
jo(<<$", R/binary>>, M) ->
    {K, R1} = js(R, <<>>), <<":", R2/binary>> = ws(R1), {V, R3} = jv(ws(R2)),
    case ws(R3) of <<",", R4/binary>> -> jo(ws(R4), M#{K => V}); <<"}", R4/binary>> -> {M#{K => V}, R4} end.
ja(<<"]", R/binary>>, A) -> {lists:reverse(A), R};
ja(B, A) ->
    {V, R} = jv(B),
    case ws(R) of <<",", R1/binary>> -> ja(ws(R1), [V | A]); <<"]", R1/binary>> -> {lists:reverse([V | A]), R1} end.
js(<<$", R/binary>>, A) -> {A, R};
js(<<"\\u", H:4/binary, R/binary>>, A) -> js(R, <<A/binary, (binary_to_integer(H, 16))/utf8>>);
js(<<$\\, C, R/binary>>, A) -> js(R, <<A/binary, (case C of $n -> $\n; $t -> $\t; $r -> $\r; _ -> C end)>>);
js(<<C, R/binary>>, A) -> js(R, <<A/binary, C>>).
