"""What must call TensorFlow by name; no other file does."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def uniform(shape: Any, seed: Any) -> Any:
    """Return float32 values in [0, 1) from a counter-based generator.

    Keras leaves the choice of the algorithm to TensorFlow, which inside an
    XLA-compiled step on a CPU takes one that needs some 200 ns a value; Philox
    (Salmon et al., 2011) needs 3.
    """
    return tf.random.stateless_uniform(shape, tf.cast(seed, tf.int32), alg="philox")
