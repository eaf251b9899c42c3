"""Losses, optimizers, callbacks and the fit of a training model."""

from kseq2seq.training.calibration import (
    FEWEST_PAIRS,
    check_temperature,
    fit_temperature,
)
from kseq2seq.training.callbacks import FreeRunningValidation, SampleAnswers, StopAtLoss
from kseq2seq.training.keras_fit import StreamError, fit_batches, plan_buckets
from kseq2seq.training.losses import (
    Crossentropy,
    MaskedCrossentropy,
    TeacherForcedAccuracy,
    least_loss,
)
from kseq2seq.training.optimizers import (
    AveragedWeights,
    CosineDecay,
    make_optimizer,
)
from kseq2seq.training.settings import (
    AnswerTrainingSettings,
    ClassTrainingSettings,
    RunSettings,
    TrainingSettings,
    ValueTrainingSettings,
)
from kseq2seq.training.state import TrainingState
from kseq2seq.training.teacher_forcing import (
    SCHEDULES,
    TeacherForcing,
    forcing_probability,
    with_teacher_forcing,
)
from kseq2seq.training.trainer import Trainer, updates_per_epoch
from kseq2seq.training.value_losses import PointError, ValueLoss

__all__ = [
    "FEWEST_PAIRS",
    "SCHEDULES",
    "AnswerTrainingSettings",
    "AveragedWeights",
    "ClassTrainingSettings",
    "CosineDecay",
    "Crossentropy",
    "FreeRunningValidation",
    "MaskedCrossentropy",
    "PointError",
    "RunSettings",
    "SampleAnswers",
    "StopAtLoss",
    "StreamError",
    "TeacherForcedAccuracy",
    "TeacherForcing",
    "Trainer",
    "TrainingSettings",
    "TrainingState",
    "ValueLoss",
    "ValueTrainingSettings",
    "check_temperature",
    "fit_batches",
    "fit_temperature",
    "forcing_probability",
    "least_loss",
    "make_optimizer",
    "plan_buckets",
    "updates_per_epoch",
    "with_teacher_forcing",
]
