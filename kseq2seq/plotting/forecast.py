"""A forecast behind what came before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq2seq.arguments import shown
from kseq2seq.plotting.axes import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_forecast(
    history: Any,
    forecast: Any,
    *,
    truth: Any = None,
    interval: Sequence[Any] | None = None,
    label: str = "forecast",
    ax: Axes | None = None,
) -> Axes:
    """Draw the end of a series, its forecast, and what came to be if it is known.

    Parameters
    ----------
    history : array ``(len,)``
        What came before; the forecast begins behind it.
    forecast : array ``(horizon,)``
    truth : array, optional
        What came to be, as many values as are known.
    interval : pair of arrays ``(horizon,)``, optional
        The lower and the upper bounds, drawn as a band.
    label : str, default "forecast"
        The forecast's name in the legend.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError, TypeError
        When these are no numbers of one axis, or bounds are not as many as values.

    Examples
    --------
    >>> from kseq2seq.plotting import plot_forecast
    >>> ax = plot_forecast([1, 2, 3], [4, 5], interval=([3, 3], [5, 7]), truth=[4.2])
    >>> [line.get_label() for line in ax.get_lines()][:3]
    ['history', 'truth', 'forecast']
    """
    past, ahead = _line("history", history), _line("forecast", forecast)
    start = len(past)
    steps = np.arange(start, start + len(ahead))
    ax = axes_or_new(ax, size=(8, 3.5))
    ax.plot(np.arange(start), past, color="0.35", label="history")
    if truth is not None:
        known = _line("truth", truth)
        steps_known = np.arange(start, start + len(known))
        ax.plot(steps_known, known, color="black", linestyle=":", label="truth")
    if interval is not None:
        lower, upper = _bounds(interval, len(ahead))
        ax.fill_between(
            steps, lower, upper, alpha=0.25, linewidth=0, color="C0", label="interval"
        )
    ax.plot(steps, ahead, color="C0", label=label)
    ax.axvline(start - 0.5, color="0.8", linewidth=1, zorder=0)
    ax.set_xlabel("time")
    ax.margins(x=0.01)
    ax.grid(alpha=0.3)
    ax.legend(loc="upper left", ncols=3, frameon=False)
    return ax


def _line(name: str, values: Any) -> np.ndarray:
    """Return values of one axis, or raise."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be numbers (len,); got {shown(values)}."
        ) from None
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not len(array):
        raise ValueError(
            f"{name} must be numbers (len,), and not empty; got shape {array.shape}. "
            "Of several series or targets, draw one at a time."
        )
    return array


def _bounds(interval: Any, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper bounds, or raise."""
    if not isinstance(interval, list | tuple | np.ndarray) or len(interval) != 2:
        raise TypeError(
            "interval must be a pair of arrays, lower and upper bounds; got "
            f"{shown(interval)}."
        )
    lower, upper = (
        _line(name, bound)
        for name, bound in zip(("lower bounds", "upper bounds"), interval, strict=True)
    )
    if len(lower) != horizon or len(upper) != horizon:
        raise ValueError(
            f"bounds must be as many as the {horizon} values of the forecast; got "
            f"{len(lower)} and {len(upper)}."
        )
    return lower, upper
