"""Loading Keras and its backend without their start-up messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def load_backend() -> None:
    """Import Keras; what its backend writes to standard error as it loads is dropped.

    An error in loading is raised all the same.
    """
    with _quiet_stderr():
        import keras  # noqa: F401


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Send the process's standard error nowhere: native code writes past Python's."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
