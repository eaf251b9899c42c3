"""The model file: one zip of JSON and arrays, which runs no code when it is opened.

``model.json`` describes the model; every array is a ``.npy`` member of its own, read
without pickle. The file is written beside its place and moved there whole.
"""

from __future__ import annotations

import copy
import errno
import glob
import json
import os
import secrets
import stat
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kseq2seq import file_locks
from kseq2seq.zip_members import (
    UNREADABLE,
    array_bytes,
    check_array,
    check_is_file,
    declared_array,
    open_zip,
    read_array,
    read_member,
)

FORMAT = "kseq2seq"
FORMAT_VERSION = 1
_DESCRIPTION = "model.json"
_SECONDS_OF_A_DAY = 86_400
_LARGEST_DESCRIPTION = 2**23
"""Bytes of JSON that are read in any case; more only where the arrays have more."""


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
    if check_is_file(path) is not None and not overwrite:
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
        if getattr(error, "errno", None) == errno.ELOOP:
            raise
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
    replaced = check_is_file(path)
    mode = None if replaced is None else stat.S_IMODE(replaced.st_mode)
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
        temporary.unlink(missing_ok=True)  # not there if it was just put in place
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
            archive.writestr(_member(name), array_bytes(array))


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
    with open_artifact(path) as artifact:
        return artifact.description


def read_artifact(path: str | Path) -> Artifact:
    """Read a model file.

    Raises
    ------
    ValueError
        When the file is no kseq2seq model, is of a newer format or is damaged.
    OSError
        When it cannot be read.
    """
    with open_artifact(path) as artifact:
        return Artifact(artifact.description, dict(artifact.arrays))


@contextmanager
def open_artifact(path: str | Path) -> Iterator[StoredArtifact]:
    """Open a model file, each of whose arrays is read when it is asked for.

    Raises
    ------
    ValueError
        When the file is no kseq2seq model, is of a newer format or does not hold what
        it declares; when an array is asked for that is damaged.
    OSError
        When it cannot be read.
    """
    path = _as_path("path", path)
    status = check_is_file(path)
    if status is None:
        raise FileNotFoundError(f"there is no file {path}.")
    with ExitStack() as stack:
        try:
            if not status.st_size:  # as those in /proc, which never end
                raise ValueError("it is empty")
            archive = stack.enter_context(open_zip(path))
            description = _read_description(archive)
            version = description["format_version"]
        except UNREADABLE as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise  # the system's word; a place that a zip cannot have is EINVAL
            raise ValueError(_not_a_model(path)) from error
        if version > FORMAT_VERSION:
            raise ValueError(
                f"{path} has format version {version}, and this kseq2seq reads up to "
                f"{FORMAT_VERSION}. Upgrade: pip install --upgrade kseq2seq."
            )
        arrays = StoredArrays(path, archive, description.get("arrays"))
        yield StoredArtifact(description, arrays)


class StoredArrays(Mapping[str, np.ndarray]):
    """The arrays of a model file, each read when it is asked for.

    Parameters
    ----------
    path : path
    archive : zipfile.ZipFile
    declared : dict
        What the file declares of each array; it must hold these and nothing else.

    Attributes
    ----------
    shapes : dict of str to tuple of int
        Which are known before anything is read.
    dtypes : dict of str to numpy.dtype
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, declared: Any) -> None:
        self._path, self._archive, self._declared = path, archive, declared
        with self._named():
            _check_members(archive, declared)
            for name in declared:
                check_array(archive, _member(name), declared[name])
            known = {name: declared_array(about) for name, about in declared.items()}
        self.shapes = {name: shape for name, (shape, _) in known.items()}
        self.dtypes = {name: dtype for name, (_, dtype) in known.items()}
        self._start = ""

    def part(self, start: str) -> StoredArrays:
        """Return those arrays whose names have this start, by the rest of the names."""
        part = copy.copy(self)
        part._start = self._start + start
        own = {n.removeprefix(start): n for n in self.shapes if n.startswith(start)}
        part.shapes = {name: self.shapes[stored] for name, stored in own.items()}
        part.dtypes = {name: self.dtypes[stored] for name, stored in own.items()}
        return part

    def __getitem__(self, name: str) -> np.ndarray:
        stored = self._start + name
        declared = self._declared[stored]
        with self._named():
            return read_array(self._archive, _member(stored), declared)

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def __contains__(self, name: object) -> bool:
        return name in self.shapes  # Mapping's own would read the array

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Raise what reading a damaged file raises as an error that names it."""
        try:
            yield
        except UNREADABLE as error:
            raise damaged(self._path, error) from error


@dataclass(frozen=True)
class StoredArtifact(Artifact):
    """What an open model file holds.

    Attributes
    ----------
    description : dict
    arrays : StoredArrays
    """

    arrays: StoredArrays


def damaged(path: str | Path, error: Exception) -> ValueError:
    """Return the error of a model file in which something is not as it should be."""
    said = str(error).rstrip(".")
    return ValueError(f"{path} is damaged: {said}. Train or copy the model again.")


def _not_a_model(path: str | Path) -> str:
    return (
        f"{path} is not a kseq2seq model file. Expected what estimator.save(path) or "
        "'kseq2seq train --model FILE' wrote."
    )


def _read_description(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return the description, which must be one of this project."""
    size = archive.getinfo(_DESCRIPTION).file_size
    packed = sum(
        member.compress_size
        for member in archive.infolist()
        if member.filename != _DESCRIPTION
    )
    if size > max(_LARGEST_DESCRIPTION, packed):
        raise ValueError(f"its description has {size:,} bytes")
    description = read_json(read_member(archive, _DESCRIPTION).decode())
    if (
        description["format"] != FORMAT
        or type(description["format_version"]) is not int
    ):
        raise ValueError("another format")
    return dict(description)


def read_json(text: str) -> Any:
    """Return the JSON value of a text from a file, some ten times as large at most.

    Lists and dicts take the most memory for the least text, where nothing is in them:
    descriptions have few.
    """
    containers = text.count("[") + text.count("{")
    if containers > len(text) / 8 + 100:
        raise ValueError(f"it has {containers:,} brackets in {len(text):,} characters")
    return json.loads(text)


def _check_members(archive: zipfile.ZipFile, declared: Mapping[str, Any]) -> None:
    """Raise unless the file holds what it declares, each once, and nothing else."""
    found = sorted(archive.namelist())
    expected = sorted([_DESCRIPTION, *map(_member, declared)])
    if found != expected:
        differing = sorted(set(found) ^ set(expected)) or found
        raise ValueError(f"it does not hold what it declares: {differing[:3]}")
