"""The model file: one zip of JSON and arrays, which runs no code when it is opened.

``model.json`` describes the model; every array is a ``.npy`` member of its own, read
without pickle. The file is written beside its place and moved there whole.
"""

from __future__ import annotations

import errno
import glob
import io
import json
import math
import os
import secrets
import stat
import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kseq2seq import file_locks

FORMAT = "kseq2seq"
FORMAT_VERSION = 1
_DESCRIPTION = "model.json"
_SECONDS_OF_A_DAY = 86_400
_MOST_COMPRESSED = 100
"""Trained weights shrink by a tenth; what shrinks a hundred times is none."""
_ALWAYS_UNPACKED = 2**26
"""Bytes that a file may unpack to in any case."""
_UNREADABLE = (
    AttributeError,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged file may raise, from zip, JSON and NumPy."""


@dataclass(frozen=True)
class Artifact:
    """What a model file holds.

    Attributes
    ----------
    description : dict
        JSON values: parameters, vocabularies, history.
    arrays : mapping of str to numpy.ndarray
        The weights and what else is numeric, by name.
    """

    description: dict[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


def check_can_write(
    path: str | Path, *, overwrite: bool = False, name: str = "path"
) -> Path:
    """Return the path, or raise when a model could not, or must not, be written there.

    Raises
    ------
    FileExistsError
        When the file exists and `overwrite` is False.
    FileNotFoundError
        When its folder does not exist.
    ValueError, TypeError
        When it is no path; `name` is what it is called then.
    """
    path = _as_path(name, path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected the path of a file.")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists and is kept. Pass overwrite=True (--overwrite), or another "
            "path."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"the folder {path.parent} does not exist; make it, or choose another."
        )
    try:
        temporary, handle = _create_beside(_target(path), None)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise _no_path(name, path, error) from None
        raise OSError(
            f"{path} cannot be written: {error.strerror}. Choose another folder."
        ) from error
    os.close(handle)
    temporary.unlink(missing_ok=True)
    return path


def _as_path(name: str, path: Any) -> Path:
    """Return a path that the system can look for."""
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise TypeError(f"{name} must be the path of a file; got {path!r:.60}.")
    path = Path(path)
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise _no_path(name, path, error) from None
    return path


def _no_path(name: str, path: Path, error: Exception) -> ValueError:
    reason = getattr(error, "strerror", None) or error
    return ValueError(f"{name} cannot be {str(path)!r:.60}: {reason}.")


def write_artifact(
    path: str | Path, artifact: Artifact, *, overwrite: bool = False
) -> Path:
    """Write a model file: the whole of it, or nothing.

    Parameters
    ----------
    path : str or path
    artifact : Artifact
    overwrite : bool, default False
        Whether a file that exists is replaced.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    OSError
        When the file exists and is not to be replaced, or cannot be written.
    """
    path = _target(check_can_write(path, overwrite=overwrite))
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    temporary, handle = _create_locked(path, mode)
    # Keeps the lock until the file stands in its place.
    held = None if file_locks.fcntl is None else os.dup(handle)
    try:
        with os.fdopen(handle, "wb") as file:
            if mode is not None:
                os.chmod(temporary, mode)
            _write_zip(file, artifact)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        if held is not None:
            os.close(held)
    remove_unfinished(path)
    return path


def _target(path: Path) -> Path:
    """Return the file that a link stands for, so that the link stays one."""
    return path.resolve() if path.is_symlink() else path


def _create_beside(path: Path, mode: int | None) -> tuple[Path, int]:
    """Return a new file that is to become this one, and its open descriptor.

    Where no mode is to be kept, the system makes it by the process's umask, which
    nobody can read without changing it for all threads.
    """
    temporary = path.with_name(f"{_unfinished(path)}{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return temporary, os.open(temporary, flags, 0o666 if mode is None else 0o600)


def _unfinished(path: Path) -> str:
    """Return what the names of files begin with that are to become this one."""
    return f".{path.name}.unfinished-"


def _create_locked(path: Path, mode: int | None) -> tuple[Path, int]:
    """Return a new file as :func:`_create_beside`, locked for as long as it is open."""
    while True:
        temporary, handle = _create_beside(path, mode)
        file_locks.take(handle, waits=True)
        if file_locks.is_at(handle, temporary):
            return temporary, handle
        os.close(handle)  # another took it for one that was left, and removed it


def remove_unfinished(path: Path) -> None:
    """Remove the unfinished files of writes to a path that were killed.

    Those that are still written are locked and stay. Where the system has no locks,
    only what is older than a day goes.
    """
    path = _target(path)
    for left in path.parent.glob(f"{glob.escape(_unfinished(path))}*"):
        try:
            _remove_if_left(left)
        except OSError:  # gone already, or not ours to remove
            continue


def _remove_if_left(unfinished: Path) -> None:
    """Remove an unfinished file unless somebody still writes it."""
    handle = os.open(unfinished, os.O_RDWR)
    try:
        is_locked = file_locks.take(handle)
        if is_locked:
            unfinished.unlink()
    finally:
        os.close(handle)
    if is_locked is None:
        age = time.time() - unfinished.stat().st_mtime
        if age > _SECONDS_OF_A_DAY:
            unfinished.unlink()


def _write_zip(file: Any, artifact: Artifact) -> None:
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **artifact.description,
        "arrays": {
            name: {"shape": list(array.shape), "dtype": array.dtype.str}
            for name, array in artifact.arrays.items()
        },
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_DESCRIPTION, json.dumps(description, ensure_ascii=True))
        for name, array in artifact.arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            archive.writestr(_member(name), buffer.getvalue())


def _member(name: str) -> str:
    return f"arrays/{name}.npy"


def read_description(path: str | Path) -> dict[str, Any]:
    """Return a model file's description, without its arrays.

    Raises
    ------
    ValueError
        When the file is no kseq2seq model, or of a newer format.
    OSError
        When it cannot be read.
    """
    with _open(path) as archive:
        return _read_description(path, archive)


def read_artifact(path: str | Path) -> Artifact:
    """Read a model file.

    Raises
    ------
    ValueError
        When the file is no kseq2seq model, is of a newer format or is damaged.
    OSError
        When it cannot be read.
    """
    with _open(path) as archive:
        description = _read_description(path, archive)
        try:
            _check_members(archive, description["arrays"])
            arrays = {
                name: _read_array(archive, name, declared)
                for name, declared in description["arrays"].items()
            }
        except _UNREADABLE as error:
            raise ValueError(
                f"{path} is damaged: {error}. Train or copy the model again."
            ) from error
    return Artifact(description, arrays)


def _open(path: str | Path) -> zipfile.ZipFile:
    path = _as_path("path", path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a kseq2seq model file.")
    try:
        return zipfile.ZipFile(path)
    except OSError:
        raise
    except _UNREADABLE:
        raise ValueError(_not_a_model(path)) from None


def _not_a_model(path: str | Path) -> str:
    return (
        f"{path} is not a kseq2seq model file. Expected what estimator.save(path) or "
        "'kseq2seq train --model FILE' wrote."
    )


def _read_description(path: str | Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        _check_size(archive)
        description = json.loads(archive.read(_DESCRIPTION))
        if description["format"] != FORMAT:
            raise ValueError("another format")
        version = int(description["format_version"])
    except _UNREADABLE as error:
        raise ValueError(_not_a_model(path)) from error
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}, and this kseq2seq reads up to "
            f"{FORMAT_VERSION}. Upgrade: pip install --upgrade kseq2seq."
        )
    return dict(description)


def _check_members(archive: zipfile.ZipFile, declared: Mapping[str, Any]) -> None:
    """Raise unless the file holds what it declares, each once, and nothing else."""
    found = sorted(archive.namelist())
    expected = sorted([_DESCRIPTION, *map(_member, declared)])
    if found != expected:
        differing = sorted(set(found) ^ set(expected)) or found
        raise ValueError(f"it does not hold what it declares: {differing[:3]}")


def _check_size(archive: zipfile.ZipFile) -> None:
    """Raise for a file that unpacks to far more than weights and words do."""
    unpacked = sum(member.file_size for member in archive.infolist())
    packed = sum(member.compress_size for member in archive.infolist())
    if unpacked > max(_ALWAYS_UNPACKED, _MOST_COMPRESSED * packed):
        raise ValueError(f"{packed:,} bytes in it unpack to {unpacked:,}")


def _read_array(
    archive: zipfile.ZipFile, name: str, declared: Mapping[str, Any]
) -> np.ndarray:
    """Read one array, no larger than declared."""
    shape, dtype = tuple(declared["shape"]), np.dtype(declared["dtype"])
    member = archive.getinfo(_member(name))
    header = 4096
    if member.file_size > math.prod(shape) * dtype.itemsize + header:
        raise ValueError(f"{name} is larger than declared")
    array = np.load(io.BytesIO(archive.read(member)), allow_pickle=False)
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, not as declared")
    return np.asarray(array)
