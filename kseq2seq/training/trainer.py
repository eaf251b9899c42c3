"""How a model is trained: optimizer, schedule, epochs, stopping, averaging."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

from kseq2seq.batching import BucketedBatches, StreamBatches
from kseq2seq.metrics import FALLING_METRICS
from kseq2seq.training.callbacks import StopAtLoss
from kseq2seq.training.keras_fit import fit_batches
from kseq2seq.training.objectives import check_on_example, new_callbacks
from kseq2seq.training.optimizer_state import KeptOptimizer
from kseq2seq.training.optimizers import AveragedWeights, CosineDecay, warmed_up
from kseq2seq.training.settings import TrainingSettings
from kseq2seq.training.state import TrainingState

MIN_EPOCHS = 10
"""A fit's epochs by default, where bounds on its updates would have fewer."""


class Trainer:
    """Trains one model, once, as settings say.

    Parameters
    ----------
    settings : TrainingSettings
        A value: nothing of it is changed.

    Attributes
    ----------
    callbacks : list of keras.callbacks.Callback
        The copies of the settings' callbacks that this training uses.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        settings.check()
        self.settings = settings
        self.callbacks: list[keras.callbacks.Callback] = new_callbacks(
            settings.callbacks or ()
        )

    def num_epochs(self, updates_per_epoch: int) -> int:
        """Return for how many epochs to train, of this many updates each."""
        settings = self.settings
        if settings.epochs is not None:
            return int(settings.epochs)
        fewest, most = settings.usual_updates
        updates = min(max(settings.usual_epochs * updates_per_epoch, fewest), most)
        return min(max(updates // updates_per_epoch, MIN_EPOCHS), settings.most_epochs)

    def train(
        self,
        model: keras.Model,
        batches: BucketedBatches | StreamBatches,
        validation_batches: BucketedBatches | None,
        *,
        epochs: int,
        loss: keras.losses.Loss,
        metric: keras.metrics.Metric,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        kept: KeptOptimizer,
        keeps_optimizer: bool = False,
        save_state: Callable[[TrainingState], None] | None = None,
        state: TrainingState | None = None,
        on_interrupt: Callable[[TrainingState], None] | None = None,
    ) -> dict[str, list[float]]:
        """Compile and fit a model; return its history.

        Parameters
        ----------
        model : keras.Model
            From the batches' inputs to logits, or real values.
        batches, validation_batches : BucketedBatches or StreamBatches
        epochs : int
        loss : keras.losses.Loss
            Where the settings bring none.
        metric : keras.metrics.Metric
            Beside those of the settings.
        callbacks : sequence of keras.callbacks.Callback
            Beside those of the settings, and before them.
        kept : KeptOptimizer
            Gets the optimizer of this training.
        keeps_optimizer : bool, default False
            Whether the training continues with the one that is kept there, where it
            fits, at its full rate.
        save_state, state, on_interrupt
            As in :func:`kseq2seq.training.fit_batches`.
        """
        settings = self.settings
        num_updates = len(batches) * epochs // settings.gradient_accumulation_steps
        if not num_updates:
            raise ValueError(
                "gradient_accumulation_steps="
                f"{settings.gradient_accumulation_steps} is more than the "
                f"{len(batches) * epochs} batches of this fit, which would update "
                "nothing. Pass fewer, smaller batches or more epochs."
            )
        metrics = [metric, *copy.deepcopy(list(settings.metrics or ()))]
        own_loss = None if isinstance(settings.loss, str) else settings.loss
        check_on_example(own_loss, metrics, model)
        variables = model.trainable_variables
        optimizer = self._optimizer(
            num_updates, variables, kept if keeps_optimizer else None
        )
        kept.keep(optimizer, variables)
        has_validation = validation_batches is not None
        return fit_batches(
            model,
            batches,
            optimizer=optimizer,
            loss=own_loss or loss,
            metrics=metrics,
            epochs=epochs,
            validation_batches=validation_batches,
            callbacks=[
                *self._before(epochs, full_rate=keeps_optimizer),
                *callbacks,
                *self.callbacks,
                *self._stopping(epochs, has_validation=has_validation),
            ],
            verbose=settings.verbose,
            save_state=save_state,
            state=state,
            on_interrupt=on_interrupt,
        )

    def _optimizer(
        self, num_updates: int, variables: Sequence[Any], kept: KeptOptimizer | None
    ) -> keras.optimizers.Optimizer:
        """Return the optimizer of this training: a new one, or the kept one."""
        settings = self.settings
        optimizer = settings.new_optimizer(num_updates)
        if kept is None:
            return optimizer
        rate = None
        if isinstance(settings.optimizer, str):
            rate = warmed_up(settings.learning_rate, settings.warmup_steps, num_updates)
        return kept.continued(optimizer, variables, rate=rate)

    def _before(
        self, epochs: int, *, full_rate: bool
    ) -> list[keras.callbacks.Callback]:
        """Return the callbacks that set weights and rate before others look.

        Parameters
        ----------
        epochs : int
        full_rate : bool
            Whether the optimizer is at its full rate whatever epoch comes first.
        """
        settings = self.settings
        before: list[keras.callbacks.Callback] = []
        if settings.ema_momentum is not None:
            before.append(AveragedWeights())
        if isinstance(settings.optimizer, str) and not settings.warmup_steps:
            decay = CosineDecay(epochs)
            decay.share = 1.0 if full_rate else None
            before.append(decay)
        return before

    def _stopping(
        self, epochs: int, *, has_validation: bool
    ) -> list[keras.callbacks.Callback]:
        """Return the callbacks that may end the training early."""
        settings = self.settings
        stopping: list[keras.callbacks.Callback] = []
        if settings.tol is not None:
            stopping.append(StopAtLoss(settings.tol))
        if has_validation and settings.selects:
            falls = settings.monitored in ("loss", *FALLING_METRICS)
            stopping.append(
                keras.callbacks.EarlyStopping(
                    f"val_{settings.monitored}",
                    mode="min" if falls else "max",
                    patience=epochs if settings.patience is None else settings.patience,
                    restore_best_weights=True,
                )
            )
        return stopping


def updates_per_epoch(num_examples: int, batch_size: int) -> int:
    """Return how many batches hold all examples."""
    return math.ceil(num_examples / batch_size)
