"""The command that trains a model."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from kseq2seq.cli.data import (
    Limit,
    PairFiles,
    TooLong,
    check_not_read,
    is_same_file,
    limit_lengths,
)
from kseq2seq.cli.evaluate import judge_answers
from kseq2seq.cli.from_model import fitted_estimator
from kseq2seq.cli.models import members_of, settings_of
from kseq2seq.cli.options import (
    Columns,
    Features,
    Json,
    Overwrite,
    PairsFile,
    Source,
    Target,
)
from kseq2seq.datasets.pairs import Pairs

INTERRUPTED = 130
"""What a shell makes of a command that Ctrl-C has ended."""
_LIMIT = "or words, where subwords are learned; see --too-long."


def train(
    *,
    pairs: PairsFile = None,
    source: Source = None,
    target: Target = None,
    columns: Columns = None,
    features: Features = None,
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
    from_model: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A model file to go on from, with new pairs; parameters are its own "
            "unless given, and tokens that it does not know are learned as unknown, or "
            "get places with --extend-vocabulary.",
        ),
    ] = None,
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
            help="A file to write after each epoch; if it exists, training resumes "
            "from it, with more --epochs if they have grown."
        ),
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(
            help="Train this many models, 2 or more, that answer together. With "
            "--checkpoint each has a file of its own."
        ),
    ] = None,
    json_line: Json = False,
    parameters: Any = None,
    chosen: Any = (),
) -> None:
    """Train a model on pairs and write it to a file.

    Every parameter of the estimator is an option; none stands for Python's None.
    Interrupted (Ctrl-C) it keeps what was learned, and ends with exit code 130.
    """
    from kseq2seq.estimators.checkpoint_file import Progress, member_checkpoints
    from kseq2seq.persistence import check_can_write

    check_can_write(model, overwrite=overwrite)
    if ensemble is not None:
        _check_ensemble(ensemble, from_model)
    checkpoints = [f for f in member_checkpoints(checkpoint, ensemble) if f is not None]
    if any(is_same_file(file, model) for file in checkpoints):
        raise ValueError(
            f"--model and --checkpoint are both {model}; pass two files, as the one is "
            "written when training has ended and the other after each epoch."
        )
    files = PairFiles(pairs, source, target, columns=columns, features=features)
    files.check()
    validation_files = PairFiles(
        validation,
        validation_source,
        validation_target,
        "validation",
        columns=columns if validation else None,
        features=features if validation else None,
    )
    for file in (model, *checkpoints):
        check_not_read(file, config, *files.paths, *validation_files.paths)
    validation_data = _load_validation(validation_files)
    estimator = _estimator(parameters, chosen, from_model, features, ensemble)
    settings = settings_of(estimator)
    limits = (
        Limit("source", max_source_length, settings.source_tokenizer),
        Limit("target", max_target_length, settings.target_tokenizer),
    )
    X, y = limit_lengths(files.load_filled(), limits, too_long)
    typer.echo(f"{len(X):,} pairs")
    for file in checkpoints:
        before = Progress.of(file)
        if before.is_all_of(settings.epochs):
            why = ", as it was stopped early" if before.stopped else ""
            typer.echo(f"{file}: nothing is left to train{why}")
        elif before.epochs:
            typer.echo(f"resuming from {file} after epoch {before.epochs}")
    seconds = _fit(estimator, X, y, validation_data, checkpoint)
    one_file = checkpoint if ensemble is None else None
    if one_file is not None and _is_unfinished(estimator, one_file):
        model = one_file
    else:
        estimator.save(model, overwrite=overwrite)
        typer.echo(f"wrote {model} after {seconds:.0f} s of training")
    report = training_report(estimator, seconds, model)
    if validation_data is not None:
        X, y = validation_data
        measured = judge_answers(estimator, y, estimator.predict(X))
        typer.echo("validation:")
        for line in measured.lines:
            typer.echo(line)
        report |= {f"validation_{name}": n for name, n in measured.report.items()}
    if json_line:
        typer.echo(json.dumps(report))
    if estimator.interrupted_:
        raise typer.Exit(INTERRUPTED)


def _load_validation(files: PairFiles) -> Pairs | None:
    return files.load_filled() if files.is_given else None


def _estimator(
    parameters: dict[str, Any],
    chosen: Collection[str],
    from_model: Path | None,
    features: str | None,
    ensemble: int | None,
) -> Any:
    """Return what is to be fitted: new estimators, or the one that a file holds."""
    if from_model is not None:
        own = {name: parameters[name] for name in chosen}
        return fitted_estimator(from_model, own, features=features)
    from kseq2seq.estimators import Seq2SeqEnsemble, Seq2SeqEstimator

    estimator = Seq2SeqEstimator(**parameters)
    if ensemble is None:
        return estimator
    seed = estimator.random_state
    estimator.set_params(random_state=None)
    return Seq2SeqEnsemble(estimator, ensemble, random_state=seed)


def _check_ensemble(number: int, from_model: Path | None) -> None:
    from kseq2seq.arguments import check_whole
    from kseq2seq.descriptions import FEWEST_MEMBERS, MOST_MEMBERS

    check_whole("--ensemble", number, minimum=FEWEST_MEMBERS, maximum=MOST_MEMBERS)
    if from_model is not None:
        raise ValueError(
            "--ensemble trains its models anew, and --from goes on with one. Pass one "
            "of the two."
        )


def _is_unfinished(estimator: Any, checkpoint: Path) -> bool:
    """Return whether an interrupt left epochs to do, and say where they resume."""
    from kseq2seq.estimators.checkpoint_file import Progress

    done = Progress.of(checkpoint)
    if not estimator.interrupted_ or done.is_all_of(estimator.epochs):
        return False
    if not done.epochs:
        typer.echo("interrupted in the first epoch: nothing is kept")
        raise typer.Exit(INTERRUPTED)
    typer.echo(f"interrupted: the same command again resumes from {checkpoint}")
    return True


def _fit(
    estimator: Any,
    X: list[Any],
    y: list[str],
    validation_data: Pairs | None,
    checkpoint: Path | None,
) -> float:
    """Fit an estimator, and return the seconds that it took."""
    from kseq2seq.cli.progress import MemberLines, progress_callbacks

    settings = settings_of(estimator)
    held_back = settings.validation_fraction if validation_data is None else 0.0
    validates = validation_data is not None or held_back * len(y) >= 1
    callbacks = progress_callbacks(
        y,
        held_back=held_back,
        metrics=_metrics(settings.early_stopping_metric) if validates else (),
    )
    if settings is not estimator:
        callbacks.append(MemberLines(estimator.n_estimators))
    settings.set_params(callbacks=callbacks)
    try:
        seconds = timed_fit(
            estimator, X, y, validation_data=validation_data, checkpoint=checkpoint
        )
    except KeyboardInterrupt as interrupt:
        typer.echo(str(interrupt) or "interrupted: nothing is kept")
        raise typer.Exit(INTERRUPTED) from None
    settings.set_params(callbacks=None)
    return seconds


def _metrics(early_stopping_metric: str) -> list[str]:
    """Return what decoded validation pairs are measured by."""
    from kseq2seq.metrics import METRICS, has_sacrebleu

    names = ["bleu", "exact_match"] if has_sacrebleu() else ["exact_match"]
    known = early_stopping_metric in METRICS
    return list(dict.fromkeys([*names, *([early_stopping_metric] if known else [])]))


def timed_fit(estimator: Any, X: list[Any], y: list[str], **options: Any) -> float:
    """Fit, and return the seconds that it took."""
    start = time.perf_counter()
    estimator.fit(X, y, **options)
    return time.perf_counter() - start


def training_report(estimator: Any, seconds: float, model: Path) -> dict[str, Any]:
    """Return what a training is measured by; its speed is that of its last run."""
    from kseq2seq.cli.progress import num_pairs_trained

    members = members_of(estimator)
    return {
        "train_seconds": round(seconds, 2),
        "pairs_per_second": round(num_pairs_trained(estimator) / seconds, 1),
        "epochs": sum(len(member.history_["loss"]) for member in members),
        "parameters": sum(m.models_.training.count_params() for m in members),
        "model": str(model),
    }
