"""Callbacks that look at answers, and those that look at the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Self

import keras
import numpy as np

from kseq2seq.arguments import check_real, check_whole
from kseq2seq.codec import source_text, split_features, with_features
from kseq2seq.metrics import (
    DEFAULT_METRICS,
    TEXT_METRICS,
    check_metrics,
    matches,
    measure,
)

Judge = Callable[..., dict[str, float]]
"""From right answers, given answers and names of metrics to figures by name."""


class AttachedCallback(keras.callbacks.Callback):
    """Gets to know what an estimator's `fit` validates on, and how it answers.

    The callbacks of this kind come before all others, in the order of their list: what
    they put into an epoch's logs is there for the others to read.
    """

    is_remembered = True
    """Whether a checkpoint keeps the numbers and arrays among its attributes."""
    takes_runs = False
    """Whether it may be told of runs of batches in place of each batch."""

    def __init__(self) -> None:
        super().__init__()
        self._predict: Callable[[Sequence[Any]], Sequence[Any]] | None = None
        self._weights: np.ndarray | None = None

    def attach(
        self,
        predict: Callable[[Sequence[Any]], Sequence[Any]],
        X: Sequence[Any],
        y: Sequence[Any],
        *,
        tokens: Callable[[Sequence[Any]], Sequence[Any]] = list,
    ) -> Self:
        """Say what to look at.

        Parameters
        ----------
        predict : callable
            From sources to answers.
        X, y : sequences
            Sources and the answers that are right.
        tokens : callable, optional
            Splits a list of answers into lists of tokens, for metrics that count them;
            left as they are when not given.

        Returns
        -------
        AttachedCallback
            This callback.
        """
        self._predict, self._tokens = predict, tokens
        self._judge: Judge = partial(measure, tokens=tokens)
        self._X, self._y = X, y
        return self

    def weigh_by(self, sample_weight: np.ndarray) -> None:
        """Let pairs count by their weights where answers are measured.

        Parameters
        ----------
        sample_weight : array of float ``(n_pairs,)``
            Above 0. For BLEU and chrF each pair counts the same.
        """
        same = not (sample_weight != sample_weight[:1]).any()
        self._weights = None if same else sample_weight

    def judge_by(self, judge: Judge) -> None:
        """Measure as an estimator does, in place of ``kseq2seq.metrics.measure``.

        Parameters
        ----------
        judge : callable
            From right answers, given answers and names of metrics to figures by name.
        """
        self._judge = judge


class AnswerCallback(AttachedCallback):
    """Looks, after some of the epochs, at answers decoded without teacher forcing.

    An estimator's `fit` attaches it to its own predictions and validation pairs; with
    models of your own, call :meth:`attach` before their ``fit``.

    Parameters
    ----------
    every : int, default 1
        Look after the first epoch, and then after each `every` more.
    """

    def __init__(self, every: int = 1) -> None:
        super().__init__()
        self.every = check_whole("every", every)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Raise unless there is something to look at."""
        if self._predict is None or not len(self._X):
            raise ValueError(
                f"{type(self).__name__} has no pairs to validate on: pass fit "
                "validation_data (a stream holds nothing back), or a larger "
                "validation_fraction; with models of your own, call attach(predict, "
                "X, y)."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look, if it is time."""
        logs = {} if logs is None else logs
        if epoch % self.every == 0:
            _ = self.model  # on JAX this brings the weights up to date
            self.look(epoch, logs)

    def look(self, epoch: int, logs: dict[str, float]) -> None:
        """Do what the callback is for."""
        raise NotImplementedError

    def _answers(self, num_pairs: int) -> tuple[Sequence[Any], Sequence[Any], Any]:
        """Return sources, right answers and the model's."""
        X, y = self._X[:num_pairs], self._y[:num_pairs]
        if self._predict is None:
            raise ValueError(f"{type(self).__name__} is not attached to a model.")
        return X, y, self._predict(X)


class FreeRunningValidation(AnswerCallback):
    """Measure answers on validation pairs, decoded as `predict` does.

    The epoch's logs, and so the history and every callback that comes later in the list
    (``EarlyStopping``, ``ModelCheckpoint``, ``CSVLogger``, ``TensorBoard`` where the
    ``tensorboard`` package is installed), get ``val_exact_match``,
    ``val_token_accuracy`` and ``val_edit_distance``, or those of `metrics`. In epochs
    between two measurements the last one stands, so the patience of an
    ``EarlyStopping`` counts epochs, not measurements.

    Parameters
    ----------
    metrics : sequence of str, default ("exact_match", "token_accuracy", \
"edit_distance")
        Also ``"token_error_rate"``, ``"bleu"`` and ``"chrf"``.
    every : int, default 1
        Measure after the first epoch, and then after each `every` more.
    max_pairs : int, default 1000
        On how many pairs at most, from the first on.

    Raises
    ------
    ValueError, TypeError
        When a metric is unknown or a number is out of range.

    Examples
    --------
    >>> import keras
    >>> from kseq2seq import Seq2SeqEstimator
    >>> from kseq2seq.training import FreeRunningValidation
    >>> X, y = ["ab", "ba", "aab", "bba"] * 8, ["ba", "ab", "baa", "abb"] * 8
    >>> stop = keras.callbacks.EarlyStopping("val_exact_match", mode="max", patience=3)
    >>> callbacks = [FreeRunningValidation(every=2), stop]
    >>> estimator = Seq2SeqEstimator(units=8, epochs=2, callbacks=callbacks)
    >>> len(estimator.fit(X, y).history_["val_exact_match"])
    2
    """

    def __init__(
        self,
        metrics: Sequence[str] = DEFAULT_METRICS,
        *,
        every: int = 1,
        max_pairs: int = 1000,
    ) -> None:
        super().__init__(every)
        self.metrics = check_metrics(metrics)
        self.max_pairs = check_whole("max_pairs", max_pairs)
        self._last: dict[str, float] = {}

    def look(self, epoch: int, logs: dict[str, float]) -> None:
        """Measure."""
        _, y, answers = self._answers(self.max_pairs)
        measured = self._measured(y, answers)
        self._last = {f"val_{name}": value for name, value in measured.items()}

    def _measured(self, y: Sequence[Any], answers: Any) -> dict[str, float]:
        """Return the metrics by name, in their order."""
        if self._weights is None:
            return self._judge(y, answers, self.metrics)
        weights = self._weights[: self.max_pairs]
        measured: dict[str, float] = {}
        for metric in self.metrics:
            weighted = {} if metric in TEXT_METRICS else {"sample_weight": weights}
            measured |= self._judge(y, answers, [metric], **weighted)
        return measured

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measure, if it is time, and hand on the last measurement."""
        super().on_epoch_end(epoch, logs)
        if logs is not None:
            logs.update(self._last)


class SampleAnswers(AnswerCallback):
    """Print some validation sources and the model's answers as training goes.

    Parameters
    ----------
    num_answers : int, default 5
        How many, from the first on.
    every : int, default 1
        Print after the first epoch, and then after each `every` more.
    """

    def __init__(self, num_answers: int = 5, *, every: int = 1) -> None:
        super().__init__(every)
        self.num_answers = check_whole("num_answers", num_answers)

    def look(self, epoch: int, logs: dict[str, float]) -> None:
        """Print."""
        X, y, answers = self._answers(self.num_answers)
        X = with_features(*split_features("X", X))  # of a table, its rows
        open_line = (self.params or {}).get("verbose") == 1  # that of Keras's bar
        print("\n" * open_line + f"epoch {epoch + 1}")
        for source, right, answer, matched in zip(
            X, y, answers, matches(y, answers), strict=True
        ):
            verdict = "right" if matched else f"expected {right}"
            shown = answer if len(answer) else "(nothing)"
            print(f"  {source_text(source)} -> {shown}  ({verdict})")


class StopAtLoss(keras.callbacks.Callback):
    """End the training when an epoch's training loss is as low as a tolerance.

    Parameters
    ----------
    tol : float
        At least 0.
    """

    def __init__(self, tol: float) -> None:
        super().__init__()
        self.tol = check_real("tol", tol)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Stop, if the loss is low enough."""
        if logs and logs["loss"] <= self.tol:
            self.model.stop_training = True


def not_finite(model: keras.Model) -> Iterator[tuple[Any, int]]:
    """Yield each weight that holds NaN or infinity, and in how many places."""
    for variable in model.weights:
        array = keras.ops.convert_to_numpy(variable)
        count = array.size - int(np.count_nonzero(np.isfinite(array)))
        if count:
            yield variable, count


def is_finite(model: keras.Model) -> bool:
    """Whether all weights of a model are finite numbers."""
    return next(not_finite(model), None) is None


class RefuseDivergence(keras.callbacks.Callback):
    """Raise, with advice, when an epoch leaves losses or weights that are not finite.

    The training loss alone would not do: it is older than the last update.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look at losses and weights, before anything keeps the weights."""
        logs = logs or {}
        losses = {
            "the loss": logs.get("loss", 0.0),
            "the validation loss": logs.get("val_loss", 0.0),
        }
        wrong = [
            f"{name} was {loss}"
            for name, loss in losses.items()
            if not math.isfinite(loss)
        ]
        if not (wrong or is_finite(self.model)):
            wrong = ["weights were not finite"]
        if wrong:
            raise FloatingPointError(
                f"{wrong[0]} after epoch {epoch + 1}: training has diverged, "
                "and its weights are of no use. Lower learning_rate, pass "
                "clip_norm=1.0, and look for huge values in what is yours "
                "(sample_weight, embeddings, initializers, loss)."
            )
