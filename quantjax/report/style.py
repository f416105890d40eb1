"""How every figure looks: one palette, one set of sizes, and matplotlib kept out of sight until it is needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from quantjax.report.numbers import percent, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

__all__ = [
    "ASK",
    "BID",
    "FULL",
    "HALF",
    "INK",
    "MUTED",
    "PALETTE",
    "THIRD",
    "beside",
    "legend",
    "new_figure",
    "readable_ticks",
    "say",
    "share_axis",
    "styled",
]

Parameters = ParamSpec("Parameters")

# Colours that people with any colour vision tell apart (blue and orange), on white as on near-black. The HTML page
# replaces each by a variable of the same role, so that figures follow the reader's light or dark theme.
BID, ASK, THIRD = "#1f6fd1", "#d9631e", "#0f8f7a"
INK, MUTED, GRID = "#1b2430", "#5f6c7b", "#e2e7ed"
PALETTE = {"bid": BID, "ask": ASK, "third": THIRD, "ink": INK, "muted": MUTED, "grid": GRID}

FULL, HALF = (10.4, 3.3), (5.0, 3.3)
"""Width and height in inches of a figure over the whole page and of one in a column."""

_STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.titlecolor": INK,
    "axes.labelsize": 8.0,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.xmargin": 0.0,
    "axes.ymargin": 0.06,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "xtick.major.width": 0.6,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "text.color": INK,
    "text.usetex": False,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.handlelength": 1.4,
    "legend.borderaxespad": 0.2,
    "legend.columnspacing": 1.4,
    "lines.linewidth": 1.2,
    "lines.solid_joinstyle": "round",
    "patch.linewidth": 0.0,
    "path.simplify": True,
    "figure.facecolor": "white",
    "figure.dpi": 100.0,
    "timezone": "UTC",
}


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """`draw` under the report's style, whatever the caller's; the caller's rcParams are as before afterwards.

    Raises ImportError, with what to install, where matplotlib is missing.
    """

    @wraps(draw)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        try:
            from matplotlib import rc_context, rcParamsDefault
        except ImportError as error:
            raise ImportError(
                "expected matplotlib for the figures of quantjax.report, got none; pip install quantjax[plots]"
            ) from error
        # From the defaults on, so that neither a matplotlibrc nor the caller's style shines through.
        rc: Any = {name: value for name, value in rcParamsDefault.items() if not name.startswith(("backend", "_"))}
        with rc_context(rc | _STYLE):
            return draw(*args, **kwargs)

    return wrapper


def new_figure(size: tuple[float, float], caption: str) -> Figure:
    """An empty figure of `size` inches that carries its caption as its label (`figure.get_label()`)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    figure.set_label(caption)
    return figure


def beside(figure: Figure, width: float = 0.22) -> tuple[Axes, Axes]:
    """Two axes that share their y axis: a wide one for time, and one of `width` of it for the distribution."""
    grid: GridSpec = figure.add_gridspec(1, 2, width_ratios=(1.0, width), wspace=0.03)
    main = figure.add_subplot(grid[0, 0])
    side = figure.add_subplot(grid[0, 1], sharey=main)
    side.tick_params(labelleft=False)
    return main, side


def readable_ticks(axis: Axis, *, count: int = 5) -> None:
    """At most about `count` ticks at round numbers, written out (12 000, 0.05) and never in powers of ten."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def say(axes: Axes, sentence: str) -> None:
    """A plain sentence in place of a plot."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, sentence, ha="center", va="center", color=MUTED, transform=axes.transAxes, wrap=True)


def legend(axes: Axes, columns: int = 4) -> None:
    """A legend in one row above the plot, where it covers nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns)


def share_axis(axes: Axes) -> None:
    """A short axis of shares: its end alone is written, in percent."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(2, prune="lower"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value).replace("\u202f", "")))
    axes.grid(axis="x", visible=False)
