import json

import pytest

from feeds.mock import MockExchange
from feeds.mock.session import Session


@pytest.fixture
def session():
    return Session(MockExchange(), combined=False, max_streams=4)


def ask(session: Session, **request) -> dict:
    return json.loads(session.receive(json.dumps(request)))


def test_subscriptions_come_and_go(session):
    streams = ["btcusdt@aggTrade", "btcusdt@depth"]
    assert session.receive(json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1})) == '{"result":null,"id":1}'
    assert ask(session, method="LIST_SUBSCRIPTIONS", id=3) == {"result": streams, "id": 3}
    assert ask(session, method="UNSUBSCRIBE", params=["btcusdt@depth"], id=312) == {"result": None, "id": 312}
    assert ask(session, method="LIST_SUBSCRIPTIONS", id="a1") == {"result": ["btcusdt@aggTrade"], "id": "a1"}
    assert ask(session, method="UNSUBSCRIBE", params=["ethusdt@depth"], id=None) == {"result": None, "id": None}


def test_unknown_streams_are_acknowledged_and_listed(session):
    assert ask(session, method="SUBSCRIBE", params=["nonsense", "xrpusdt@trade"], id=1) == {"result": None, "id": 1}
    assert ask(session, method="LIST_SUBSCRIPTIONS", id=2)["result"] == ["nonsense", "xrpusdt@trade"]
    assert ask(session, method="UNSUBSCRIBE", params=["nonsense"], id=1) == {"result": None, "id": 1}


def test_properties(session):
    assert ask(session, method="GET_PROPERTY", params=["combined"], id=2) == {"result": False, "id": 2}
    assert ask(session, method="SET_PROPERTY", params=["combined", True], id=5) == {"result": None, "id": 5}
    assert session.wrap("x@trade", "{}") == '{"stream":"x@trade","data":{}}'


@pytest.mark.parametrize(
    ("request_text", "code", "part"),
    [
        ("{nonsense", 3, "Invalid JSON"),
        ("[1]", 2, "Invalid request"),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"]}', 2, "request ID must be an unsigned integer"),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1.5}', 2, "request ID must be an unsigned integer"),
        ('{"params":["btcusdt@trade"],"id":1}', 2, "missing field `method`"),
        ('{"method":"SUBSCRIB","params":["btcusdt@trade"],"id":1}', 2, "unknown variant `SUBSCRIB`"),
        ('{"method":["SUBSCRIBE"],"params":["btcusdt@trade"],"id":1}', 2, "unknown variant"),
        ('{"method":"SUBSCRIBE","params":"btcusdt@trade","id":1}', 2, "Invalid request"),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2, "Invalid request"),
        ('{"method":"SUBSCRIBE","params":["a","b","c","d","e"],"id":1}', 2, "too many"),
        ('{"method":"SUBSCRIBE","params":["a"],"id":1,"extra":0}', 2, "Invalid request"),
        ('{"method":"GET_PROPERTY","params":["colour"],"id":1}', 0, "Unknown property"),
        ('{"method":"GET_PROPERTY","params":["combined",1],"id":1}', 2, "too many parameters"),
        ('{"method":"GET_PROPERTY","params":[1],"id":1}', 2, "property name must be a string"),
        ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', 1, "expected Boolean"),
    ],
)
def test_malformed_requests_get_the_documented_error(session, request_text, code, part):
    reply = json.loads(session.receive(request_text))
    assert reply["code"] == code
    assert part in reply["msg"]
    assert reply.get("id", 1) == 1
    assert session.streams == {}
