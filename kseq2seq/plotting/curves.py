"""Curves over epochs and over positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq2seq.arguments import nearest, quoted_choices, written
from kseq2seq.metrics import accuracy_by_position
from kseq2seq.plotting.axes import axes_or_new
from kseq2seq.plotting.shares import check_shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        The history's values of ``metric`` (training) and of ``"val_" + metric``
        (validation) are drawn, or those of the two that it has. With ``"val_"`` in the
        name, only the validation's are.
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
    ax = axes_or_new(ax, size=(6, 4))
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
            f"metric a name; got {type(history).__name__} and {written(metric)}."
        )
    names = {"training": metric, "validation": f"val_{metric}"}
    if metric.startswith("val_"):
        names = {"validation": metric}
    found = {label: history[name] for label, name in names.items() if name in history}
    if not found:
        raise ValueError(
            f"metric must be one of the history's, {quoted_choices(history)}; got "
            f"{written(metric)}.{nearest(metric, history)}"
        )
    curves = {label: values for label, values in found.items() if len(values)}
    if not curves:
        raise ValueError(f"there is nothing to draw: {written(metric)} has no epoch.")
    return curves


def _falls_over_decades(ax: Axes) -> bool:
    """Whether most of the curves would lie at the bottom of a linear axis."""
    curves = [np.asarray(line.get_ydata()) for line in ax.get_lines()]
    values = np.concatenate(curves)
    return bool(
        (values > 0).all()
        and values.max() > 30 * values.min()
        and all(curve[-1] <= curve[0] for curve in curves)
    )


def _accuracies(name: str, given: Any, y_true: Any) -> np.ndarray:
    """Return what is given, or how often it is right as answers at each position."""
    if y_true is not None:
        answers = list(given) if isinstance(given, Iterator) else given
        return accuracy_by_position(y_true, answers)
    try:
        return check_shares(name, given, ("positions",))
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{error} If they are answers, pass the right ones as y_true."
        ) from None


def plot_accuracy_by_position(
    accuracies: Any,
    y_true: Any = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often the answers are right at each position, counted from 1.

    Parameters
    ----------
    accuracies : array of numbers from 0 to 1, ``(positions,)``, or answers
        As :func:`kseq2seq.metrics.accuracy_by_position` returns them; or, with
        `y_true`, what ``estimator.predict`` returned. A mapping of str to either gets a
        line with its label for each.
    y_true : sequence of str, of token lists, or integers ``(n, len)``, optional
        The right answers, where answers are given.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        When the accuracies are none, or not shares; when answers and right ones are not
        as many.

    Examples
    --------
    >>> from kseq2seq.plotting import plot_accuracy_by_position
    >>> ax = plot_accuracy_by_position({"GRU": [1.0, 0.5], "LSTM": [1.0, 0.75]})
    >>> [line.get_label() for line in ax.get_lines()]
    ['GRU', 'LSTM']
    >>> ax = plot_accuracy_by_position(["ab", "cd"], y_true=["ab", "cx"])
    >>> ax.get_lines()[0].get_ydata().tolist()
    [1.0, 0.5]
    """
    labelled = isinstance(accuracies, Mapping)
    lines = accuracies if isinstance(accuracies, Mapping) else {"": accuracies}
    if not lines:
        raise ValueError("there is nothing to draw: accuracies is empty.")
    checked = {
        label: _accuracies(
            f"accuracies[{label!r}]" if labelled else "accuracies", values, y_true
        )
        for label, values in lines.items()
    }
    ax = axes_or_new(ax, size=(6, 4))
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
