"""Pictures from plain arrays: curves, accuracy by position, attention, image grids.

Each function draws on the axes that it is given, or on new ones, and returns them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq2seq.arguments import nearest, quoted_choices

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis

_LARGEST = (20.0, 16.0)
_LONGEST_LABEL = 15


def _axes(ax: Axes | None, *, size: tuple[float, float]) -> Axes:
    """Return the axes, or new ones of that many inches, within reason."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    width, height = np.minimum(size, _LARGEST)
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def plot_history(
    history: Mapping[str, Sequence[float]],
    metric: str = "loss",
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw a metric over the epochs, of training, of validation, or of both.

    Parameters
    ----------
    history : mapping of str to sequence of float
        One value an epoch under each name, as ``estimator.history_`` has them.
    metric : str, default "loss"
        What is there of ``metric`` (training) and ``"val_" + metric`` (validation) is
        drawn. With the ``"val_"`` in the name, only the validation's.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        When the history has no such metric.

    Examples
    --------
    >>> from kseq2seq.plotting import plot_history
    >>> ax = plot_history({"loss": [2.0, 1.0], "val_loss": [2.1, 1.5]})
    >>> [line.get_label() for line in ax.get_lines()]
    ['training', 'validation']
    """
    curves = _curves(history, metric)
    ax = _axes(ax, size=(6, 4))
    for label, values in curves.items():
        ax.plot(np.arange(1, len(values) + 1), values, label=label, marker=".")
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric.removeprefix("val_").replace("_", " "))
    if _falls_over_decades(ax):
        ax.set_yscale("log")
    ax.locator_params(axis="x", integer=True, min_n_ticks=1)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def _curves(
    history: Mapping[str, Sequence[float]], metric: str
) -> dict[str, Sequence[float]]:
    if not isinstance(history, Mapping) or not isinstance(metric, str):
        raise TypeError(
            "history must be a mapping of names to a value an epoch, such as "
            "estimator.history_ or the .history of what Keras's fit returns, and "
            f"metric a name; got {type(history).__name__} and {metric!r}."
        )
    names = {"training": metric, "validation": f"val_{metric}"}
    if metric.startswith("val_"):
        names = {"validation": metric}
    found = {label: history[name] for label, name in names.items() if name in history}
    if not found:
        raise ValueError(
            f"metric must be one of the history's, {quoted_choices(history)}; got "
            f"{metric!r}.{nearest(metric, history)}"
        )
    curves = {label: values for label, values in found.items() if len(values)}
    if not curves:
        raise ValueError(f"there is nothing to draw: {metric!r} has no epoch.")
    return curves


def _falls_over_decades(ax: Axes) -> bool:
    """Whether a linear axis would press most of the curves onto its ground."""
    curves = [np.asarray(line.get_ydata()) for line in ax.get_lines()]
    values = np.concatenate(curves)
    return bool(
        (values > 0).all()
        and values.max() > 30 * values.min()
        and all(curve[-1] <= curve[0] for curve in curves)
    )


def plot_accuracy_by_position(
    accuracies: np.ndarray | Sequence[float] | Mapping[str, np.ndarray],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often the answers are right at each position, counted from 1.

    Parameters
    ----------
    accuracies : array of numbers from 0 to 1, ``(positions,)``, or mapping of str to it
        As :func:`kseq2seq.metrics.accuracy_by_position` returns them; of a mapping,
        each gets a line with its label.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        When the accuracies are none, or not shares.

    Examples
    --------
    >>> from kseq2seq.plotting import plot_accuracy_by_position
    >>> ax = plot_accuracy_by_position({"GRU": [1.0, 0.5], "LSTM": [1.0, 0.75]})
    >>> [line.get_label() for line in ax.get_lines()]
    ['GRU', 'LSTM']
    """
    labelled = isinstance(accuracies, Mapping)
    lines = accuracies if isinstance(accuracies, Mapping) else {"": accuracies}
    if not lines:
        raise ValueError("there is nothing to draw: accuracies is empty.")
    checked = {
        label: _check_shares(
            f"accuracies[{label!r}]" if labelled else "accuracies",
            values,
            ("positions",),
        )
        for label, values in lines.items()
    }
    ax = _axes(ax, size=(6, 4))
    for label, values in checked.items():
        ax.plot(np.arange(1, len(values) + 1), values, label=label, marker=".")
    ax.set_ylim(-0.03, 1.03)  # A marker at 0 or 1 stays whole.
    ax.set_xlabel("position")
    ax.set_ylabel("accuracy")
    ax.locator_params(axis="x", integer=True, min_n_ticks=1)
    ax.grid(alpha=0.3)
    if labelled:
        # A label is text, also where it begins with _ or holds a formula's $.
        legend = ax.legend(ax.get_lines(), [str(label) for label in checked])
        for text in legend.get_texts():
            text.set_parse_math(False)
    return ax


def _check_shares(name: str, values: Any, axes: tuple[str, ...]) -> np.ndarray:
    """Return numbers from 0 to 1 as an array with these axes, none of them empty."""
    shape = f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be numbers from 0 to 1 of shape {shape}, without gaps; got "
            f"{values!r:.60}."
        ) from None
    if array.ndim != len(axes) or not array.size:
        raise ValueError(
            f"{name} must be of shape {shape}, none of them 0; got {array.shape}."
        )
    if not (array.min() >= 0 and array.max() <= 1):  # NaN is neither.
        raise ValueError(
            f"{name} must be finite numbers from 0 to 1; got {array.min():g} to "
            f"{array.max():g}."
        )
    return array


def plot_images(
    images: Any,
    row_labels: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw pictures as a grid, such as rows of masked, restored and true ones.

    Parameters
    ----------
    images : array of numbers from 0 to 1, ``(rows, columns, height, width)``
        0 is black, 1 is white.
    row_labels : sequence of str, optional
        What stands on the left of each row.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        When the images are not as described, or the labels not as many as the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq.plotting import plot_images
    >>> ax = plot_images(np.eye(8) * np.ones((2, 3, 1, 1)), ["masked", "true"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['masked', 'true']
    """
    array = _check_shares("images", images, ("rows", "columns", "height", "width"))
    rows, columns, height, width = array.shape
    labels = _check_row_labels(row_labels, rows)
    gap = max(1, round(0.04 * max(height, width)))
    ax = _axes(ax, size=_grid_size(array.shape, labels))
    ax.imshow(_grid(array, gap), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks([])
    centres = np.arange(rows) * (height + gap) + (height - 1) / 2
    ax.set_yticks(centres[: len(labels)], labels, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.spines[:].set_visible(False)
    _keep_labels_apart(ax.yaxis, labels)
    return ax


def _check_row_labels(row_labels: Sequence[str] | None, rows: int) -> list[str]:
    if row_labels is None:
        return []
    if isinstance(row_labels, str) or len(row_labels) != rows:
        raise ValueError(
            f"row_labels must be {rows} labels, one for each row of images; got "
            f"{row_labels!r:.60}."
        )
    return _labels(row_labels)


def _grid(images: np.ndarray, gap: int) -> np.ndarray:
    """Lay ``(rows, columns, height, width)`` out as one picture, NaN in the gaps."""
    rows, columns, height, width = images.shape
    padding = ((0, 0), (0, 0), (0, gap), (0, gap))
    padded = np.pad(images, padding, constant_values=np.nan)
    grid = padded.transpose(0, 2, 1, 3)  # (rows, height + gap, columns, width + gap)
    grid = grid.reshape(rows * (height + gap), columns * (width + gap))
    return grid[:-gap, :-gap]


def _grid_size(shape: tuple[int, ...], labels: list[str]) -> tuple[float, float]:
    """Return inches for a grid of pictures, in proportion where it must shrink."""
    rows, columns, height, width = shape
    inch = 0.9 / max(height, width)
    across, down = columns * width * inch, rows * height * inch
    beside = 0.2 + _inches(labels)
    scale = min(1, (_LARGEST[0] - beside) / across, (_LARGEST[1] - 0.2) / down)
    return max(1.0, across * scale) + beside, max(0.3, down * scale) + 0.2


def plot_attention(
    weights: np.ndarray,
    source_tokens: Sequence[Any],
    target_tokens: Sequence[Any],
    *,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw where each target token looked: a row each, the source from left to right.

    New axes grow with the tokens, to at most 20 by 16 inches. Where there is no room
    for all, only every second, third, ... token is named.

    Parameters
    ----------
    weights : numpy.ndarray
        ``(target_len, source_len)``, each row summing to 1.
    source_tokens, target_tokens : sequences of str or int
        What stands on the axes. A space is drawn as an open box, a line break as
        ``\n``; from 16 characters on, a token is cut short.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        When the tokens are not as many as the weights' rows and columns.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq.plotting import plot_attention
    >>> ax = plot_attention(np.eye(2), ["a", "b"], ["x", "y"])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('source', 'answer')
    """
    weights = np.asarray(weights)
    if weights.shape != (len(target_tokens), len(source_tokens)):
        raise ValueError(
            "weights must be of shape (target tokens, source tokens) = "
            f"({len(target_tokens)}, {len(source_tokens)}); got {weights.shape}."
        )
    if not weights.size:
        raise ValueError("there is nothing to draw: the source or the answer is empty.")
    across, down = _labels(source_tokens), _labels(target_tokens)
    upright = max(map(len, across)) > 2
    size = (
        2 + 0.28 * len(across) + _inches(down),
        1.4 + 0.28 * len(down) + (_inches(across) if upright else 0),
    )
    ax = _axes(ax, size=size)
    image = ax.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(across)), across, parse_math=False)
    ax.set_yticks(range(len(down)), down, parse_math=False)
    ax.tick_params(axis="x", labelrotation=90 if upright else 0)
    ax.set_xlabel("source")
    ax.set_ylabel("answer")
    ax.figure.colorbar(image, ax=ax, label="attention weight")
    _keep_labels_apart(ax.xaxis, across)
    _keep_labels_apart(ax.yaxis, down)
    return ax


def _labels(tokens: Sequence[Any]) -> list[str]:
    return [_label(str(token)) for token in tokens]


def _label(token: str) -> str:
    """Return a token on one line, cut short when it is long."""
    if token == " ":
        return "\u2423"
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in token)
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _inches(labels: list[str]) -> float:
    """Return about how long the longest label is."""
    return 0.09 * max(map(len, labels), default=0)


def _keep_labels_apart(axis: XAxis | YAxis, labels: list[str]) -> None:
    """Shrink labels where it is narrow, and name only as many as do not overlap.

    How many these are is found whenever the figure is drawn, so that it stays right
    when its size, its layout or the view changes.
    """
    from matplotlib.ticker import FuncFormatter

    if not labels:
        return
    places = axis.get_majorticklocs()
    normal = axis.get_ticklabels()[0].get_fontsize()
    fitting = max(0.8 * _points_between(axis, places), min(6.0, normal))
    axis.set_tick_params(labelsize=min(normal, fitting))
    side = "width" if axis.axis_name == "x" else "height"
    largest = max(
        getattr(label.get_window_extent(), side) for label in axis.get_ticklabels()
    )
    needed = 1.5 + largest * 72 / axis.axes.figure.dpi
    name = partial(_name, axis=axis, places=places, labels=labels, needed=needed)
    axis.set_major_formatter(FuncFormatter(name))


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
    """Return how far a tick is from the next, as the axes stand now."""
    box = axis.axes.bbox
    pixels = box.width if axis.axis_name == "x" else box.height
    distance = np.diff(places[:2]).sum() if len(places) > 1 else math.inf
    share = distance / abs(np.subtract(*axis.get_view_interval()))
    return max(share * pixels * 72 / axis.axes.figure.dpi, 1e-3)
