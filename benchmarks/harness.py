"""Timing that can be trusted: agreement first, compile time apart, interleaved repeats, medians, ratios in one run."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np

__all__ = ["Case", "Timing", "disagreements", "machine", "time_cases", "write_results"]

PACKAGES = ("jax", "jaxlib", "numpy", "numba")


@dataclass(frozen=True)
class Case:
    """One way to do a workload: `run` does it once and returns when the result is there; `first_s`, what its first call
    (compilation) took."""

    name: str
    run: Callable[[], Any]
    note: str = ""


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one case; `first_call_ms` holds its compilation."""

    name: str
    median_ms: float
    min_ms: float
    max_ms: float
    first_call_ms: float
    note: str = ""
    ratios: dict[str, float] = field(default_factory=dict)


def time_cases(cases: list[Case], *, repeats: int = 15, say: Callable[[str], None] = print) -> list[Timing]:
    """Times of the cases, in turn within each repeat so that a slow moment of the machine falls on all of them.

    `ratios[other]` is the median over the repeats of (time of other) / (time of this): how many times faster this one
    is.
    """
    first = {}
    for case in cases:
        start = time.perf_counter()
        case.run()
        first[case.name] = time.perf_counter() - start
        case.run()
    seconds: dict[str, list[float]] = {case.name: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            start = time.perf_counter()
            case.run()
            seconds[case.name].append(time.perf_counter() - start)
    timings = []
    for case in cases:
        own = np.array(seconds[case.name])
        ratios = {
            other: float(np.median(np.array(times) / own)) for other, times in seconds.items() if other != case.name
        }
        timings.append(
            Timing(
                case.name,
                _milliseconds(np.median(own)),
                _milliseconds(own.min()),
                _milliseconds(own.max()),
                _milliseconds(first[case.name]),
                case.note,
                {other: round(ratio, 2) for other, ratio in ratios.items()},
            )
        )
        say(f"{case.name:40s} {timings[-1].median_ms:10.2f} ms   ({timings[-1].min_ms:.2f}-{timings[-1].max_ms:.2f})")
    return timings


def _milliseconds(seconds: float | np.floating) -> float:
    return round(1e3 * float(seconds), 3)


def disagreements(
    actual: Mapping[str, Any], expected: Mapping[str, Any], *, relative: float, absolute: float
) -> dict[str, int]:
    """Number of elements of each output that differ by more than rounding, NaN equal to NaN; empty where all agree."""
    if set(actual) != set(expected):
        raise ValueError(f"expected the same outputs, got a difference in {sorted(set(actual) ^ set(expected))}")
    found = {}
    for name, value in actual.items():
        a, b = np.asarray(value, np.float64), np.asarray(expected[name], np.float64)
        bad = np.count_nonzero(~np.isclose(a, b, rtol=relative, atol=absolute, equal_nan=True))
        if bad:
            found[name] = int(bad)
    return found


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    device = jax.devices()[0]
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "device": device.device_kind if device.platform != "cpu" else _cpu_model(),
        "platform": device.platform,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions,
    }


def write_results(path: Path, workload: str, timings: list[Timing], **facts: Any) -> None:
    """One JSON file: the workload's facts, the machine, and the timings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {"workload": workload, "machine": machine(), **facts, "timings": [asdict(timing) for timing in timings]}
    path.write_text(json.dumps(body, indent=2) + "\n")


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
