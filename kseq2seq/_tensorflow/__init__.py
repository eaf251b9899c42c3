"""What must call TensorFlow by name; no other folder does."""

from kseq2seq._tensorflow.compilation import may_compile
from kseq2seq._tensorflow.devices import (
    check_shares,
    has_gpu,
    is_alone_on_cpu,
    is_distributed,
    sum_of_replicas,
)
from kseq2seq._tensorflow.execution import (
    copy_function,
    gather,
    numbers,
    predict_function,
    run_function,
    specs_of_run,
    uniform,
    with_dense_gradient,
    without_retracing_warnings,
    writes_to,
)
from kseq2seq._tensorflow.forking import check_can_run, was_forked_late
from kseq2seq._tensorflow.gradients import leave_unreduced
from kseq2seq._tensorflow.marginals import monotonic_priors
from kseq2seq._tensorflow.recurrence import gru, lstm

__all__ = [
    "check_can_run",
    "check_shares",
    "copy_function",
    "gather",
    "gru",
    "has_gpu",
    "is_alone_on_cpu",
    "is_distributed",
    "leave_unreduced",
    "lstm",
    "may_compile",
    "monotonic_priors",
    "numbers",
    "predict_function",
    "run_function",
    "specs_of_run",
    "sum_of_replicas",
    "uniform",
    "was_forked_late",
    "with_dense_gradient",
    "without_retracing_warnings",
    "writes_to",
]
