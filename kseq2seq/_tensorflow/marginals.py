"""The recursion of monotonic attention over the steps, with its gradient by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kseq2seq._tensorflow.gradients import by_hand

_NEVER = -1e9


def monotonic_priors(
    scores: Any, remaining: Any, emitted: Any, start: Any, *, training: bool
) -> Any:
    """Return where each token stands before it is known, given those before it.

    With ``x = before - remaining_t`` and ``c_j = log sum_{i <= j} exp(x_i)`` a step
    gives ``prior_t = scores_t + c``, and hands on ``prior_t + emitted_t``, normalized.

    Parameters
    ----------
    scores, remaining, emitted : float32 tensor ``(len, batch, places)``
    start : float32 tensor ``(batch, places)``
        What the first step has as `before`.
    training : bool
        Whether the gradient is ours; see ``gradients.by_hand``.

    Returns
    -------
    float32 tensor ``(len, batch, places)``
    """
    if training:
        return by_hand(_run, scores, remaining, emitted, start)
    return _forward(scores, remaining, emitted, start)[0]


def _run(
    scores: Any, remaining: Any, emitted: Any, start: Any
) -> tuple[Any, Callable[..., Any]]:
    """Return what :func:`monotonic_priors` does, and a function of its gradient."""
    priors, inside, sums, after = _forward(scores, remaining, emitted, start)

    def gradient(upstream: Any) -> tuple[Any, ...]:
        return _backward(inside, sums, after, upstream)

    return priors, gradient


def _forward(
    scores: Any, remaining: Any, emitted: Any, start: Any
) -> tuple[Any, Any, Any, Any]:
    """Return the priors, and of every step x, c and what it hands on."""
    import tensorflow as tf

    steps, earlier = tf.shape(scores)[0], _earlier(start)
    # A loop's values keep their static shapes, of which one may know more than another.
    scores, remaining, emitted = (
        tf.ensure_shape(values, (None, *start.shape))
        for values in (scores, remaining, emitted)
    )

    def advance(step: Any, before: Any, *arrays: Any) -> tuple[Any, ...]:
        x = before - tf.gather(remaining, step)
        c = tf.reduce_logsumexp(tf.where(earlier, x[:, None, :], _NEVER), axis=-1)
        prior = tf.gather(scores, step) + c
        came = prior + tf.gather(emitted, step)
        after = came - tf.reduce_logsumexp(came, axis=-1, keepdims=True)
        values = zip(arrays, (prior, x, c, after), strict=True)
        return step + 1, after, *(a.write(step, value) for a, value in values)

    arrays = [
        tf.TensorArray(start.dtype, size=steps, element_shape=start.shape)
        for _ in range(4)
    ]
    _, _, *arrays = tf.while_loop(
        lambda step, *_: step < steps,
        advance,
        (0, start, *arrays),
        maximum_iterations=steps,
    )
    priors, inside, sums, after = (array.stack() for array in arrays)
    return priors, inside, sums, after


def _backward(inside: Any, sums: Any, after: Any, upstream: Any) -> tuple[Any, ...]:
    """Return the gradients of scores, remaining, emitted and the start."""
    import tensorflow as tf

    steps, earlier = tf.shape(inside)[0], _earlier(inside[0])
    upstream = tf.ensure_shape(upstream, inside.shape)

    def retreat(step: Any, d_after: Any, *arrays: Any) -> tuple[Any, ...]:
        share = tf.exp(tf.gather(after, step))
        d_came = d_after - share * tf.reduce_sum(d_after, axis=-1, keepdims=True)
        d_prior = tf.gather(upstream, step) + d_came
        x, c = tf.gather(inside, step), tf.gather(sums, step)
        shares = tf.where(earlier, x[:, None, :] - c[:, :, None], _NEVER)
        d_x = tf.linalg.matvec(tf.exp(shares), d_prior, transpose_a=True)
        values = zip(arrays, (d_prior, d_came, d_x), strict=True)
        return step - 1, d_x, *(a.write(step, value) for a, value in values)

    arrays = [
        tf.TensorArray(inside.dtype, size=steps, element_shape=inside.shape[1:])
        for _ in range(3)
    ]
    _, d_start, *arrays = tf.while_loop(
        lambda step, *_: step >= 0,
        retreat,
        (steps - 1, tf.zeros_like(inside[0]), *arrays),
        maximum_iterations=steps,
    )
    d_prior, d_came, d_x = (array.stack() for array in arrays)
    return d_prior, -d_x, d_came, d_start


def _earlier(values: Any) -> Any:
    """Return, for rows of places, which is at or before which: ``(places, places)``."""
    import tensorflow as tf

    places = tf.range(tf.shape(values)[-1])
    return places[None, :] <= places[:, None]
