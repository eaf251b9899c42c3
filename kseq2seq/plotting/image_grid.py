"""Grids of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq2seq.arguments import written
from kseq2seq.plotting.axes import (
    LARGEST,
    as_labels,
    axes_or_new,
    inches,
    keep_labels_apart,
)
from kseq2seq.plotting.shares import check_shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    array = check_shares("images", images, ("rows", "columns", "height", "width"))
    rows, columns, height, width = array.shape
    labels = _check_row_labels(row_labels, rows)
    gap = max(1, round(0.04 * max(height, width)))
    ax = axes_or_new(ax, size=_grid_size(array.shape, labels))
    ax.imshow(_grid(array, gap), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks([])
    centres = np.arange(rows) * (height + gap) + (height - 1) / 2
    ax.set_yticks(centres[: len(labels)], labels, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.spines[:].set_visible(False)
    keep_labels_apart(ax.yaxis, labels)
    return ax


def _check_row_labels(row_labels: Sequence[str] | None, rows: int) -> list[str]:
    if row_labels is None:
        return []
    if isinstance(row_labels, str) or len(row_labels) != rows:
        raise ValueError(
            f"row_labels must be {rows} labels, one for each row of images; got "
            f"{written(row_labels)}."
        )
    return as_labels(row_labels)


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
    beside = 0.2 + inches(labels)
    scale = min(1, (LARGEST[0] - beside) / across, (LARGEST[1] - 0.2) / down)
    return max(1.0, across * scale) + beside, max(0.3, down * scale) + 0.2
