"""The mock exchange over a real loopback socket."""

import asyncio
import json
import subprocess
import sys
import time

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK, InvalidStatus

from feeds.mock import START_NS, Faults, Limits, MockExchange, default_markets, serve, serve_in_thread
from tests.feeds.mock.follower import Follower

SECOND = 10**9


HEAVY = "/".join(
    f"{symbol}@{kind}"
    for symbol in ("btcusdt", "ethusdt", "solusdt")
    for kind in ("depth20@100ms", "depth10@100ms", "depth5@100ms", "depth@100ms", "bookTicker")
)
"""Streams of so many bytes that a socket's buffers are soon full."""


def stream(server, path: str):
    # Unbounded: a client that leaves its frames unread would otherwise wait ten seconds for its own closing handshake.
    return connect(server.stream_url + path, compression=None, max_queue=None)


async def receive(websocket, count: int) -> list[str]:
    async with asyncio.timeout(10.0):
        return [await websocket.recv() for _ in range(count)]


async def drain(websocket) -> list[str]:
    """Everything until the connection ends."""
    frames = []
    async with asyncio.timeout(10.0):
        try:
            while True:
                frames.append(await websocket.recv())
        except ConnectionClosed:
            return frames


async def get(server, path: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.get(server.rest_url + path)


async def until(condition) -> None:
    async with asyncio.timeout(10.0):
        while not condition():
            await asyncio.sleep(0.005)


async def test_rest_and_every_kind_of_path():
    async with serve(MockExchange(seed=1), speed=0) as server:
        assert (await get(server, "/api/v3/ping")).json() == {}
        assert (await get(server, "/api/v3/time")).json() == {"serverTime": START_NS // 10**6}
        wrong = await get(server, "/api/v3/depth?symbol=XRPUSDT")
        assert (wrong.status_code, wrong.json()) == (400, {"code": -1121, "msg": "Invalid symbol."})
        assert wrong.headers["content-type"] == "application/json"
        assert (await get(server, "/nowhere")).status_code == 404

        async with (
            stream(server, "/ws/btcusdt@depth@100ms/ethusdt@depth@100ms") as raw,
            stream(server, "/stream?streams=btcusdt@depth@100ms/ethusdt@depth5") as combined,
            stream(server, "/ws") as bare,
        ):
            await until(lambda: len(server.hub.connections) == 3)
            server.pass_time(1.0)
            assert {json.loads(text)["s"] for text in await receive(raw, 10)} == {"BTCUSDT", "ETHUSDT"}
            wrapped = [json.loads(text) for text in await receive(combined, 11)]
            assert wrapped[0]["stream"] == "btcusdt@depth@100ms"
            assert list(wrapped[0]) == ["stream", "data"]
            assert list(wrapped[0]["data"]) == ["e", "E", "s", "U", "u", "b", "a"]

            await bare.send('{"method":"SUBSCRIBE","params":["btcusdt@depth","btcusdt@trade"],"id":1}')
            assert await receive(bare, 1) == ['{"result":null,"id":1}']
            server.pass_time(2.0)
            kinds = []
            while kinds.count("depthUpdate") < 2:
                kinds += [json.loads(text)["e"] for text in await receive(bare, 1)]
            assert set(kinds) == {"depthUpdate", "trade"}
            await bare.send('{"method":"UNSUBSCRIBE","params":["btcusdt@depth","btcusdt@trade"],"id":2}')
            await bare.send('{"method":"LIST_SUBSCRIPTIONS","id":3}')
            await bare.send(b"{nonsense")
            replies = []
            while len(replies) < 3:
                replies += [text for text in await receive(bare, 1) if '"e":' not in text]
            assert replies[:2] == ['{"result":null,"id":2}', '{"result":[],"id":3}']
            assert json.loads(replies[2])["code"] == 3
            server.pass_time(2.0)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(bare.recv(), 0.05)
        await until(lambda: not server.hub.connections)
        assert server.exchange.status()["streams"] == {}


async def test_a_client_that_follows_the_rule_has_the_exchanges_book_after_every_message():
    symbols = ("btcusdt", "ethusdt", "solusdt")
    async with serve(MockExchange(seed=3), speed=20.0, hold=True) as server:
        async with stream(server, "/stream?streams=" + "/".join(f"{s}@depth@100ms" for s in symbols)) as websocket:
            buffered = [json.loads(text)["data"] for text in await receive(websocket, 30)]
            followers = {}
            for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
                body = await get(server, f"/api/v3/depth?symbol={symbol}&limit=5000")
                followers[symbol] = Follower(body.text)
            while min(follower.num_applied for follower in followers.values()) < 30:
                diff = buffered.pop(0) if buffered else json.loads((await receive(websocket, 1))[0])["data"]
                follower = followers[diff["s"]]
                if follower.apply(json.dumps(diff)):
                    truth = server.exchange.truth(diff["s"], diff["u"])
                    assert truth is not None
                    assert follower.digest() == truth.digest
        remote = (await get(server, f"/mock/truth?symbol={diff['s']}&u={diff['u']}")).json()
        assert remote["digest"] == follower.digest()


async def test_the_same_seed_gives_the_same_frames_at_every_speed():
    async def record(speed, clients: int) -> list[list[str]]:
        exchange = MockExchange(seed=9, duration_s=10.0)
        path = "/stream?streams=btcusdt@depth@100ms/ethusdt@trade/solusdt@depth"
        async with serve(exchange, speed=speed, hold=True) as server, asyncio.TaskGroup() as group:
            websockets = [await stream(server, path) for _ in range(clients)]
            tasks = [group.create_task(drain(websocket)) for websocket in websockets]
        return [task.result() for task in tasks]

    slow, fast = await record(40.0, 1), await record("max", 1)
    assert slow == fast
    assert len(slow[0]) > 100
    assert json.loads(slow[0][-1])["stream"] == "!serverShutdown"
    # The second comes while the first is already being served: what it gets is the end of the same.
    first, second = await record(40.0, 2)
    assert first == slow[0]
    assert 0 < len(second) <= len(first)
    assert first[-len(second) :] == second


async def test_snapshots_at_speed_fall_between_diffs():
    async with serve(MockExchange(seed=3), speed=5.0) as server:
        async with stream(server, "/ws/btcusdt@depth@100ms") as websocket:
            await receive(websocket, 1)
            snapshots = [
                (await get(server, "/api/v3/depth?symbol=BTCUSDT&limit=5")).json()["lastUpdateId"] for _ in range(10)
            ]
            diffs = [json.loads(text) for text in await receive(websocket, 1)]
            while diffs[-1]["u"] < snapshots[-1]:
                diffs += [json.loads(text) for text in await receive(websocket, 1)]
        inside = [u for u in snapshots if any(diff["U"] <= u < diff["u"] for diff in diffs)]
        assert inside


async def test_max_speed_waits_for_its_clients():
    async with serve(MockExchange(seed=3), speed="max", limits=Limits(queue=80)) as server:
        await asyncio.sleep(0.05)
        assert server.exchange.now_ns == START_NS
        names = "/".join(f"{s}@{k}" for s in ("btcusdt", "ethusdt", "solusdt") for k in ("depth@100ms", "trade"))
        async with stream(server, "/stream?streams=" + names) as websocket:
            await receive(websocket, 1_500)
        assert server.hub.counters["slow_client"] == 0
        assert server.exchange.now_ns > START_NS + 10 * SECOND


async def test_a_slow_client_is_cut_and_the_others_are_not():
    async with serve(MockExchange(seed=3), speed=0, limits=Limits(queue=1_000)) as server:
        async with (
            connect(f"{server.stream_url}/ws/{HEAVY}", compression=None, max_queue=1) as slow,
            stream(server, "/ws/ethusdt@depth@100ms") as good,
        ):
            await until(lambda: len(server.hub.connections) == 2)
            reader = next(c for c in server.hub.connections.values() if len(c.session.streams) == 1)
            while server.hub.counters["slow_client"] == 0:
                server.pass_time(5.0)
                await until(lambda: reader.backlog == 0)
                assert server.exchange.now_ns < START_NS + 3_600 * SECOND
            await until(lambda: list(server.hub.connections.values()) == [reader])
            assert len(await receive(good, 50)) == 50
            await drain(slow)
            assert slow.close_code == 1006
        assert server.hub.counters["slow_client"] == 1


async def test_a_client_that_takes_nothing_is_cut_at_max_speed():
    limits = Limits(queue=2_000, patience_s=0.2)
    async with (
        serve(MockExchange(seed=3), speed="max", limits=limits) as server,
        connect(f"{server.stream_url}/ws/{HEAVY}", compression=None, max_queue=1) as slow,
    ):
        await until(lambda: server.hub.counters["slow_client"] == 1)
        await drain(slow)
        assert slow.close_code == 1006


async def test_a_client_that_talks_too_much_is_cut():
    async with serve(MockExchange(), speed=0) as server:
        async with stream(server, "/ws") as websocket:
            for number in range(6):
                await websocket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
            assert len(await drain(websocket)) <= 5
        assert server.hub.counters["too_many_messages"] == 1


async def test_too_many_streams_in_the_path_are_refused():
    async with (
        serve(MockExchange(), speed=0, limits=Limits(streams=2)) as server,
        stream(server, "/ws/a@trade/b@trade/c@trade") as websocket,
    ):
        await drain(websocket)
        assert websocket.close_code == 1008


async def test_the_server_pings():
    # A client that sends no pong is cut; this one's are its library's.
    limits = Limits(ping_interval_s=0.02, ping_timeout_s=1.0)
    async with (
        serve(MockExchange(), speed=0, limits=limits) as server,
        stream(server, "/ws/btcusdt@trade") as websocket,
    ):
        await asyncio.sleep(0.2)
        server.pass_time(5.0)
        assert await receive(websocket, 1)


@pytest.mark.parametrize("kind", ["drop", "repeat", "reorder", "garbage"])
async def test_faults_by_chance_occur_are_counted_and_leave_the_truth(kind):
    clean = MockExchange(default_markets()[:1], seed=2)
    clean.listen("btcusdt@depth@100ms")
    expected = [frame.text for frame in clean.advance(START_NS + 30 * SECOND)]
    server_of = serve(MockExchange(default_markets()[:1], seed=2), speed=0, faults=Faults(seed=1, **{kind: 0.2}))
    async with server_of as server, stream(server, "/ws/btcusdt@depth@100ms") as websocket:
        await until(lambda: server.hub.connections)
        server.pass_time(30.0)
        done = server.hub.counters[f"fault_{kind}"]
        assert 20 < done < len(expected) / 2
        # One that changes places at the very end has not come.
        more = {"drop": -done, "repeat": done, "garbage": done, "reorder": -1}[kind]
        got = await receive(websocket, len(expected) + more)
        if kind == "drop":
            assert set(got) < set(expected)
        elif kind == "repeat":
            assert list(dict.fromkeys(got)) == expected
        elif kind == "garbage":
            assert [text for text in got if text.endswith("}")] == expected
        else:
            assert got != expected[: len(got)]
            assert set(got) <= set(expected)
        update = clean.market("BTCUSDT").update_id
        truths = [exchange.truth("BTCUSDT", update) for exchange in (clean, server.exchange)]
        assert truths[0] == truths[1]
        assert server.exchange.num_truths == len(expected) + 1


async def test_faults_on_request_over_http():
    async with serve(MockExchange(seed=2), speed=0) as server, httpx2.AsyncClient() as client:

        async def fault(**order) -> httpx2.Response:
            return await client.post(server.rest_url + "/mock/fault", content=json.dumps(order))

        async with stream(server, "/stream?streams=btcusdt@depth@100ms") as websocket:
            await until(lambda: server.hub.connections)
            assert (await fault(kind="drop", count=3)).json() == {"connections": 1}
            server.pass_time(2.0)
            first = json.loads((await receive(websocket, 1))[0])["data"]
            assert first["U"] > 2 + default_markets()[0].first_update_id

            await fault(kind="stall", seconds=5.0)
            frames = server.hub.counters["sent"]
            server.pass_time(4.0)
            await asyncio.sleep(0.02)
            assert server.hub.counters["sent"] <= frames + 20
            server.pass_time(1.5)
            await until(lambda: server.hub.counters["sent"] > frames + 40)

            await fault(kind="shutdown")
            frames = await drain(websocket)
            assert json.loads(frames[-1]) == {
                "stream": "!serverShutdown",
                "data": {"e": "serverShutdown", "E": server.exchange.now_ns // 10**6},
            }
            assert websocket.close_code == 1001
        async with stream(server, "/ws/btcusdt@trade") as websocket:
            await until(lambda: server.hub.connections)
            await fault(kind="disconnect")
            with pytest.raises(ConnectionClosedError):
                await receive(websocket, 1)
        for wrong in ({}, {"kind": "checksum"}, {"kind": "drop", "count": 0}, {"kind": "stall", "seconds": "x"}):
            assert (await fault(**wrong)).status_code == 400
        assert (await client.post(server.rest_url + "/mock/fault", content="[")).status_code == 400
        counters = (await client.get(server.rest_url + "/mock/status")).json()["counters"]
        assert {name: number for name, number in counters.items() if name.startswith("fault")} == {
            "fault_disconnect": 1, "fault_drop": 3, "fault_shutdown": 1, "fault_stall": 1,
        }  # fmt: skip


async def test_disconnects_and_stalls_by_chance():
    faults = Faults(disconnect_every_s=20.0, stall_every_s=5.0, stall_s=2.0)
    async with serve(MockExchange(seed=2), speed=100.0, faults=faults) as server:
        for _ in range(2):
            async with stream(server, "/ws/btcusdt@depth@100ms") as websocket:
                await drain(websocket)
                assert websocket.close_code == 1006
        assert server.hub.counters["fault_disconnect"] == 2
        assert server.hub.counters["fault_stall"] > 0


async def test_duration_ends_with_a_shutdown():
    async with serve(MockExchange(seed=2, duration_s=5.0), speed="max") as server:
        async with stream(server, "/ws/btcusdt@depth@100ms") as websocket:
            frames = await drain(websocket)
            with pytest.raises(ConnectionClosedOK):
                await websocket.recv()
        assert json.loads(frames[-1]) == {"e": "serverShutdown", "E": START_NS // 10**6 + 5_000}
        assert json.loads(frames[-2])["E"] <= START_NS // 10**6 + 5_000
        await asyncio.wait_for(server.wait_finished(), 5.0)
        # Nobody is let in any more; the truth can still be asked for.
        with pytest.raises(InvalidStatus):
            await stream(server, "/ws/btcusdt@depth@100ms")
        assert (await get(server, "/mock/truth?symbol=BTCUSDT&from=1")).json()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com", ""])
async def test_only_loopback_is_served(host):
    with pytest.raises(ValueError, match="loopback"):
        async with serve(MockExchange(), host=host):
            pass


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf"), "fast"])
async def test_wrong_speeds_are_refused(speed):
    with pytest.raises(ValueError, match="speed"):
        async with serve(MockExchange(), speed=speed):
            pass


async def test_a_taken_port_is_an_error():
    async with serve(MockExchange(), speed=0) as server:
        with pytest.raises(OSError, match="in use"):
            async with serve(MockExchange(), port=server.port):
                pass


def test_in_a_thread():
    with serve_in_thread(MockExchange(seed=1), speed=10.0) as server:
        assert httpx2.get(server.rest_url + "/mock/status").json()["seed"] == 1
    with pytest.raises(ValueError, match="loopback"), serve_in_thread(MockExchange(), host="0.0.0.0"):
        pass


def test_run_ends_with_the_duration():
    code = (
        "from feeds.mock import MockExchange, run\n"
        "run(MockExchange(duration_s=0.5), port=0, speed=50.0, started=lambda server: print(server.rest_url))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("http://127.0.0.1:")
    assert done.stderr == ""


def test_run_ends_on_sigterm():
    code = (
        "from feeds.mock import MockExchange, run\n"
        "run(MockExchange(), port=0, started=lambda server: print(server.rest_url, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline()
        started = time.monotonic()
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, b"")
    assert time.monotonic() - started < 5.0


def test_the_simulation_needs_neither_fastapi_nor_uvicorn():
    code = (
        "import sys; sys.modules['fastapi'] = sys.modules['uvicorn'] = None\n"
        "import feeds.mock; feeds.mock.MockExchange()\n"
        "try: feeds.mock.serve\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert "pip install quantjax[mock]" in done.stdout, done.stderr
