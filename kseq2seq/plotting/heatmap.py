"""Attention weights as a picture, between source and answer."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq2seq.arguments import check_numbers, written
from kseq2seq.plotting.axes import (
    as_labels,
    axes_or_new,
    inches,
    keep_labels_apart,
    limited,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_attention(
    weights: np.ndarray | tuple[np.ndarray, Sequence[Any], Sequence[Any]],
    source_tokens: Sequence[Any] | None = None,
    target_tokens: Sequence[Any] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw where each target token looked: a row each, the source from left to right.

    New axes grow with the tokens, to at most 20 by 16 inches. Where there is no room
    for all, only every second, third, ... token is named. The colours reach from 0 to
    1, or where no weight is above a half, to the largest. Letters that matplotlib's
    font lacks, such as Chinese ones, need ``rcParams["font.family"]`` set to one that
    has them.

    Parameters
    ----------
    weights : numpy.ndarray, or an AttentionMap
        ``(target_len, source_len)``, each row summing to 1. Or a map that an
        estimator's ``attention(X)`` returns for each source: all three together.
    source_tokens, target_tokens : sequences of str or int, optional
        What stands on the axes; with a map, its own. A blank is drawn as a raised dot,
        a line break as ``\n``; from 16 characters on, a token is cut short.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        When the tokens are not as many as the weights' rows and columns, or weights
        are not finite.
    TypeError
        When there are weights without tokens, or several maps, or `ax` is no axes.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq.plotting import plot_attention
    >>> ax = plot_attention(np.eye(2), ["a", "b"], ["x", "y"])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('source', 'answer')
    """
    weights, source_tokens, target_tokens = _with_tokens(
        weights, source_tokens, target_tokens
    )
    if weights.shape != (len(target_tokens), len(source_tokens)):
        raise ValueError(
            "weights must be of shape (target tokens, source tokens) = "
            f"({len(target_tokens)}, {len(source_tokens)}); got {weights.shape}."
        )
    if not weights.size:
        raise ValueError("there is nothing to draw: the source or the answer is empty.")
    check_numbers("weights", weights)
    across, down = as_labels(source_tokens), as_labels(target_tokens)
    ax = axes_or_new(ax, size=_size(across, down))
    image = ax.imshow(
        weights, cmap="Blues", vmin=0, vmax=_top_of_scale(weights), aspect="auto"
    )
    ax.set_xticks(range(len(across)), across, parse_math=False)
    ax.set_yticks(range(len(down)), down, parse_math=False)
    ax.set_xlabel("source")
    ax.set_ylabel("answer")
    ax.figure.colorbar(image, ax=ax, label="attention weight", fraction=0.06, pad=0.02)
    keep_labels_apart(ax.xaxis, across, turns=True)
    keep_labels_apart(ax.yaxis, down)
    return ax


def _with_tokens(
    weights: Any, source_tokens: Any, target_tokens: Any
) -> tuple[np.ndarray, Sequence[Any], Sequence[Any]]:
    """Return weights and tokens, which a map has together."""
    if source_tokens is None and target_tokens is None:
        if not isinstance(weights, tuple) or len(weights) != 3:
            raise TypeError(
                "plot_attention takes one map, as estimator.attention(X)[0] is one, or "
                f"weights, source_tokens and target_tokens; got {written(weights)} "
                "alone."
            )
        weights, source_tokens, target_tokens = weights
    for name, tokens in (
        ("source_tokens", source_tokens),
        ("target_tokens", target_tokens),
    ):
        if tokens is None:
            raise TypeError(f"{name} must be what stands on its axis; got None.")
    return np.asarray(weights), source_tokens, target_tokens


def attention_png(
    weights: np.ndarray, source_tokens: Sequence[Any], target_tokens: Sequence[Any]
) -> bytes:
    """Return what :func:`plot_attention` draws as a PNG file, on an opaque ground.

    It is not among pyplot's figures, so that nothing is to be closed.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

    size = _size(as_labels(source_tokens), as_labels(target_tokens))
    figure = Figure(figsize=limited(size), layout="constrained")
    plot_attention(weights, source_tokens, target_tokens, ax=figure.subplots())
    file = io.BytesIO()
    figure.savefig(file, format="png", facecolor=to_rgb(figure.get_facecolor()))
    return file.getvalue()


def _size(across: list[str], down: list[str]) -> tuple[float, float]:
    """Return inches for labels; the more of them, the closer they stand."""
    width, height = (
        len(labels) * float(np.interp(len(labels), [30, 60], [0.28, 0.19]))
        for labels in (across, down)
    )
    words = [label for label in across if len(label) > 2]
    return 2 + width + inches(down), 1.4 + height + inches(words)


def _top_of_scale(weights: np.ndarray) -> float:
    """Return the weight that gets the darkest colour."""
    largest = float(weights.max())
    return largest if 0 < largest < 0.5 else 1.0
