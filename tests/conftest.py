"""Shared by all tests: x64 on, the persistent compilation cache, fixed keys, and where the recorded data lies."""

from __future__ import annotations

import os
from pathlib import Path

import jax
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# In the environment, so that child processes share it.
CACHE = os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".pytest_cache" / "jax"))

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_compilation_cache_dir", CACHE)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)

# The same examples in every run, and no verdict on how busy the machine is.
settings.register_profile("quantjax", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quantjax")


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(20120621)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of recorded market data; tests that read it skip where it is absent."""
    folder = ROOT / os.environ.get("QUANTJAX_DATA", "../shared/data")
    if not folder.is_dir():
        pytest.skip("no recorded market data: set QUANTJAX_DATA to its folder")
    return folder
