"""REST requests for the client: paced, repeated where that may help, as patient as the venue asks."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime

import httpx2
from aiolimiter import AsyncLimiter
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from feeds.counters import Counters

__all__ = ["Fetcher", "retry_after_seconds"]

_BURST_SHARE = 1 / 6  # of a minute's allowance: requests that may be made at once
_LONGEST_WAIT_S = 3 * 24 * 3600.0  # the longest ban that Binance speaks of


class Fetcher:
    """GETs addresses. What fails in the end comes back too: status 0 and the error's text where there was no answer.

    A `Retry-After` holds back every request, not only the one that was refused: they count against one allowance.

    Args:
        counters: where repeats are counted (`request_retried`).
        attempts: tries of one request, the first included.
        weight_per_minute: what the requests of any 60 seconds may weigh together, at most.
        timeout_s: for each step of a request.
    """

    def __init__(
        self, counters: Counters, *, attempts: int = 3, weight_per_minute: float = 6000.0, timeout_s: float = 10.0
    ) -> None:
        self._counters = counters
        # A leaky bucket lets through what it holds at once, and what leaks from it meanwhile: both are one allowance.
        self._burst = weight_per_minute * _BURST_SHARE
        self._limiter = AsyncLimiter(self._burst, 60.0 * _BURST_SHARE / (1.0 - _BURST_SHARE))
        self._http = httpx2.AsyncClient(timeout=timeout_s)
        self._resume_at = 0.0  # monotonic
        self._attempts = attempts

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._http.aclose()

    async def get(self, url: str, weight: float = 1.0) -> tuple[int, bytes]:
        """Status and body; `(0, error text)` where no answer came."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=0.25, max=10.0),
            retry=retry_if_exception_type(httpx2.TransportError) | retry_if_result(_may_recover),
            before_sleep=self._count,
            retry_error_callback=_last_outcome,
        )
        try:
            return await retrying(self._once, url, weight)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return _as_failure(error)

    async def _once(self, url: str, weight: float) -> tuple[int, bytes]:
        while (wait_s := self._resume_at - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        await self._limiter.acquire(min(weight, self._burst))
        response = await self._http.get(url)
        if response.status_code in (418, 429, 503):
            wait_s = retry_after_seconds(response.headers.get("retry-after", ""), time.time())
            self._resume_at = max(self._resume_at, time.monotonic() + wait_s)
        return response.status_code, response.content

    def _count(self, state: RetryCallState) -> None:
        self._counters.count("request_retried")


def retry_after_seconds(header: str, now_s: float) -> float:
    """Seconds to wait by a `Retry-After` header, which holds seconds or a date; 0 where it says nothing."""
    try:
        wait_s = float(header) if header.strip().isdigit() else parsedate_to_datetime(header).timestamp() - now_s
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)


def _may_recover(answer: tuple[int, bytes]) -> bool:
    return answer[0] == 429 or answer[0] >= 500


def _last_outcome(state: RetryCallState) -> tuple[int, bytes]:
    if state.outcome is None:
        return 0, b"no attempt was made"
    error = state.outcome.exception()
    return state.outcome.result() if error is None else _as_failure(error)


def _as_failure(error: BaseException) -> tuple[int, bytes]:
    return 0, f"{type(error).__name__}: {error}".encode()
