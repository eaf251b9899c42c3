"""The command that writes a model for another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kseq2seq.cli.models import described, load_model
from kseq2seq.cli.options import BeamSize, LengthPenalty, ModelFile


def export(
    model: ModelFile,
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    format: Annotated[
        str, typer.Option(help="savedmodel (TensorFlow), onnx or litert.")
    ] = "savedmodel",
    max_source_length: Annotated[
        int | None,
        typer.Option(help="For litert: what each source is padded to, END included."),
    ] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the folder of an export.")
    ] = False,
) -> None:
    """Write a model with its search for another runtime."""
    described(model)
    estimator = load_model(model, beam_size=beam_size, length_penalty=length_penalty)
    made = estimator.export(
        folder, format, max_source_length=max_source_length, overwrite=overwrite
    )
    for path in sorted(made.iterdir()):
        typer.echo(str(path))
