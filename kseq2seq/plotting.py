"""Pictures from plain arrays: training curves and attention.

Each function draws on the axes that it is given, or on new ones, and returns them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _axes(ax: Axes | None, *, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")[1]


def plot_history(
    history: Mapping[str, Sequence[float]],
    metric: str = "loss",
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw a metric over the epochs, of training and, where there is one, validation.

    Parameters
    ----------
    history : mapping of str to sequence of float
        One value an epoch under each name, as ``estimator.history_`` has them.
    metric : str, default "loss"
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
    if metric not in history:
        raise ValueError(f"the history holds {list(history)}; got {metric!r}.")
    if not len(history[metric]):
        raise ValueError(f"there is nothing to draw: {metric!r} has no epoch.")
    ax = _axes(ax, size=(6, 4))
    for name, label in ((metric, "training"), (f"val_{metric}", "validation")):
        if name in history:
            epochs = np.arange(1, len(history[name]) + 1)
            ax.plot(epochs, history[name], label=label, marker=".")
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric.replace("_", " "))
    if _spans_decades(ax):
        ax.set_yscale("log")
    ax.locator_params(axis="x", integer=True)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def _spans_decades(ax: Axes) -> bool:
    """Whether a linear axis would press most of the curves onto its ground."""
    values = np.concatenate([line.get_ydata() for line in ax.get_lines()])
    return bool((values > 0).all() and values.max() > 30 * values.min())


def plot_attention(
    weights: np.ndarray,
    source_tokens: Sequence[Any],
    target_tokens: Sequence[Any],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw where each target token looked: a row each, the source from left to right.

    Parameters
    ----------
    weights : numpy.ndarray
        ``(target_len, source_len)``, each row summing to 1.
    source_tokens, target_tokens : sequences of str or int
        What stands on the axes. A space is drawn as an open box.
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
    size = (2 + 0.28 * len(source_tokens), 1.4 + 0.28 * len(target_tokens))
    ax = _axes(ax, size=size)
    image = ax.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(source_tokens)), _labels(source_tokens), parse_math=False)
    ax.set_yticks(range(len(target_tokens)), _labels(target_tokens), parse_math=False)
    if max((len(str(token)) for token in source_tokens), default=0) > 2:
        ax.tick_params(axis="x", labelrotation=90)
    ax.set_xlabel("source")
    ax.set_ylabel("answer")
    ax.figure.colorbar(image, ax=ax, label="attention weight")
    return ax


def _labels(tokens: Sequence[Any]) -> list[str]:
    return ["\u2423" if token == " " else str(token) for token in tokens]
