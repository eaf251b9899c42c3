"""Locks on open files, which the system takes back when their process dies."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed anyway
    fcntl = None

_IS_HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)


def take(handle: int, *, waits: bool = False) -> bool | None:
    """Lock an open file, for as long as it, or a duplicate of its handle, is open.

    Another handle of the same file cannot have it then, be it of this process or not.

    Parameters
    ----------
    handle : int
        What ``os.open`` returned.
    waits : bool, default False
        Whether to wait for another that has it.

    Returns
    -------
    bool or None
        Whether it is locked; None where the system, or the file's, has no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except OSError as error:
        return False if error.errno in _IS_HELD else None
    return True


def is_at(handle: int, path: Path) -> bool:
    """Whether an open file is the one that now stands at a path."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
