"""The callbacks of a fit that look at answers: at which, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kseq2seq.answering import Answerer
from kseq2seq.estimators.examples import Task
from kseq2seq.training import FreeRunningValidation, TeacherForcing, Trainer
from kseq2seq.training.callbacks import AttachedCallback


def looks_at_answers(trainer: Trainer) -> bool:
    """Whether a training looks at validation answers at all."""
    attached = any(isinstance(c, AttachedCallback) for c in trainer.callbacks)
    return attached or trainer.settings.selects_by_answers


def attach_callbacks(
    trainer: Trainer,
    task: Task,
    predict: Callable[[Sequence[Any]], Sequence[Any]],
    answerer: Answerer,
) -> None:
    """Tell the callbacks that look at answers at which, and put them first.

    Where early stopping looks at a metric of answers that no callback measures, one is
    added that does.
    """
    if any(isinstance(callback, TeacherForcing) for callback in trainer.callbacks):
        raise TypeError(
            "an estimator sets teacher forcing itself: pass teacher_forcing and "
            "teacher_forcing_schedule in place of a TeacherForcing callback."
        )
    attached = [c for c in trainer.callbacks if isinstance(c, AttachedCallback)]
    others = [c for c in trainer.callbacks if not isinstance(c, AttachedCallback)]
    X, y = task.validation_values
    if trainer.settings.selects_by_answers:
        metric = trainer.settings.monitored
        if not any(metric in getattr(c, "metrics", ()) for c in attached):
            attached.append(FreeRunningValidation([metric]))
        if not len(y):
            raise ValueError(
                f"early_stopping_metric={metric!r} needs validation pairs: pass fit "
                "validation_data, a validation_fraction above 0, or "
                "early_stopping_metric='loss'."
            )
    for callback in attached:
        callback.attach(predict, X, y, tokens=answerer.target.tokens)
        callback.weigh_by(task.validation.weights)
        callback.judge_by(answerer.judge)
    trainer.callbacks = attached + others
