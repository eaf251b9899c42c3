"""What must call TensorFlow by name; no other file does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def uniform(shape: Any, seed: Any) -> Any:
    """Return float32 values in [0, 1) from a counter-based generator.

    Keras leaves the choice of the algorithm to TensorFlow, which inside an
    XLA-compiled step on a CPU takes one that needs some 200 ns a value; Philox
    (Salmon et al., 2011) needs 3.
    """
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, tf.cast(seed, tf.int32), alg="philox")


@contextmanager
def without_retracing_warnings() -> Iterator[None]:
    """Hush TensorFlow where each model has a function of its own.

    It counts the functions of all models as one, traced again and again.
    """
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_is_no_retracing_warning)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_retracing_warning)


def _is_no_retracing_warning(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
