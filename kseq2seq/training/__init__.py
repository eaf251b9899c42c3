"""Losses, optimizers, callbacks and the fit of a training model."""

from kseq2seq.training.callbacks import FreeRunningValidation, SampleAnswers, StopAtLoss
from kseq2seq.training.state import TrainingState
from kseq2seq.training.fitting import StreamError, fit_batches, plan_buckets
from kseq2seq.training.losses import (
    Crossentropy,
    MaskedCrossentropy,
    TeacherForcedAccuracy,
    least_loss,
)
from kseq2seq.training.optimizers import (
    AveragedWeights,
    CosineDecay,
    check_optimizer,
    make_optimizer,
)
from kseq2seq.training.teacher_forcing import (
    SCHEDULES,
    TeacherForcing,
    check_teacher_forcing,
    forcing_probability,
    with_teacher_forcing,
)

__all__ = [
    "SCHEDULES",
    "AveragedWeights",
    "CosineDecay",
    "Crossentropy",
    "FreeRunningValidation",
    "MaskedCrossentropy",
    "SampleAnswers",
    "StopAtLoss",
    "StreamError",
    "TeacherForcedAccuracy",
    "TeacherForcing",
    "TrainingState",
    "check_optimizer",
    "check_teacher_forcing",
    "fit_batches",
    "forcing_probability",
    "least_loss",
    "make_optimizer",
    "plan_buckets",
    "with_teacher_forcing",
]
