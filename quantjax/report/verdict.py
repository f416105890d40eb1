"""Do the books agree with the source's own record of them?"""

from __future__ import annotations

from html import escape

from quantjax.report.contents import TruthCheck
from quantjax.report.numbers import grouped, percent

__all__ = ["verdict"]


def verdict(truth: TruthCheck) -> str:
    """One line in a box: do the books agree with the source's own record?"""
    if truth.compared == 0:
        return f'<div class="verdict open">Nothing was compared ({escape(truth.what)}).</div>'
    all_equal = truth.equal == truth.compared
    words = "all equal" if all_equal else f"{grouped(truth.compared - truth.equal)} differ"
    share = "" if all_equal else f" ({percent(truth.equal / truth.compared)} equal)"
    return (
        f'<div class="verdict{"" if all_equal else " bad"}"><strong>{grouped(truth.compared)}</strong> '
        f"{escape(truth.what)}: <strong>{words}</strong>{share}.</div>"
    )
