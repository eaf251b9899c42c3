"""One training alone writes a checkpoint."""

from __future__ import annotations

import os
from pathlib import Path

from kseq2seq import file_locks


class CheckpointLock:
    """Held while a training may write its checkpoint; a context manager.

    It is a file beside the checkpoint, locked while it is held and then removed. What a
    killed process leaves of it is locked by nobody, and taken up by the next. Where the
    system has no locks on files, nobody is kept away.

    Parameters
    ----------
    checkpoint : pathlib.Path

    Raises
    ------
    BlockingIOError
        When another training holds it.
    """

    def __init__(self, checkpoint: Path) -> None:
        target = checkpoint.resolve()  # of a link, which may have several names
        self._path = target.with_name(f".{target.name}.lock")
        has_locks = file_locks.fcntl is not None
        self._handle = self._taken(checkpoint) if has_locks else None

    def _taken(self, checkpoint: Path) -> int:
        """Return the handle of the file, locked."""
        while True:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            if file_locks.take(handle) is False:
                os.close(handle)
                raise BlockingIOError(
                    f"{checkpoint} is the checkpoint of a training that is under way. "
                    "Wait for its end, or choose another path for this one."
                )
            if file_locks.is_at(handle, self._path):
                return handle
            os.close(handle)  # another has held and removed it in the meantime

    def __enter__(self) -> CheckpointLock:
        return self

    def __exit__(self, *error: object) -> None:
        if self._handle is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
