#!/usr/bin/env escript
%%! +S 1:1 +sbwt none -kernel logger_level none
%% Erlang's own supervisor on the work of falls.py; prints one line of JSON.
%% One scheduler, as perdure's kernel is one thread. A fall is {stop, boom}: terminate and the report are part of it.
-mode(compile).
-export([main/1, init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

main([Few, Many, Siblings]) ->
    process_flag(trap_exit, true),
    logger:set_primary_config(level, none),
    F = list_to_integer(Few), M = list_to_integer(Many), S = list_to_integer(Siblings),
    {L0, _} = falls(5 * F),
    L = lists:sort(lists:nthtail(length(L0) div 6, L0)),
    Rates = lists:sort([element(2, falls(F)) || _ <- lists:seq(1, 5)]),
    {_, Rate} = falls(M),
    io:format("{\"latency_us\": ~.2f, \"latency_p99_us\": ~.2f, \"restarts_few\": ~.1f, \"restarts_many\": ~.1f, \"siblings_ms\": ~.3f}~n",
              [nth(0.5, L), nth(0.99, L), lists:nth(3, Rates), Rate, siblings(S, max(F div 10, 2))]).

nth(Share, L) -> lists:nth(max(1, trunc(Share * length(L))), L).
us(From) -> erlang:convert_time_unit(erlang:monotonic_time() - From, native, nanosecond) / 1000.

%% One child that falls N times: the latencies in us, and falls per second.
falls(N) ->
    T0 = erlang:monotonic_time(),
    S = sup(one_for_one, [a]),
    L = fall(N, up(a), []),
    Seconds = us(T0) / 1.0e6,
    stop(S),
    {L, N / Seconds}.
fall(0, _, L) -> lists:reverse(L);
fall(N, P, L) ->
    T0 = erlang:monotonic_time(),
    gen_server:cast(P, fall),
    P1 = up(a),
    fall(N - 1, P1, [us(T0) | L]).

siblings(N, Times) ->
    Ids = lists:seq(1, N), S = sup(one_for_all, Ids),
    L = siblings(Times, Ids, [up(I) || I <- Ids], []),
    stop(S),
    nth(0.5, lists:sort(L)) / 1000.
siblings(0, _, _, L) -> L;
siblings(Times, Ids, [P | _], L) ->
    T0 = erlang:monotonic_time(),
    gen_server:cast(P, fall),
    Ps = [up(I) || I <- Ids],
    siblings(Times - 1, Ids, Ps, [us(T0) | L]).

up(Id) -> receive {up, Id, P} -> P end.
sup(Strategy, Ids) -> {ok, S} = supervisor:start_link(?MODULE, {sup, Strategy, Ids, self()}), S.
stop(S) -> M = monitor(process, S), exit(S, shutdown), receive {'DOWN', M, _, _, _} -> ok end, drain().
drain() -> receive _ -> drain() after 0 -> ok end.

init({sup, Strategy, Ids, Me}) ->
    Child = fun(I) -> #{id => I, start => {gen_server, start_link, [?MODULE, {child, I, Me}, []]}} end,
    {ok, {#{strategy => Strategy, intensity => 1000000, period => 3600}, [Child(I) || I <- Ids]}};
init({child, I, Me}) -> Me ! {up, I, self()}, {ok, s}.
handle_call(_, _, S) -> {reply, ok, S}.
handle_cast(fall, S) -> {stop, boom, S}.
handle_info(_, S) -> {noreply, S}.
terminate(_, _) -> ok.
