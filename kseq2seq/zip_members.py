"""What a zip file says of itself, believed no further than its bytes go.

A zip's directory may declare any size for any member, and a member may inflate to a
thousand times its bytes. So sizes are compared with each other and with the file before
anything is read, and members are read through these sizes.
"""

from __future__ import annotations

import ast
import io
import math
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

UNREADABLE = (
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
_LARGEST_DIRECTORY = 2**21
"""Bytes: some ten thousand members."""
_MOST_COMPRESSED = 100
"""Trained weights shrink by a tenth; what shrinks a hundred times is none."""
_ALWAYS_UNPACKED = 2**26
"""Bytes that a file may unpack to in any case."""
_CHUNK = 2**20
_DTYPE = re.compile(r"[<>|=]([biufc](1|2|4|8|16)|U\d{1,4})")
"""Of numbers, flags and tokens, which 0.1.0 wrote."""
_LONGEST_HEADER = 2**10
_MOST_AXES = 8


def check_is_file(path: Path) -> os.stat_result | None:
    """Return what the system says of a file, None where there is none.

    Raises
    ------
    OSError
        When the path leads to a folder, a pipe, a device or a socket, whose end may
        never come, or nowhere, by links that lead to each other.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"{path} is a folder; expected the path of a file.")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path} is a pipe, a device or a socket; expected a file.")
    return status


class _Bounded:
    """A file of which no more is read at once than a directory may have."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.seekable, self.close = file.seekable, file.close

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(
            min(size, _LARGEST_DIRECTORY + 1) if size >= 0 else _LARGEST_DIRECTORY + 1
        )
        if len(found) > _LARGEST_DIRECTORY:
            raise zipfile.BadZipFile("its directory is larger than those of models")
        return found


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file for reading; its directory has been checked by then.

    Raises
    ------
    OSError
        When it cannot be opened.
    ValueError and others of `UNREADABLE`
        When it is no zip, or its directory lies.
    """
    with path.open("rb") as file, zipfile.ZipFile(_Bounded(file)) as archive:
        _check_directory(archive, os.fstat(file.fileno()).st_size)
        yield archive


def _check_directory(archive: zipfile.ZipFile, file_size: int) -> None:
    """Raise unless the sizes that members declare go with each other and the file."""
    members = archive.infolist()
    packed = sum(member.compress_size for member in members)
    unpacked = sum(member.file_size for member in members)
    if packed > file_size:
        raise ValueError(f"{file_size:,} bytes cannot hold {packed:,}")
    if unpacked > max(_ALWAYS_UNPACKED, _MOST_COMPRESSED * packed):
        raise ValueError(f"{packed:,} bytes in it unpack to {unpacked:,}")
    for member in members:
        stored = member.compress_type == zipfile.ZIP_STORED
        if not stored and member.compress_type != zipfile.ZIP_DEFLATED:
            raise ValueError(
                f"{member.filename} is packed in a way that models are not"
            )
        if stored and member.compress_size != member.file_size:
            raise ValueError(f"{member.filename} declares two sizes")


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a member's bytes, as many as the directory declares."""
    member = archive.getinfo(name)
    content = bytearray()
    with archive.open(member) as file:
        while chunk := file.read(_CHUNK):
            content += chunk
    if len(content) != member.file_size:
        raise ValueError(f"{name} has {len(content):,} bytes, not {member.file_size:,}")
    return bytes(content)


def declared_array(
    declared: Mapping[str, Any],
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and the type that are declared of an array."""
    shape, dtype = declared["shape"], declared["dtype"]
    whole = isinstance(shape, list) and all(
        type(size) is int and 0 <= size < 2**48 for size in shape
    )
    named = isinstance(dtype, str) and _DTYPE.fullmatch(dtype)
    if not whole or not named or len(shape) > _MOST_AXES:
        raise ValueError(f"no array is of shape {shape!r:.60} and type {dtype!r:.60}")
    return tuple(shape), np.dtype(dtype)


def check_array(
    archive: zipfile.ZipFile, name: str, declared: Mapping[str, Any]
) -> None:
    """Raise unless a member has the bytes of an array that is declared."""
    shape, dtype = declared_array(declared)
    size = archive.getinfo(name).file_size
    numbers = math.prod(shape) * dtype.itemsize
    if not numbers < size <= numbers + _LONGEST_HEADER:
        raise ValueError(f"{name} has {size:,} bytes, and is declared as {numbers:,}")


def read_array(
    archive: zipfile.ZipFile, name: str, declared: Mapping[str, Any]
) -> np.ndarray:
    """Read an array from a ``.npy`` member, which must be as declared."""
    check_array(archive, name, declared)
    shape, dtype = declared_array(declared)
    with archive.open(name) as file:
        found = _read_header(file)
        if (found["shape"], np.dtype(found["descr"])) != (shape, dtype):
            raise ValueError(f"{name} is {found!r:.80}, not as declared")
        array = np.empty(math.prod(shape), dtype)
        content = array.view(np.uint8).data
        for start in range(0, len(content), _CHUNK):
            part = content[start : start + _CHUNK]
            if file.readinto(part) != len(part):  # type: ignore[attr-defined]
                raise ValueError(f"{name} ends too early")
        if file.read(1):
            raise ValueError(f"{name} is longer than declared")
    return array.reshape(shape, order="F" if found["fortran_order"] else "C")


def _read_header(file: IO[bytes]) -> dict[str, Any]:
    """Return what an array's header says, at the front of a ``.npy`` file."""
    version = np.lib.format.read_magic(file)
    length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
    if length > _LONGEST_HEADER:
        raise ValueError("the header of an array is too long")
    try:
        found = ast.literal_eval(file.read(length).decode("latin-1").strip())
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError("the header of an array cannot be read") from error
    if set(found) != {"shape", "descr", "fortran_order"}:
        raise ValueError("an array has no header")
    return dict(found)


def array_bytes(array: np.ndarray) -> bytes:
    """Return an array as the bytes of a ``.npy`` file.

    The format has no word for bfloat16: it is written as float32, which holds it.
    """
    if array.dtype.kind == "V":
        array = array.astype(np.float32)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
