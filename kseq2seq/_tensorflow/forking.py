"""Processes that were forked from one in which TensorFlow ran.

A fork does not copy TensorFlow's threads, and whoever asks it to run a model waits for
them for ever.
"""

from __future__ import annotations

import os
import sys

import keras

_was_forked_late = False
"""Whether TensorFlow ran in a process that this one was forked from."""


def _note_fork() -> None:
    """Note, in a process just forked, whether TensorFlow has run already."""
    global _was_forked_late
    # TensorFlow has no public way to ask whether it has started; all others start it.
    module = sys.modules.get("tensorflow.python.eager.context")
    context = module and module.context_safe()
    if getattr(context, "_context_handle", None) is not None:
        _was_forked_late = True


if hasattr(os, "register_at_fork"):  # where processes can fork
    os.register_at_fork(after_in_child=_note_fork)


def was_forked_late() -> bool:
    """Whether models would hang here, as TensorFlow ran before the process forked."""
    return _was_forked_late and keras.backend.backend() == "tensorflow"


def check_can_run() -> None:
    """Raise where models would hang.

    Raises
    ------
    RuntimeError
        When this process was forked after TensorFlow had run in its parent.
    """
    if was_forked_late():
        raise RuntimeError(
            "this process was forked after TensorFlow had run in its parent, and lacks "
            "the threads that TensorFlow would wait for. Load or train models only "
            "after the fork (gunicorn without --preload), start processes with "
            "multiprocessing.get_context('spawn'), or answer in threads; see "
            "docs/serving.md."
        )
