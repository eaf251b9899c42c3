"""How models are trained: the settings that every estimator has, declared once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import keras

from kseq2seq.arguments import (
    LARGEST_BATCH,
    check_choice,
    check_flag,
    check_rate,
    check_real,
    check_whole,
    written,
)
from kseq2seq.declarations import checked, one_of, setting, settings
from kseq2seq.metrics import METRICS, check_metrics
from kseq2seq.training.losses import least_loss
from kseq2seq.training.objectives import check_callbacks, check_loss, check_metric_list
from kseq2seq.training.optimizers import check_optimizer, make_optimizer
from kseq2seq.training.teacher_forcing import SCHEDULES
from kseq2seq.training.value_losses import POINT_LOSSES

BATCH_SIZES = {0: 16, 2_000: 32, 8_000: 64}
"""How many pairs a batch has, of so many pairs and more, where nothing is asked for.

The choice, and what it rests on, stands in ``benchmarks/NOTES.md``.
"""


def _check_verbose(name: str, value: Any) -> Any:
    """Return how much is shown, or raise."""
    if value not in (0, 1, 2, "auto"):
        raise ValueError(f"{name} must be 0, 1, 2 or 'auto'; got {written(value)}.")
    return value


def _check_stopping_metric(name: str, value: Any) -> Any:
    """Return the name of what early stopping looks at, or raise."""
    check_choice(name, value, ("loss", *METRICS))
    if value != "loss":
        check_metrics([value])
    return value


@settings
class RunSettings:
    """What every run has, a training or a prediction."""

    verbose: int | str = setting(
        '{0, 1, 2, "auto"}',
        "Keras's progress bar: none, a bar, or a line an epoch.",
        _check_verbose,
        default=0,
        from_files=False,
        of_training=False,
    )
    random_state: int | None = setting(
        "int",
        """Seeds weights, dropout, the order of batches, the held-back part and drawn
        answers. None takes new numbers from the system each time. Global seeds
        (Python's, NumPy's, ``keras.utils.set_random_seed``) have no say.""",
        default=None,
    )


@settings
class TrainingSettings(RunSettings):
    """How a model is trained, whatever it answers."""

    optimizer: str | keras.optimizers.Optimizer = setting(
        "str or keras.optimizers.Optimizer",
        "A name, or an optimizer with a learning rate of its own, which is copied.",
        check_optimizer,
        default="adam",
    )
    learning_rate: float = setting(
        "float",
        """Where an optimizer given by name starts; the rate falls along half a cosine
        over the epochs.""",
        partial(check_real, exclusive=True),
        default=0.003,
    )
    warmup_steps: int = setting(
        "int",
        """The updates over which that rate rises from 0 first; it then falls with every
        update.""",
        partial(check_whole, minimum=0),
        default=0,
    )
    ema_momentum: float | None = setting(
        "float",
        """Above 0 and below 1, such as 0.999: validation sees, and training ends with,
        the exponential moving averages of the weights. None for the weights
        themselves.""",
        partial(check_real, maximum=1.0, exclusive=True),
        default=None,
    )
    gradient_accumulation_steps: int = setting(
        "int",
        "The batches whose gradients are averaged for one update.",
        check_whole,
        default=1,
    )
    clip_norm: float | None = setting(
        "float",
        "The largest norm of all gradients together.",
        partial(check_real, exclusive=True),
        default=1.0,
    )
    loss: keras.losses.Loss | None = setting(
        "keras.losses.Loss",
        """In place of the cross-entropy: of targets, logits and weights. An estimator
        of sequences gives it target ids ``(batch, target_len)``, logits ``(batch,
        target_len, vocabulary)`` and weights, 0 on padding; with the reduction
        ``"mean_with_sample_weight"`` it is a mean over tokens. A classifier gives it
        places in ``classes_`` ``(batch,)``, logits ``(batch, n_classes)`` and
        weights.""",
        check_loss,
        default=None,
        from_files=False,
        in_files=False,
    )
    metrics: Sequence[keras.metrics.Metric] | None = setting(
        "sequence of keras.metrics.Metric",
        """More to measure in training and validation, of the same; copied for each fit.
        Keras must know a class of your own
        (``@keras.saving.register_keras_serializable()``).""",
        check_metric_list,
        default=None,
        from_files=False,
        in_files=False,
    )
    batch_size: int = setting(
        "int",
        "Examples a batch.",
        partial(check_whole, maximum=LARGEST_BATCH),
        default=64,
    )
    epochs: int | None = setting(
        "int",
        """Passes over the training data at most. When None, where answers are sequences
        of tokens 80, but more where these make fewer than 4,000 updates (up to 200) and
        fewer where they make more than 12,000 (down to 10); else as many as make 4,000
        updates, at least 10 and at most 100.""",
        check_whole,
        default=None,
    )
    warm_start: bool = setting(
        "bool",
        """Whether `fit` continues from what an earlier one has learned: its models,
        with the layers that are not ``trainable`` left as they are, and its
        vocabularies, tokenizers or classes; new tokens are UNK. After a fit that an
        interrupt ended, the same data again are trained for the epochs that are left of
        `epochs`, the broken one anew, and ``history_`` goes on; to train longer, raise
        `epochs`.""",
        check_flag,
        default=False,
        from_files=False,
    )
    validation_fraction: float = setting(
        "float",
        """Share of the data held back where `fit` gets no validation data; 0 for
        none.""",
        check_rate,
        default=0.1,
    )
    patience: int | None = setting(
        "int",
        """Training ends when the validation loss has not fallen for this many epochs,
        and the best weights return; None to train all epochs and keep the last
        weights.""",
        check_whole,
        default=10,
    )
    tol: float | None = setting(
        "float",
        "Training ends when an epoch's training loss is no more than this.",
        check_real,
        default=None,
    )
    callbacks: Sequence[Any] | None = setting(
        "sequence of keras.callbacks.Callback, or of functions",
        """Each is copied, or made by its function, for each fit; see ``callbacks_``.
        Where answers are sequences, those of ``kseq2seq.training`` that look at them
        come before the others.""",
        check_callbacks,
        default=None,
        from_files=False,
        in_files=False,
    )

    usual_epochs: ClassVar[int] = 80
    """How many passes `epochs` of None stands for, within the next two bounds."""
    usual_updates: ClassVar[tuple[int, int]] = (4_000, 4_000)
    """How many updates these make at least, and at most."""
    most_epochs: ClassVar[int] = 100
    of_one_pass: ClassVar[dict[str, Any]] = {
        "epochs": 1,
        "validation_fraction": 0.0,
        "patience": None,
    }
    """What a `partial_fit` trains with, whatever a fit would."""

    def check(self) -> None:
        """Raise for a setting that is out of its range, or means nothing to another."""
        checked(self)
        self.new_optimizer()

    def new_optimizer(
        self, num_updates: int | None = None
    ) -> keras.optimizers.Optimizer:
        """Return a new optimizer, for a training of this many updates if known."""
        return make_optimizer(
            self.optimizer,
            learning_rate=self.learning_rate,
            clip_norm=self.clip_norm,
            warmup_steps=self.warmup_steps,
            num_updates=num_updates,
            ema_momentum=self.ema_momentum,
            gradient_accumulation_steps=self.gradient_accumulation_steps,
        )

    @property
    def monitored(self) -> str:
        """What early stopping looks at: the validation loss, or a metric of answers."""
        return "loss"

    @property
    def selects_by_answers(self) -> bool:
        """Whether validation answers decide which epoch's weights are the best."""
        return self.monitored != "loss"

    @property
    def selects(self) -> bool:
        """Whether the best epoch's weights return at the end, and not the last ones."""
        return self.patience is not None or self.selects_by_answers


@settings
class ClassTrainingSettings(TrainingSettings):
    """How a model that answers with ids or classes is trained."""

    label_smoothing: float = setting(
        "float",
        """The share of each target's probability that is spread over all that could
        stand in its place.""",
        check_rate,
        default=0.0,
    )

    def check_tol(self, num_classes: int) -> None:
        """Raise when label smoothing keeps the loss above the tolerance."""
        tol, smoothing = self.tol, self.label_smoothing
        if self.loss is not None or tol is None or not smoothing:
            return
        least = least_loss(smoothing, num_classes)
        if tol <= least:
            raise ValueError(
                f"tol={tol:g} can never be reached: with label_smoothing={smoothing:g} "
                f"the loss stays above {least:.4f}. Pass label_smoothing=0, or a "
                "larger tol."
            )


@settings
class ForcingSettings:
    """What a decoder that reads its own answers is fed in training."""

    teacher_forcing: float = setting(
        "float",
        """The probability, at each step of training, of feeding the decoder the gold
        token, or value, before; else it is fed its own best one. 0 is training as it
        will answer.""",
        partial(check_real, maximum=1.0),
        default=1.0,
    )
    teacher_forcing_schedule: str = setting(
        one_of(SCHEDULES),
        """How that probability falls over the epochs; see
        ``kseq2seq.training.forcing_probability``.""",
        partial(check_choice, choices=SCHEDULES),
        default="constant",
    )


def _check_value_loss(name: str, value: Any) -> Any:
    """Return the name of a loss, or a Keras loss that can be copied, or raise."""
    if isinstance(value, keras.losses.Loss):
        return check_loss(name, value)
    return check_choice(f"{name}, unless a keras.losses.Loss,", value, POINT_LOSSES)


@settings
class ValueTrainingSettings(ForcingSettings, TrainingSettings):
    """How a model that answers with real values is trained."""

    of_one_pass: ClassVar[dict[str, Any]] = TrainingSettings.of_one_pass

    loss: str | keras.losses.Loss = setting(  # type: ignore[assignment]  # and names
        one_of(POINT_LOSSES, "keras.losses.Loss"),
        """What an answer costs: the first makes it the mean of what may come, the
        second the median, the third is between. Of scaled values; targets that are
        missing cost nothing. The quantiles' cost, if there are any, is added
        (:class:`kseq2seq.training.ValueLoss`). A loss of your own is given scaled
        targets ``(batch, horizon, targets)``, values of the same shape, with
        `quantiles` or several models on one more axis, and weights ``(batch,
        horizon)``.""",
        _check_value_loss,
        default="squared_error",
        from_files=False,
        in_files=False,
    )
    batch_size: int = 32


@settings
class AnswerTrainingSettings(ForcingSettings, ClassTrainingSettings):
    """How a model that answers with sequences is trained."""

    usual_updates: ClassVar[tuple[int, int]] = (4_000, 12_000)
    most_epochs: ClassVar[int] = 200
    of_one_pass: ClassVar[dict[str, Any]] = {
        **TrainingSettings.of_one_pass,
        "early_stopping_metric": "loss",
    }

    label_smoothing: float = 0.1
    batch_size: int | None = setting(  # type: ignore[assignment]  # None is new
        "int",
        """Pairs a batch; when None 16 of fewer than 2,000 pairs, 32 of fewer than
        8,000, else 64, and 64 of a stream.""",
        partial(check_whole, maximum=LARGEST_BATCH),
        default=None,
    )
    patience: int | None = setting(
        "int",
        """Training ends when what `early_stopping_metric` names has not got better for
        this many epochs, and the best weights return; None to train all epochs.""",
        check_whole,
        default=None,
    )
    calibrate: bool = setting(
        "bool",
        """Whether `fit` ends with a look at validation pairs, 5 to 1,000, for the
        temperature that makes answers' probabilities believable,
        ``calibration_temperature_`` (Guo et al., 2017, arXiv:1706.04599). It changes no
        weight, and no answer.""",
        check_flag,
        default=True,
        of_training=False,
    )
    batch_tokens: int | None = setting(
        "int",
        """In place of `batch_size`: how many tokens each side of a batch has at most,
        END and padding included, so that batches of long pairs have fewer of them. Not
        for a stream.""",
        partial(check_whole, maximum=LARGEST_BATCH),
        default=None,
    )
    early_stopping_metric: str = setting(
        "str",
        """What `patience` looks at, and the best weights are the best by: the
        validation loss, or a metric of the validation answers, decoded as `predict`
        does: ``"bleu"``, ``"chrf"``, ``"exact_match"``, ``"token_accuracy"``,
        ``"edit_distance"`` or ``"token_error_rate"``, on 1,000 pairs at most. With a
        metric the best weights return without `patience`, too; with the loss, and no
        `patience`, the last ones are kept.""",
        _check_stopping_metric,
        default="loss",
    )

    def pairs_a_batch(self, num_pairs: int | None) -> int:
        """Return how many pairs a batch has, of so many pairs; of a stream if None."""
        if self.batch_size is not None:
            return self.batch_size
        fitting = (
            BATCH_SIZES
            if num_pairs is None
            else [least for least in BATCH_SIZES if num_pairs >= least]
        )
        return max(BATCH_SIZES[least] for least in fitting)

    @property
    def monitored(self) -> str:
        """What early stopping looks at: the validation loss, or a metric of answers."""
        return self.early_stopping_metric
