"""The one skeleton of `fit`.

It has the data read, makes or takes up the models, batches and trains. What differs
between estimators it asks of them: see the methods of
:class:`kseq2seq.estimators.base.SequenceEstimator` under "What an estimator is".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kseq2seq import _tensorflow, persistence
from kseq2seq.arguments import (
    check_flag,
    make_rng,
    written,
)
from kseq2seq.batching import BucketedBatches, StreamBatches
from kseq2seq.declarations import checked
from kseq2seq.estimators.base import SequenceEstimator
from kseq2seq.estimators.checkpoint_file import Checkpoint
from kseq2seq.estimators.checkpoint_lock import CheckpointLock
from kseq2seq.estimators.examples import (
    FitData,
    StreamedExamples,
    Task,
)
from kseq2seq.estimators.interruption import Interruption
from kseq2seq.estimators.parameters_json import parameters_to_json
from kseq2seq.estimators.weights import (
    check_finite,
    frozen_in,
    set_frozen,
    set_learned,
    set_weights,
)
from kseq2seq.training import (
    StreamError,
    Trainer,
    TrainingSettings,
    TrainingState,
    plan_buckets,
    updates_per_epoch,
)
from kseq2seq.training.callbacks import is_finite
from kseq2seq.training.optimizer_state import KeptOptimizer


class Plan(NamedTuple):
    """The batches of a training, and for how many epochs they come."""

    batches: BucketedBatches | StreamBatches
    validation_batches: BucketedBatches | None
    epochs: int


def fit_estimator(
    estimator: SequenceEstimator,
    data: FitData,
    *,
    checkpoint: str | Path | None = None,
) -> None:
    """Let an estimator learn, anew or with `warm_start` from what it has learned."""
    _fit(
        estimator,
        data,
        estimator._training_settings(),
        checkpoint=checkpoint,
        continues=check_flag("warm_start", estimator.warm_start),
    )


def fit_pass(estimator: SequenceEstimator, data: FitData) -> None:
    """Let an estimator learn from one pass over data, with its last optimizer."""
    checked(estimator, "warmup_steps", "ema_momentum")
    if estimator.ema_momentum is not None:
        raise ValueError(
            "ema_momentum is for fit; each pass of partial_fit would start from the "
            "averages of the last one, and learn ever less. "
            "set_params(ema_momentum=None)."
        )
    if estimator.warmup_steps:
        raise ValueError(
            "warmup_steps is for fit; partial_fit does not know how many updates "
            "will come. set_params(warmup_steps=0)."
        )
    settings = estimator._training_settings(**estimator.of_one_pass)
    _fit(estimator, data, settings, continues=True, keeps_optimizer=True)


def _fit(
    estimator: SequenceEstimator,
    data: FitData,
    settings: TrainingSettings,
    *,
    checkpoint: str | Path | None = None,
    continues: bool,
    keeps_optimizer: bool = False,
) -> None:
    """Let an estimator learn from data, step by step.

    Parameters
    ----------
    estimator : SequenceEstimator
        Its parameters are read and never changed.
    data : FitData
    settings : TrainingSettings
        How to train: the estimator's own, or others for this one training.
    checkpoint : path, optional
        A file to write after each epoch, and to resume from.
    continues : bool
        Whether training starts from what was learned before, if anything was.
    keeps_optimizer : bool, default False
        Whether it also starts with the last optimizer.
    """
    _tensorflow.check_can_run()
    continues = continues and estimator._is_fitted
    with ExitStack() as locks, _all_or_nothing(estimator, continues=continues):
        estimator._check()
        trainer = Trainer(settings)
        rng = make_rng(settings.random_state)
        broken_off = estimator.__dict__.pop("_interruption", None)
        if not continues or keeps_optimizer:  # forgotten, or a pass of its own
            broken_off = None
        if broken_off is not None:
            rng.bit_generator.state = broken_off.began
        file = _open_checkpoint(estimator, checkpoint, rng, locks)
        began = dict(rng.bit_generator.state)
        data = replace(data.weighted(), continues=continues)
        known: Sequence[Any] = data.codecs
        if file is not None and file.artifact is not None:
            known = file.codecs
        if continues:
            _check_continues(estimator)
            known = estimator._source, estimator._target
        task = estimator._read(data, known, trainer, rng)
        estimator._check_task(task, settings)
        if file is not None:
            file.check_data(task)
        _take_models(estimator, task, rng, continues=continues)
        if file is not None:
            _resume(estimator, file, task)
        estimator._attach(trainer, task)
        estimator.callbacks_ = trainer.callbacks
        plan = _plan(estimator, task, trainer, rng)
        state = None if file is None else file.state
        if state is None and broken_off and broken_off.is_of(task, plan.epochs):
            state, keeps_optimizer = broken_off.state, True
        if not (keeps_optimizer and hasattr(estimator, "_kept_optimizer")):
            estimator._kept_optimizer = KeptOptimizer()
        estimator.history_ = trainer.train(
            **plan._asdict(),
            **estimator._objective(plan.epochs, rng),
            kept=estimator._kept_optimizer,
            keeps_optimizer=keeps_optimizer,
            save_state=None if file is None else partial(_save, estimator, file),
            state=state,
            on_interrupt=partial(_note_interrupt, estimator, task, began),
        )
        check_finite(estimator._network)  # whatever callbacks did at the end
        estimator._calibrate(task.validation)


@contextmanager
def _all_or_nothing(estimator: SequenceEstimator, *, continues: bool) -> Iterator[None]:
    """Keep what was fitted when a fit fails.

    Only a stream that ends after an epoch or more leaves the new model behind.
    """
    before = estimator.__dict__.copy()
    kept = before.get("_kept_optimizer", KeptOptimizer())
    num_trainings = kept.num_trainings
    weights = estimator._network.get_weights() if continues else None
    try:
        yield
    except BaseException as error:
        if (
            isinstance(error, StreamError)
            and error.history.get("loss")
            and is_finite(estimator._network)
        ):
            estimator.history_ = error.history
        else:
            estimator.__dict__ = before
            if kept.num_trainings > num_trainings:  # this training has moved it
                estimator._kept_optimizer = KeptOptimizer()
            if weights is not None:
                estimator._network.set_weights(weights)
        raise


def _open_checkpoint(
    estimator: SequenceEstimator,
    path: str | Path | None,
    rng: np.random.Generator,
    locks: ExitStack,
) -> Checkpoint | None:
    """Return the checkpoint at the path, if one is asked for, of this very fit.

    No other fit can open it until the locks are given back.
    """
    if path is None:
        return None
    path = persistence.check_can_write(path, overwrite=True, name="checkpoint")
    locks.enter_context(CheckpointLock(path))
    file = Checkpoint(path, rng)
    file.check_parameters(
        *parameters_to_json(estimator._saved_parameters),
        free=estimator._not_of_training(),
    )
    file.check_objective(estimator.loss, estimator.metrics or ())
    return file


def _take_models(
    estimator: SequenceEstimator,
    task: Task,
    rng: np.random.Generator,
    *,
    continues: bool,
) -> None:
    """Build models for the task, or keep the fitted ones, if they are as asked for."""
    estimator.history_ = {}
    grows = continues and estimator._grows_for(task)
    num_target_ids = estimator._target.num_ids if grows else 0
    if not continues:
        estimator._note_settings()
    estimator._source, estimator._target = task.source, task.target
    estimator._limit(task, continues=continues)
    if grows:
        _grow(estimator, rng, num_target_ids=num_target_ids)
    else:
        estimator._adopt(estimator._models if continues else estimator._build(rng))


def _grow(
    estimator: SequenceEstimator, rng: np.random.Generator, *, num_target_ids: int
) -> None:
    """Build models for vocabularies that have grown, and keep all that was learned.

    The targets had `num_target_ids` before.
    """
    learned, frozen = estimator._network.get_weights(), frozen_in(estimator._models)
    estimator._adopt(estimator._build(rng))
    set_learned(estimator._network, learned, num_target_ids=num_target_ids)
    set_frozen(estimator._models, frozen)


def _check_continues(estimator: SequenceEstimator) -> None:
    """Raise where parameters ask for another model than the one that is fitted."""
    fitted_with = estimator._fitted_with
    asked = {**estimator._model_settings(), **estimator._data_settings()}
    for name, value in asked.items():
        fitted: Any = fitted_with.get(name)
        is_same = value is fitted or np.array_equal(value, fitted)
        if not is_same and not name.endswith("initializer"):
            raise ValueError(
                f"this fit continues with the fitted model, and {name} was "
                f"{written(fitted)} and is {written(value)}. Set it back, or pass "
                "warm_start=False to fit a new model."
            )


def _resume(estimator: SequenceEstimator, file: Checkpoint, task: Task) -> None:
    """Take on the weights of a checkpoint that was written on the same data."""
    file.check_precision(estimator._network.dtype_policy.name)
    file.remove_unfinished()
    if file.artifact is not None:
        set_weights(estimator._network, file.artifact.arrays)


def _save(estimator: SequenceEstimator, file: Checkpoint, state: TrainingState) -> None:
    """Write the model as it is, and where its training stands."""
    check_finite(estimator._network)
    estimator.history_ = state.description["history"]
    file.save(estimator._artifact(), state)


def _note_interrupt(
    estimator: SequenceEstimator,
    task: Task,
    began: dict[str, Any],
    state: TrainingState,
) -> None:
    """Let the estimator remember where its training was interrupted."""
    estimator._interruption = Interruption(began, task.digest(), state)


def _plan(
    estimator: SequenceEstimator, task: Task, trainer: Trainer, rng: np.random.Generator
) -> Plan:
    """Return the batches to train and to validate on, and for how many epochs."""
    training = task.training
    if isinstance(training, StreamedExamples):
        batches = StreamBatches(
            training.batches, batch_size=training.batch_size, steps=training.steps
        )
        validation = _validation_batches(estimator, task, training.batch_size, 1)
        return Plan(batches, validation, trainer.num_epochs(training.steps))
    size = estimator._batch_size(training)
    epochs = trainer.num_epochs(updates_per_epoch(len(training), size))
    num_buckets = partial(
        plan_buckets,
        batch_size=size,
        epochs=epochs,
        num_weights=estimator._network.count_params(),
    )
    return Plan(
        estimator._batches(
            training,
            batch_size=size,
            num_buckets=num_buckets(len(training)),
            sample_weight=training.weights,
            random_state=rng,
        ),
        _validation_batches(estimator, task, size, num_buckets(len(task.validation))),
        epochs,
    )


def _validation_batches(
    estimator: SequenceEstimator, task: Task, batch_size: int, num_buckets: int
) -> BucketedBatches | None:
    """Return the batches to validate on, None where there are no examples."""
    num_pairs = len(task.validation)
    if not num_pairs:
        return None
    even = math.ceil(num_pairs / math.ceil(num_pairs / batch_size))
    return estimator._batches(
        task.validation,
        batch_size=even,  # Keras takes the mean over batches, the last one's too
        num_buckets=num_buckets,
        sample_weight=task.validation.weights,
        shuffle=False,
    )
