"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import feeds
import quantjax

DRAWING = ("quantjax.report.",)  # tested with figures in tests/report


def modules(package: ModuleType) -> list[str]:
    found = (info.name for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."))
    return [name for name in found if not name.startswith(DRAWING)]


@pytest.mark.parametrize("name", [*modules(quantjax), *modules(feeds)])
def test_examples(name: str):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
