"""The mock exchange's routes: FastAPI over `Hub`, and nothing of their own.

Routes:

    GET  /api/v3/{ping,time,exchangeInfo,depth,trades}   as Binance spot
    WS   /ws, /ws/<stream>[/<stream>...], /stream?streams=<stream>/<stream>...
    GET  /mock/truth?symbol=&u=   /mock/truth?symbol=&from=   /mock/status
    POST /mock/fault   {"kind": "drop", "count": 1, "seconds": 1.0}

Those under `/mock` are the mock exchange's own; no venue has them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect

from feeds.mock.connection import Connection
from feeds.mock.faults import FAULT_KINDS
from feeds.mock.hub import Hub
from feeds.mock.rest import answer

__all__ = ["make_app"]


def make_app(hub: Hub, abort: Callable[[WebSocket], None]) -> FastAPI:
    """The routes; `abort` cuts the socket under a WebSocket."""
    app = FastAPI(title="mock exchange", openapi_url=None)

    @app.get("/mock/status")
    async def status() -> Response:
        return _reply(200, json.dumps(hub.status()))

    @app.post("/mock/fault")
    async def fault(request: Request) -> Response:
        try:
            order = json.loads(await request.body())
            kind, count, seconds = order["kind"], int(order.get("count", 1)), float(order.get("seconds", 1.0))
            if kind not in FAULT_KINDS or count < 1 or not 0.0 < seconds < 1e6:
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            known = ", ".join(FAULT_KINDS)
            message = f"expected a JSON object of kind ({known}) and optionally count and seconds, both positive"
            return _reply(400, json.dumps({"code": -1102, "msg": message}))
        hub.fault(kind, count, seconds)
        return _reply(200, json.dumps({"connections": len(hub.connections)}))

    @app.get("/{path:path}")
    async def rest(request: Request) -> Response:
        hub.catch_up()
        hub.counters.count("requests")
        return _reply(*answer(hub.exchange, request.url.path, request.query_params))

    @app.websocket("/ws")
    @app.websocket("/ws/{names:path}")
    async def raw(websocket: WebSocket, names: str = "") -> None:
        await _talk(hub, websocket, False, names, abort)

    @app.websocket("/stream")
    async def combined(websocket: WebSocket) -> None:
        await _talk(hub, websocket, True, websocket.query_params.get("streams", ""), abort)

    return app


async def _talk(hub: Hub, websocket: WebSocket, combined: bool, names: str, abort: Callable[[WebSocket], None]) -> None:
    """One connection from its handshake to its end."""
    if hub.finished.is_set():
        await websocket.close()  # before it is accepted: the handshake is refused
        return
    await websocket.accept()
    streams = [name for name in names.split("/") if name]
    try:
        connection = hub.connect(combined, streams, lambda: abort(websocket))
    except ValueError as error:
        await websocket.close(1008, str(error))
        return
    sending = asyncio.create_task(_send(connection, websocket))
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                break
            connection.hear(message.get("text") or (message.get("bytes") or b"").decode("utf-8", "replace"))
    finally:
        hub.leave(connection)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(connection: Connection, websocket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await connection.send_all(websocket.send_text)
        if connection.close_code is not None and not connection.cut:
            await websocket.close(connection.close_code)


def _reply(status: int, body: str) -> Response:
    return Response(body, status_code=status, media_type="application/json")
