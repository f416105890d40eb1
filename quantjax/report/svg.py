"""A matplotlib figure as inline SVG that takes its colours and its font from the page around it."""

from __future__ import annotations

import re
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from quantjax.report.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline_svg"]


def inline_svg(figure: Figure, name: str) -> str:
    """One `<svg>` element, without any reference out of it, the same for the same figure and `name`.

    `name` must be another for every figure of a page: the identifiers within the SVG are made from it. The colours of
    the palette become CSS variables (`--bid`, `--ask`, `--third`, `--ink`, `--muted`, `--grid`), with the palette's own
    where a page does not set them, and text is text in the page's font. The figure's label is what screen readers say.
    """
    from matplotlib import rc_context

    buffer = BytesIO()
    # Text is left as text: smaller, sharp in every size, and in the reader's own font.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "svg.image_inline": True}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue().decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    # Groups are never referred to, and their identifiers would be there once for every figure of the page.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*; ?", "", text)
    for role, color in PALETTE.items():
        text = text.replace(color, f"var(--{role},{color})")
    size = re.search(r'viewBox="([^"]*)"', text)
    view = size.group(1) if size else "0 0 1 1"
    body = text[text.index(">") + 1 :]
    label = escape(str(figure.get_label()), quote=True)
    width = figure.get_figwidth() * 96
    text = f'<svg viewBox="{view}" role="img" aria-label="{label}" style="max-width:{1.35 * width:.0f}px">{body}'
    text = re.sub(r' d="([^"]*)"', lambda path: f' d="{_shorter(path.group(1))}"', text)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def _shorter(path: str) -> str:
    """Path data to a tenth of a point, on one line: more than half of the bytes of a long line are digits unseen."""
    return re.sub(r"\s*\n\s*", "", re.sub(r"(\d+\.\d)\d+", r"\1", path)).replace("L ", "L").strip()
