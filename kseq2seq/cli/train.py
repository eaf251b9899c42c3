"""The command that trains a model."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from kseq2seq.cli.commands import (
    Json,
    Overwrite,
    Source,
    Target,
    measure_answers,
)
from kseq2seq.cli.data import Limit, PairFiles, TooLong, limit_lengths
from kseq2seq.datasets.pairs import Pairs

_INTERRUPTED = 130
"""What a shell makes of a command that Ctrl-C has ended."""
_LIMIT = "or words, where subwords are learned; see --too-long."


def train(
    *,
    pairs: Annotated[
        Path | None, typer.Argument(help="Lines of source TAB target (.gz too).")
    ] = None,
    source: Source = None,
    target: Target = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            help="Pairs to validate on. A held-back part of the pairs otherwise."
        ),
    ] = None,
    validation_source: Annotated[
        Path | None, typer.Option(help="Sources to validate on, one a line.")
    ] = None,
    validation_target: Annotated[
        Path | None, typer.Option(help="Targets, line by line with them.")
    ] = None,
    model: Annotated[Path, typer.Option(help="The model file to write.")] = Path(
        "model.kseq2seq"
    ),
    overwrite: Overwrite = False,
    config: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file of these options, with _ for -: the command line comes "
            "before it, and it before the preset."
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Parameters to start from: translation.")
    ] = None,
    max_source_length: Annotated[
        int | None, typer.Option(help=f"Tokens that a source may have, {_LIMIT}")
    ] = None,
    max_target_length: Annotated[
        int | None, typer.Option(help=f"Tokens that a target may have, {_LIMIT}")
    ] = None,
    too_long: Annotated[
        TooLong, typer.Option(help="What happens to longer pairs of training.")
    ] = TooLong.drop,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="A file to write after each epoch; if it exists, training goes on "
            "from it."
        ),
    ] = None,
    json_line: Json = False,
    parameters: Any = None,
) -> None:
    """Train a model on pairs and write it to a file.

    Every parameter of the estimator is an option; none stands for Python's None.
    """
    from kseq2seq.estimators.checkpoint_file import Progress
    from kseq2seq.persistence import check_can_write

    check_can_write(model, overwrite=overwrite)
    if checkpoint is not None and checkpoint.absolute() == model.absolute():
        raise ValueError(
            f"--model and --checkpoint are both {model}; pass two files, as the one is "
            "written when training has ended and the other after each epoch."
        )
    limits = (
        Limit("source", max_source_length, parameters["source_tokenizer"]),
        Limit("target", max_target_length, parameters["target_tokenizer"]),
    )
    files = PairFiles(pairs, source, target)
    files.check()
    validation_data = _load_validation(
        PairFiles(validation, validation_source, validation_target, "validation")
    )
    X, y = limit_lengths(files.load_filled(), limits, too_long)
    typer.echo(f"{len(X):,} pairs")
    before = Progress.of(checkpoint)
    if before.epochs and not before.ended:
        typer.echo(f"going on from {checkpoint} after epoch {before.epochs}")
    estimator, seconds = _fit(parameters, X, y, validation_data, checkpoint)
    after = Progress.of(checkpoint)
    interrupted = checkpoint is not None and not after.ended
    if interrupted and not after.epochs:
        typer.echo("interrupted in the first epoch: nothing is kept")
        raise typer.Exit(_INTERRUPTED)
    if interrupted:
        model = checkpoint  # type: ignore[assignment]
        typer.echo(f"interrupted: the same command again goes on from {model}")
    else:
        estimator.save(model, overwrite=overwrite)
        typer.echo(f"wrote {model} after {seconds:.0f} s of training")
    report = training_report(estimator, seconds, len(X), model, before.epochs)
    if validation_data is not None:
        measured = measure_answers(estimator, *validation_data)
        typer.echo("validation:")
        for line in measured.lines:
            typer.echo(line)
        report |= {f"validation_{name}": n for name, n in measured.report.items()}
    if json_line:
        typer.echo(json.dumps(report))
    if interrupted:
        raise typer.Exit(_INTERRUPTED)


def _load_validation(files: PairFiles) -> Pairs | None:
    return files.load_filled() if files.is_given else None


def _fit(
    parameters: dict[str, Any],
    X: list[str],
    y: list[str],
    validation_data: Pairs | None,
    checkpoint: Path | None,
) -> tuple[Any, float]:
    """Return a fitted estimator, and the seconds that fitting took."""
    from kseq2seq.cli.progress import progress_callbacks
    from kseq2seq.estimators import Seq2SeqEstimator

    held_back = parameters["validation_fraction"] if validation_data is None else 0.0
    validates = validation_data is not None or held_back * len(y) >= 1
    callbacks = progress_callbacks(
        y,
        held_back=held_back,
        metrics=_metrics(parameters["early_stopping_metric"]) if validates else (),
    )
    estimator = Seq2SeqEstimator(**parameters, callbacks=callbacks)
    seconds = timed_fit(
        estimator, X, y, validation_data=validation_data, checkpoint=checkpoint
    )
    return estimator.set_params(callbacks=None), seconds


def _metrics(early_stopping_metric: str) -> list[str]:
    """Return what decoded validation pairs are measured by."""
    from kseq2seq.metrics import METRICS, has_sacrebleu

    names = ["bleu", "exact_match"] if has_sacrebleu() else ["exact_match"]
    known = early_stopping_metric in METRICS
    return list(dict.fromkeys([*names, *([early_stopping_metric] if known else [])]))


def timed_fit(estimator: Any, X: list[str], y: list[str], **options: Any) -> float:
    """Fit, and return the seconds that it took."""
    start = time.perf_counter()
    estimator.fit(X, y, **options)
    return time.perf_counter() - start


def training_report(
    estimator: Any, seconds: float, num_pairs: int, model: Path, epochs_before: int = 0
) -> dict[str, Any]:
    """Return what a training run is measured by, which may have gone on."""
    epochs = len(estimator.history_["loss"])
    num_seen = num_pairs * (epochs - epochs_before)
    return {
        "train_seconds": round(seconds, 2),
        "pairs_per_second": round(num_seen / seconds, 1),
        "epochs": epochs,
        "parameters": estimator.models_.training.count_params(),
        "model": str(model),
    }
