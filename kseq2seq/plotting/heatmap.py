"""Attention weights as a picture, between source and answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq2seq.plotting.axes import as_labels, axes_or_new, inches, keep_labels_apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    across, down = as_labels(source_tokens), as_labels(target_tokens)
    upright = max(map(len, across)) > 2
    size = (
        2 + 0.28 * len(across) + inches(down),
        1.4 + 0.28 * len(down) + (inches(across) if upright else 0),
    )
    ax = axes_or_new(ax, size=size)
    image = ax.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(across)), across, parse_math=False)
    ax.set_yticks(range(len(down)), down, parse_math=False)
    ax.tick_params(axis="x", labelrotation=90 if upright else 0)
    ax.set_xlabel("source")
    ax.set_ylabel("answer")
    ax.figure.colorbar(image, ax=ax, label="attention weight")
    keep_labels_apart(ax.xaxis, across)
    keep_labels_apart(ax.yaxis, down)
    return ax
