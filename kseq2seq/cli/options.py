"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on the last line.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the model file if it exists.")
]
ModelFile = Annotated[Path, typer.Argument(help="The model file.")]
PairsFile = Annotated[
    Path | None, typer.Argument(help="Lines of source TAB target (.gz too).")
]
Source = Annotated[
    Path | None, typer.Option("--source", help="Sources, one a line (.gz too).")
]
Target = Annotated[
    Path | None, typer.Option("--target", help="Targets, line by line with --source.")
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE,TARGET",
        help="Where a file of pairs has more columns: those of source and target (and "
        "features), by number from 1, or by name in its header, which is then left "
        "out.",
    ),
]
Features = Annotated[
    str | None,
    typer.Option(
        metavar="SEPARATOR",
        help="What separates the features of a source, such as ';', in a third column "
        "of the pairs; --columns then names three.",
    ),
]
BeamSize = Annotated[
    int | None,
    typer.Option(help="Hypotheses grown side by side; as the model's if left."),
]
LengthPenalty = Annotated[
    float | None,
    typer.Option(help="The higher, the longer the answers; as the model's if left."),
]
