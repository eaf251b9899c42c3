"""Axes and their labels: how large they are, and how labels stay apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq2seq.arguments import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis

LARGEST = (20.0, 16.0)
"""New axes are at most as wide and as high, in inches."""

BLANK = "\u00b7"
"""What a blank is drawn as: a raised dot, which hardly a font lacks."""

_LONGEST_LABEL = 15
_FEW_AXES = 2
"""A picture and its colour bar, whose layout takes no time."""
_GAP = 1.5
"""Points between two labels, at least."""


def axes_or_new(ax: Axes | None, *, size: tuple[float, float]) -> Axes:
    """Return the axes, or new ones of this size in inches, at most the largest."""
    from matplotlib.axes import Axes

    if isinstance(ax, Axes):
        return ax
    if ax is not None:
        raise TypeError(f"ax must be axes of matplotlib, or None; got {shown(ax)}.")
    from matplotlib import pyplot

    return pyplot.subplots(figsize=limited(size), layout="constrained")[1]


def limited(size: tuple[float, float]) -> tuple[float, float]:
    """Return a width and a height in inches, at most the largest."""
    return min(size[0], LARGEST[0]), min(size[1], LARGEST[1])


def as_labels(tokens: Sequence[Any]) -> list[str]:
    """Return the tokens as text for an axis, each on one line and cut short."""
    return [_label(str(token)) for token in tokens]


def _label(token: str) -> str:
    """Return a token on one line, cut short when it is long."""
    if not token.strip(" "):
        token = BLANK * len(token)
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in token)
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def inches(labels: list[str]) -> float:
    """Return about how long the longest label is, in inches."""
    return 0.09 * max(map(len, labels), default=0)


def keep_labels_apart(
    axis: XAxis | YAxis, labels: list[str], *, turns: bool = False
) -> None:
    """Shrink labels where ticks are close, and show only as many as do not overlap.

    With `turns`, words run upwards unless all labels fit side by side; single letters
    and numbers of two digits stand upright where they fit. How many labels are shown is
    found anew whenever the figure is drawn, so that it stays right when the size, the
    layout or the view changes.
    """
    from matplotlib.ticker import FuncFormatter

    if not labels or not axis.get_ticklabels():  # another axis may have them
        return
    places = axis.get_majorticklocs()
    normal = axis.get_ticklabels()[0].get_fontsize()
    fitting = max(0.8 * _points_between(axis, places), min(6.0, normal))
    axis.set_tick_params(labelsize=min(normal, fitting))
    if turns:
        _turn_wide_labels(axis, places)
    side = "width" if axis.axis_name == "x" else "height"
    largest = max(
        getattr(label.get_window_extent(), side) for label in axis.get_ticklabels()
    )
    needed = _GAP + _points(largest, axis)
    name = partial(_name, axis=axis, places=places, labels=labels, needed=needed)
    axis.set_major_formatter(FuncFormatter(name))


def _turn_wide_labels(axis: XAxis | YAxis, places: np.ndarray) -> None:
    """Let words run upwards, and whatever is wider than its place, unless all fit."""
    from matplotlib.figure import Figure

    figure = axis.axes.figure
    if isinstance(figure, Figure) and len(figure.axes) <= _FEW_AXES:
        layout = figure.get_layout_engine()
        if layout is not None:
            layout.execute(figure)  # it leaves less room than new axes have
    room = _points_between(axis, places) - _GAP
    labels = axis.get_ticklabels()
    widths = [_points(label.get_window_extent().width, axis) for label in labels]
    is_wide = [width > room for width in widths]
    for label, wide in zip(labels, is_wide, strict=True):
        length = len(label.get_text())
        if length > 1 and (wide or (length > 2 and any(is_wide))):
            label.set_rotation(90)


def _points(pixels: float, axis: XAxis | YAxis) -> float:
    return pixels * 72 / axis.axes.figure.dpi


def _name(
    place: float,
    position: int | None,
    *,
    axis: XAxis | YAxis,
    places: np.ndarray,
    labels: list[str],
    needed: float,
) -> str:
    """Return the label of the nearest tick, or nothing where there is no room."""
    index = int(np.abs(places - place).argmin())
    if position is None:  # Not a tick: where the mouse points.
        return labels[index]
    step = max(1, math.ceil(needed / _points_between(axis, places)))
    return labels[index] if index % step == 0 else ""


def _points_between(axis: XAxis | YAxis, places: np.ndarray) -> float:
    """Return the distance between two ticks in points, at the axes' present size."""
    box = axis.axes.bbox
    pixels = box.width if axis.axis_name == "x" else box.height
    distance = np.diff(places[:2]).sum() if len(places) > 1 else math.inf
    share = distance / abs(np.subtract(*axis.get_view_interval()))
    return max(share * _points(pixels, axis), 1e-3)
