"""What a client says on a WebSocket and what Binance replies: one connection's protocol, no sockets.

Source: binance-spot-api-docs, web-socket-streams.md, "Live Subscribing/Unsubscribing to streams" and "Error
Messages".
"""

from __future__ import annotations

import json

from feeds.mock import wire
from feeds.mock.exchange import MockExchange

__all__ = ["Session"]

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class _Refused(Exception):
    """A request that cannot be served; args: code, message."""


class Session:
    """The subscriptions of one connection and its replies.

    A name that is no stream, or of a symbol the exchange does not list, is acknowledged and stays silent, as at
    Binance.

    Args:
        exchange: told which streams are listened to.
        combined: whether payloads are wrapped as `{"stream": ..., "data": ...}` (the path was `/stream`).
        max_streams: subscriptions that one connection may have.
    """

    def __init__(self, exchange: MockExchange, combined: bool, max_streams: int = 1_024) -> None:
        self.combined = combined
        self.streams: dict[str, bool] = {}  # name -> whether the exchange has it
        self._exchange = exchange
        self._max_streams = max_streams

    def wrap(self, stream: str, payload: str) -> str:
        """The payload as this connection gets it."""
        return wire.combined(stream, payload) if self.combined else payload

    def names(self) -> set[str]:
        """Subscribed streams that the exchange has."""
        return {name for name, known in self.streams.items() if known}

    def subscribe(self, names: list[str]) -> None:
        """Add streams; ValueError, and none added, where that would be too many."""
        new = [name for name in dict.fromkeys(names) if name not in self.streams]
        if len(self.streams) + len(new) > self._max_streams:
            raise ValueError(f"expected at most {self._max_streams} streams on a connection")
        for name in new:
            self.streams[name] = self._exchange.listen(name)

    def unsubscribe(self, names: list[str]) -> None:
        """Take streams away; those that were not subscribed are passed over."""
        for name in names:
            if self.streams.pop(name, False):
                self._exchange.ignore(name)

    def close(self) -> None:
        """Take all streams away."""
        self.unsubscribe(list(self.streams))

    def receive(self, text: str) -> str:
        """The reply to one message of the client."""
        identifier: object = None
        try:
            try:
                request = json.loads(text)
            except ValueError:
                raise _Refused(3, "Invalid JSON: expected value at line 1 column 1") from None
            if not isinstance(request, dict):
                raise _Refused(2, "Invalid request: expected a map at line 1 column 1")
            identifier = _identifier(request)
            return _json({"result": self._serve(request), "id": identifier})
        except _Refused as refusal:
            code, message = refusal.args
            reply = {"code": code, "msg": message}
            return _json(reply if identifier is None else reply | {"id": identifier})

    def _serve(self, request: dict[str, object]) -> object:
        if unknown := [name for name in request if name not in ("method", "params", "id")]:
            raise _Refused(2, f"Invalid request: unknown field {unknown[0]}")
        if "method" not in request:
            raise _Refused(2, "Invalid request: missing field `method` at line 1 column 1")
        method, params = request["method"], request.get("params", [])
        if method not in METHODS:
            expected = ", ".join(f"`{name}`" for name in METHODS)
            message = f"unknown variant `{method}`, expected one of {expected} at line 1 column 1"
            raise _Refused(2, f"Invalid request: {message}")
        if not isinstance(params, list):
            raise _Refused(2, "Invalid request: params must be an array")
        if method == "LIST_SUBSCRIPTIONS":
            return list(self.streams)
        if method in ("SET_PROPERTY", "GET_PROPERTY"):
            return self._property(params, setting=method == "SET_PROPERTY")
        names = [name for name in params if isinstance(name, str)]
        if len(names) != len(params) or not names:
            raise _Refused(2, "Invalid request: params must be an array of stream names")
        try:
            (self.subscribe if method == "SUBSCRIBE" else self.unsubscribe)(names)
        except ValueError:
            raise _Refused(2, "Invalid request: too many streams") from None
        return None

    def _property(self, params: list[object], setting: bool) -> object:
        if not params or not isinstance(params[0], str):
            raise _Refused(2, "Invalid request: property name must be a string")
        if len(params) > 1 + setting:
            raise _Refused(2, "Invalid request: too many parameters")
        if params[0] != "combined":
            raise _Refused(0, "Unknown property")
        if not setting:
            return self.combined
        if len(params) < 2 or not isinstance(params[1], bool):
            raise _Refused(1, "Invalid value type: expected Boolean")
        self.combined = params[1]
        return None


def _identifier(request: dict[str, object]) -> int | str | None:
    """A signed 64-bit integer, a string of at most 36 letters and digits, or null; it must be there."""
    identifier = request.get("id", False)
    if identifier is None:
        return None
    if isinstance(identifier, int) and not isinstance(identifier, bool) and -(2**63) <= identifier < 2**63:
        return identifier
    if isinstance(identifier, str) and len(identifier) <= 36 and identifier.replace("-", "").isalnum():
        return identifier
    raise _Refused(2, "Invalid request: request ID must be an unsigned integer")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
