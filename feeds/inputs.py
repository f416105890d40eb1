"""All that a venue ever learns from outside, one `Input` each, in the order in which it came.

A venue has no sockets and no clock: its state is a function of its inputs. So the log of inputs is the recording, and a
recording replays by feeding its inputs to the same venue again.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Input", "InputKind"]


class InputKind(StrEnum):
    SESSION = "session"  # a process began to feed the venue; payload: JSON of the venue's configuration
    CONNECTED = "connected"  # label: number of the connection; payload: its address
    DISCONNECTED = "disconnected"  # label: number of the connection; payload: why
    FRAME = "frame"  # label: number of the connection; payload: the frame as it came
    RESPONSE = "response"  # label: key of the fetch; status: HTTP status, 0 where none came; payload: body or error
    TIMER = "timer"  # nothing but the time


class Input(msgspec.Struct, frozen=True):
    """`received_ns`: this machine's clock, int64 nanoseconds since 1970 UTC, as read when the input came."""

    received_ns: int
    kind: InputKind
    label: str = "-"  # no white space
    status: int = 0
    payload: bytes = b""
