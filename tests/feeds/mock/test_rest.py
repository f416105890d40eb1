import json

import pytest

from feeds.mock import START_NS, MockExchange
from feeds.mock.rest import answer
from tests.feeds.mock.follower import Follower

SECOND = 10**9


@pytest.fixture(scope="module")
def exchange():
    exchange = MockExchange(seed=2)
    exchange.advance(START_NS + 30 * SECOND)
    return exchange


def get(exchange, path, **parameters):
    status, body = answer(exchange, path, parameters)
    return status, json.loads(body)


def test_ping_and_time(exchange):
    assert get(exchange, "/api/v3/ping") == (200, {})
    assert get(exchange, "/api/v3/time") == (200, {"serverTime": (START_NS + 30 * SECOND) // 10**6})


def test_depth(exchange):
    status, book = get(exchange, "/api/v3/depth", symbol="BTCUSDT")
    assert status == 200
    assert list(book) == ["lastUpdateId", "bids", "asks"]
    assert len(book["bids"]) == len(book["asks"]) == 100
    assert book["lastUpdateId"] == exchange.market("BTCUSDT").update_id
    assert len(get(exchange, "/api/v3/depth", symbol="BTCUSDT", limit="7")[1]["asks"]) == 7
    for limit in ("5000", "6000"):
        whole = answer(exchange, "/api/v3/depth", {"symbol": "BTCUSDT", "limit": limit}).body
        assert Follower(whole).digest() == exchange.market("BTCUSDT").digest()


def test_exchange_info(exchange):
    status, info = get(exchange, "/api/v3/exchangeInfo")
    assert status == 200
    assert [entry["symbol"] for entry in info["symbols"]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    entry = info["symbols"][1]
    filters = {row["filterType"]: row for row in entry["filters"]}
    assert (entry["baseAsset"], entry["quoteAsset"], entry["status"]) == ("ETH", "USDT", "TRADING")
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00010000"
    assert len(get(exchange, "/api/v3/exchangeInfo", symbol="SOLUSDT")[1]["symbols"]) == 1
    assert len(get(exchange, "/api/v3/exchangeInfo", symbols='["SOLUSDT","BTCUSDT"]')[1]["symbols"]) == 2


def test_trades(exchange):
    status, trades = get(exchange, "/api/v3/trades", symbol="BTCUSDT", limit="20")
    assert status == 200
    assert len(trades) == 20
    assert list(trades[0]) == ["id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"]
    assert [trade["id"] for trade in trades] == list(range(trades[0]["id"], trades[0]["id"] + 20))


@pytest.mark.parametrize("path", ["/api/v3/depth", "/api/v3/trades"])
@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"symbol": "XRPUSDT"}, {"code": -1121, "msg": "Invalid symbol."}),
        ({}, {"code": -1102, "msg": "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."}),
        (
            {"symbol": ""},
            {"code": -1102, "msg": "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."},
        ),
        (
            {"symbol": "btcusdt"},
            {
                "code": -1100,
                "msg": "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.",
            },
        ),
        (
            {"symbol": "BTCUSDT", "limit": "many"},
            {"code": -1100, "msg": "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'."},
        ),
        ({"symbol": "BTCUSDT", "limit": "0"}, {"code": -1130, "msg": "Data sent for parameter 'limit' is not valid."}),
    ],
)
def test_errors_have_the_documented_bodies(exchange, path, parameters, error):
    assert get(exchange, path, **parameters) == (400, error)


def test_symbols_that_are_no_list_are_refused(exchange):
    assert get(exchange, "/api/v3/exchangeInfo", symbols="BTCUSDT")[0] == 400
    assert get(exchange, "/api/v3/exchangeInfo", symbols='["XRPUSDT"]')[1]["code"] == -1121


def test_truth(exchange):
    status, truths = get(exchange, "/mock/truth", symbol="BTCUSDT", **{"from": "1", "limit": "5"})
    assert status == 200
    assert [truth["u"] for truth in truths] == sorted(truth["u"] for truth in truths)
    assert len(truths) == 5
    last = truths[-1]
    assert get(exchange, "/mock/truth", symbol="BTCUSDT", u=str(last["u"])) == (200, last)
    assert set(last) == {"symbol", "u", "time_ns", "digest", "bids", "asks"}
    assert len(get(exchange, "/mock/truth", symbol="BTCUSDT", **{"from": str(last["u"])})[1]) > 100
    assert get(exchange, "/mock/truth", symbol="BTCUSDT", u="12")[0] == 404
    assert get(exchange, "/mock/truth", symbol="BTCUSDT")[1]["code"] == -1102
    assert get(exchange, "/api/v3/nothing")[0] == 404
