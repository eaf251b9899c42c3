"""The command line: ``kseq2seq quickstart | train | predict | evaluate | ...``."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated, Any

import typer

import kseq2seq
from kseq2seq.cli.estimator_options import with_estimator_options
from kseq2seq.cli.evaluate import evaluate
from kseq2seq.cli.export import export
from kseq2seq.cli.info import info
from kseq2seq.cli.predict import predict
from kseq2seq.cli.quickstart import quickstart
from kseq2seq.cli.train import train

_ERRORS = (
    *(ValueError, TypeError, OSError, ImportError),
    *(FloatingPointError, RuntimeError),
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kseq2seq {kseq2seq.__version__}")
        raise typer.Exit


def make_app(*, train_options: bool = True) -> typer.Typer:
    """Return the application.

    Parameters
    ----------
    train_options : bool, default True
        Whether `train` gets an option for every parameter of the estimator, which has
        to be imported for that.
    """
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_about)
    app.command()(quickstart)
    app.command()(with_estimator_options(train) if train_options else train)
    app.command()(predict)
    app.command()(evaluate)
    app.command()(info)
    app.command()(export)
    return app


def _about(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version),
    ] = False,
) -> None:
    """Train recurrent sequence-to-sequence models, and use them."""


def main() -> None:
    """Run the command line; an error is one sentence on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        make_app(train_options=sys.argv[1:2] == ["train"])()
    except _ERRORS as error:
        typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(str(error), err=True)
        sys.exit(1)


def _show_warning(message: Warning | str, *_: Any) -> None:
    typer.secho("note: ", fg="yellow", bold=True, nl=False, err=True)
    typer.echo(str(message), err=True)
