"""What TensorFlow computes on: a CPU, a GPU, or several that share a batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras


def is_distributed() -> bool:
    """Whether a strategy of TensorFlow spreads what is built now over its devices."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return bool(tf.distribute.has_strategy())


def check_shares(batch_sizes: Iterable[int]) -> None:
    """Raise unless the devices of a strategy get equal shares of each batch."""
    import tensorflow as tf

    num_devices = tf.distribute.get_strategy().num_replicas_in_sync
    for size in batch_sizes:
        if size % num_devices:
            raise ValueError(
                f"a batch of {size} cannot be shared evenly by {num_devices} devices. "
                f"Pass a batch_size that is a multiple of {num_devices}, and no more "
                "than there are examples."
            )


def sum_of_replicas(value: Any) -> Any:
    """Return the sum over all devices that share a batch, where there are several."""
    if not is_distributed():
        return value
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def is_alone_on_cpu() -> bool:
    """Whether TensorFlow is the backend, and a CPU all that it has."""
    return keras.backend.backend() == "tensorflow" and not has_gpu()


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU, where its cuDNN layers are the fastest."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
