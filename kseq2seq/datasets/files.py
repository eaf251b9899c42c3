"""Pairs from text files."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from kseq2seq.datasets.pairs import Pairs


def load_pairs(path: str | Path, target_path: str | Path | None = None) -> Pairs:
    r"""Read pairs from a TSV file, or from two parallel files.

    Files are UTF-8, plain or gzip-compressed (``.gz``); a byte-order mark and Windows
    line ends are fine. Spaces around a text are stripped.

    Parameters
    ----------
    path : str or path
        Lines of source TAB target; with `target_path`, lines of sources.
    target_path : str or path, optional
        Lines of targets, as many as there are sources.

    Returns
    -------
    sources, targets : lists of str

    Raises
    ------
    ValueError
        When a line has no tab or more than one, is not UTF-8, or the two files differ
        in length; the message names the file and the line.
    OSError
        When a file cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from kseq2seq.datasets import load_pairs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "pairs.tsv"
    ...     _ = path.write_text("one\t1\ntwo\t2\n")
    ...     load_pairs(path)
    (['one', 'two'], ['1', '2'])
    """
    if target_path is None:
        return _split_columns(path)
    sources, targets = list(read_lines(path)), list(read_lines(target_path))
    if len(sources) != len(targets):
        shorter, longer = sorted((len(sources), len(targets)))
        raise ValueError(
            f"parallel files must have as many lines; {path} has {len(sources)} and "
            f"{target_path} has {len(targets)}: line {shorter + 1} of {longer} has no "
            "partner."
        )
    return sources, targets


def _split_columns(path: str | Path) -> Pairs:
    sources, targets = [], []
    for number, line in enumerate(read_lines(path, strip=False), 1):
        columns = line.split("\t")
        if len(columns) != 2:
            raise ValueError(
                f"{path}, line {number}: expected source TAB target; got "
                f"{len(columns) - 1} tabs in {line[:60]!r}."
            )
        sources.append(columns[0].strip())
        targets.append(columns[1].strip())
    return sources, targets


def read_lines(path: str | Path, *, strip: bool = True) -> Iterator[str]:
    """Yield a text file's lines, plain or ``.gz``, without their ends.

    Parameters
    ----------
    path : str or path
    strip : bool, default True
        Whether spaces around a line go as well.

    Raises
    ------
    ValueError
        When a line is not UTF-8, or a ``.gz`` file is not gzip; the message names the
        file and the line.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a file's path; got {path!r}.")
    opener = gzip.open if str(path).lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            yield from decode_lines(file, str(path), strip=strip)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path} is not a whole gzip file: {error}. Copy it again, or drop the .gz "
            "from its name."
        ) from error


def decode_lines(
    file: Iterable[bytes], name: str, *, strip: bool = True
) -> Iterator[str]:
    """Yield the lines of an open binary file, as :func:`read_lines` does.

    Parameters
    ----------
    file : iterable of bytes
    name : str
        What to call the file in an error.
    strip : bool, default True
        Whether spaces around a line go as well.
    """
    for number, raw in enumerate(file, 1):
        line = _decode(raw, name, number).rstrip("\r\n")
        yield line.strip() if strip else line


def _decode(raw: bytes, name: str, number: int) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}, line {number}: expected UTF-8; got byte 0x{raw[error.start]:02x} "
            f"at position {error.start + 1}. Save the file as UTF-8."
        ) from None
