"""Functions whose gradients are written by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


def by_hand(function: Callable[..., Any], *tensors: Any) -> Any:
    """Call a function that returns its results, and a function of their gradients.

    TensorFlow keeps every gradient that is written by hand, and the graph that it
    belongs to, for as long as the process lives. So the function is traced into a graph
    of its own, once for tensors of the same shapes, and all models call that.

    Parameters
    ----------
    function : callable
        Of a module. It gets the tensors; returns what ``tf.custom_gradient`` wants.
    *tensors : tensor or None
        The first axis of those that have three, the time, may be of any length; None at
        the end is left out.
    """
    import tensorflow as tf

    given = [tensor for tensor in tensors if tensor is not None]
    specs = [
        tf.TensorSpec(
            [None, *tensor.shape[1:]] if len(tensor.shape) == 3 else tensor.shape,
            tensor.dtype,
        )
        for tensor in given
    ]
    return _traced(function, *specs)(*given)


def leave_unreduced(optimizer: Any) -> None:
    """Let a Keras optimizer take gradients as they are: there is one replica.

    Its sum over the replicas has a gradient written by hand, which TensorFlow would
    keep with the whole step's graph. Keras has no public way around the sum.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if hasattr(inner, "_all_reduce_sum_gradients"):
        inner._all_reduce_sum_gradients = list


@cache
def _traced(function: Callable[..., Any], *specs: Any) -> Callable[..., Any]:
    """Return a function with its gradient, to be traced once."""
    import tensorflow as tf

    def run(*tensors: Any) -> Any:
        def with_gradient(*tensors: Any) -> Any:
            results, gradient = function(*tensors)

            def of_each(*upstream: Any) -> list[Any]:
                found = gradient(*upstream)
                return [*found, *[None] * (len(tensors) - len(found))]

            return results, of_each

        return tf.custom_gradient(with_gradient)(*tensors)

    return tf.function(run, input_signature=specs, autograph=False)
