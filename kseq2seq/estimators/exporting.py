"""A fitted model, with its search, in the formats of runtimes that have no kseq2seq."""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from kseq2seq import _tensorflow
from kseq2seq.arguments import check_choice, check_flag, check_whole
from kseq2seq.generation import LONGEST
from kseq2seq.persistence import check_can_write
from kseq2seq.vocabulary import END, FIRST_TOKEN, PAD, START, UNK

VOCABULARIES = "vocabularies.json"
FORMATS = {
    "savedmodel": ("saved_model", "tf_saved_model"),
    "onnx": ("model.onnx", "onnx"),
    "litert": ("model.tflite", "litert"),
}
"""What each format's file, or folder, is called, and what Keras calls the format."""


_IDS = {
    "special_ids": {"PAD": PAD, "UNK": UNK, "START": START, "END": END},
    "first_token_id": FIRST_TOKEN,
}
"""What ids mean, whatever model puts them out."""


@contextmanager
def _single_precision() -> Iterator[None]:
    """Let Keras make layers that compute in float32, in this thread."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def export_model(
    make: Callable[[], tuple[keras.Model, dict[str, Any]]],
    path: str | Path,
    *,
    format: str,
    max_source_length: int | None,
    overwrite: bool,
) -> Path:
    """Write a model of one input, and what its ids or values mean, to a new folder.

    `make` makes the two; the model, and what it is written with, is of float32.
    """
    with _single_precision():
        model, description = make()
        return _write(
            model,
            description,
            path,
            format=format,
            max_source_length=max_source_length,
            overwrite=overwrite,
        )


def _write(
    model: keras.Model,
    description: Mapping[str, Any],
    path: str | Path,
    *,
    format: str,
    max_source_length: int | None,
    overwrite: bool,
) -> Path:
    """Write a model that is made, and what its ids or values mean."""
    check_choice("format", format, FORMATS)
    check_flag("overwrite", overwrite)
    _check_length(format, max_source_length)
    path = _check_folder(path, overwrite=overwrite)
    _check_runtime(format)
    name, keras_format = FORMATS[format]
    sizes = (None, None) if max_source_length is None else (1, max_source_length)
    (given,) = model.inputs
    source = keras.InputSpec(
        given.dtype, shape=(*sizes, *given.shape[2:]), name=given.name
    )
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".kseq2seq.") as work:
        made = Path(work) / "made"
        made.mkdir()
        with warnings.catch_warnings(), _tensorflow.writes_to(path):
            warnings.simplefilter("ignore")  # of the converters, about themselves
            model.export(
                str(made / name),
                format=keras_format,
                input_signature=[source],
                verbose=False,
            )
        described = {
            "format": format,
            "model": name,
            "max_source_length": max_source_length,
            **(_IDS if given.name == "source_ids" else {}),
            **description,
        }
        (made / VOCABULARIES).write_text(json.dumps(described), encoding="utf-8")
        _put_in_place(path, made, before=Path(work) / "before")
    return path


def _put_in_place(path: Path, made: Path, *, before: Path) -> None:
    """Give a made folder its path; what fails leaves the folder that was there."""
    try:
        if path.exists():
            path.rename(before)
        made.rename(path)
    except BaseException:
        if before.exists() and not path.exists():
            before.rename(path)
        raise


def _check_length(format: str, max_source_length: int | None) -> None:
    if format != "litert":
        if max_source_length is not None:
            raise ValueError(
                f"max_source_length is for format='litert'; a model in {format!r} "
                "takes sources of any length. Leave it out."
            )
    elif max_source_length is None:
        raise ValueError(
            "format='litert' needs max_source_length: its sources are all of that many "
            "ids, END included, or frames."
        )
    else:
        check_whole("max_source_length", max_source_length, maximum=LONGEST)


def _check_runtime(format: str) -> None:
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "a model is exported on the TensorFlow backend; this is "
            f"{keras.backend.backend()!r}. Save it, and load and export it there."
        )
    if format == "onnx" and importlib.util.find_spec("tf2onnx") is None:
        raise ImportError("format='onnx' needs: pip install 'kseq2seq[export]'")


def _check_folder(path: str | Path, *, overwrite: bool) -> Path:
    """Return the path of a folder to make, or of one that an export made."""
    is_path = isinstance(path, str | os.PathLike) and str(path)
    if not is_path or not os.path.lexists(path):
        return check_can_write(path).absolute()
    path = Path(os.path.realpath(path))  # of links in a circle, the first
    if not path.is_dir():
        raise FileExistsError(
            f"{path} is no folder, and is kept. Choose another path for the folder."
        )
    if not overwrite:
        raise FileExistsError(
            f"{path} exists and is kept. Pass overwrite=True (--overwrite), or another "
            "path."
        )
    if not _is_export(path):
        raise FileExistsError(
            f"{path} is a folder that no export has made, or that other files are in, "
            "and is kept. Choose another."
        )
    return path


def _is_export(folder: Path) -> bool:
    """Whether an export made all that is in a folder."""
    try:
        described = json.loads((folder / VOCABULARIES).read_text(encoding="utf-8"))
        made = {VOCABULARIES, described["model"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return {path.name for path in folder.iterdir()} == made
