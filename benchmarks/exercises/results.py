"""What the exercises measured: rows in a JSON file, and a table made from them.

A row is one model at one setting. The JSON file is the record; the Markdown table is
made from it and never edited. Rows that another version wrote, with keys that are not
known here, stay as they are.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import kseq2seq
from kseq2seq.persistence import check_can_write

JSON_NAME, TABLE_NAME = "results.json", "results.md"
COMMAND = "python -m benchmarks.exercises"
ROLES = {
    "published setting": "the published setting",
    "best": "our best",
    "other": "another setting",
}
"""What a row stands for, and how the table says so."""
_NOTHING = "–"

RowDict = dict[str, Any]
"""A row as the JSON file has it."""


def machine() -> dict[str, Any]:
    """Return what a row says of the machine and the software that it was run on."""
    import keras
    import tensorflow

    affinity = getattr(os, "sched_getaffinity", None)  # not everywhere
    return {
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "devices": keras.distribution.list_devices(),
        "platform": f"{platform.system()} {platform.machine()}",
        "backend": keras.config.backend(),
        **{each.__name__: each.__version__ for each in (keras, tensorflow, kseq2seq)},
        "python": platform.python_version(),
    }


def now() -> str:
    """Return the time in UTC, as ISO 8601 writes it, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model at one setting.

    Attributes
    ----------
    exercise : str
        The name under which the command knows it.
    model : str
        The variant: what differs from the exercise's other rows.
    role : {"published setting", "best", "other"}
        Whether the setting is the published one, or the one that does best here.
    setting : dict
        Sizes, seed, epochs and whatever else the figures depend on.
    published_setting : str, optional
        The setting of the published figures in words.
    published : dict of str to float, optional
        The published figures by metric.
    ours : dict of str to float
        Our figures by metric. A metric's name says what it is: ``exact_match``,
        ``teacher_forced_accuracy_with_padding``.
    parameters : int
        How many numbers the model learns.
    seconds : float
        How long training took, compilation included.
    machine : dict
        What it was run on; by default this machine.
    time : str
        When, in UTC; by default now.
    """

    exercise: str
    model: str
    role: str
    setting: Mapping[str, Any]
    ours: Mapping[str, float]
    parameters: int
    seconds: float
    published_setting: str | None = None
    published: Mapping[str, float] | None = None
    machine: Mapping[str, Any] = field(default_factory=machine)
    time: str = field(default_factory=now)

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role must be one of {[*ROLES]}; got {self.role!r}.")

    def to_json(self) -> RowDict:
        """Return the row as the JSON file has it."""
        return dataclasses.asdict(self)


def read(path: Path) -> list[RowDict]:
    """Return the rows of a results file; none where there is no file.

    Raises
    ------
    ValueError
        When the file is no results file.
    """
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        if not all(isinstance(row["exercise"], str) for row in rows):
            raise TypeError("an exercise's name is no string")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} must be a JSON object whose rows each name their exercise; got "
            f"{error!r}. Restore the file, or move it away to start anew."
        ) from error
    return rows


def check_can_keep(folder: Path) -> None:
    """Raise, before hours are spent, where a folder's record cannot be added to."""
    path = folder / JSON_NAME
    read(path)
    check_can_write(path, overwrite=True)


def merge(old: Iterable[RowDict], new: Iterable[Row]) -> list[RowDict]:
    """Return the new rows and the old ones of every exercise that was not run again."""
    rows = [row.to_json() for row in new]
    rerun = {row["exercise"] for row in rows}
    return _in_order([*(row for row in old if row["exercise"] not in rerun), *rows])


def merge_models(old: Iterable[RowDict], new: Iterable[RowDict]) -> list[RowDict]:
    """Return the new rows, and the old ones of every other exercise or model."""
    rows = list(new)
    rerun = {(row["exercise"], row["model"]) for row in rows}
    kept = [row for row in old if (row["exercise"], row.get("model")) not in rerun]
    return _in_order([*kept, *rows])


def _in_order(rows: Iterable[RowDict]) -> list[RowDict]:
    """Sort by exercise; within one, rows stay as their exercise gave them."""
    return sorted(rows, key=lambda row: row["exercise"])


def write(path: Path, rows: Iterable[RowDict]) -> None:
    """Write a results file: the whole of it, or nothing.

    Raises
    ------
    ValueError
        When a figure is not finite, which JSON cannot say.
    """
    document = {"made_by": COMMAND, "rows": _in_order(rows)}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text beside its place and move it there whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def render(rows: Iterable[RowDict]) -> str:
    """Return the results as Markdown, a table for each exercise."""
    sections = [
        "# Results",
        f"This file is made from `{JSON_NAME}` by `{COMMAND}`; to change it, run that. "
        "Seconds are of training. Accuracy means free-running decoding unless its name "
        "says otherwise. Of a setting the table tells what differs from the defaults.",
    ]
    for exercise, group in groupby(_in_order(rows), key=lambda row: row["exercise"]):
        sections.append(_section(exercise, list(group)))
    return "\n\n".join(sections) + "\n"


def _section(exercise: str, rows: list[RowDict]) -> str:
    if any("signature" in row for row in rows):
        return _section_of_figures(exercise, rows)
    if any("figures" in row for row in rows):
        return _section_of_parts(exercise, rows)
    if any("forecasts" in row for row in rows):
        return _section_of_forecasts(exercise, rows)
    columns = ["exercise", "at", "setting", "ours", "published", "parameters"]
    lines = [_cells(row) for row in rows]
    return _titled(exercise, _table([*columns, "seconds"], lines, numbers=2), rows)


def _table(columns: list[str], lines: list[list[str]], *, numbers: int) -> str:
    """Return a Markdown table whose last columns are numbers."""
    aligned = ["---"] * (len(columns) - numbers) + ["---:"] * numbers
    every = [columns, aligned, *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in every)


def _titled(exercise: str, table: str, rows: list[RowDict], *told: str) -> str:
    """Return a section: its table, what is told of it, and its runs."""
    runs = dict.fromkeys(_run(row) for row in rows)
    title = f"## {_words(exercise)}"
    return "\n\n".join([title, table, *told, *filter(None, runs)])


def _section_of_parts(exercise: str, rows: list[RowDict]) -> str:
    """Return the table of rows with figures of several files, parts and seeds."""
    files = dict.fromkeys(file for row in rows for file in row["figures"])
    columns = ["model", "setting", "measure, in percent", *files]
    columns += [f"{file}, each part" for file in files]
    lines = []
    for row in rows:
        found = [row["figures"].get(file) for file in files]
        parts = [each["parts"] if each else {} for each in found]
        lines.append(
            [
                _words(row["model"]),
                _setting(row),
                _words(row["measure"]),
                *(_spread(each) for each in found),
                *(", ".join(_pairs(each, _percent)) or _NOTHING for each in parts),
                ", ".join(_pairs(row["published"], _text)) or _NOTHING,
                _number(row["parameters"], ","),
                _number(row["seconds"], ",.0f"),
            ]
        )
    columns += ["published, test", "parameters", "seconds a fit"]
    told = "Means over the parts, ± the standard deviation of that mean over seeds."
    return _titled(exercise, _table(columns, lines, numbers=2), rows, told)


def _section_of_forecasts(exercise: str, rows: list[RowDict]) -> str:
    """Return the table of rows of forecasts: a column for each measure."""
    measures = dict.fromkeys(name for row in rows for name in row["forecasts"])
    columns = ["model", "setting", "part", *map(_words, measures), "published"]
    lines = [
        [
            _words(row["model"]),
            _setting(row) if row["setting"] else _NOTHING,
            _words(row["part"]),
            *(_spread(row["forecasts"].get(name), ".3f") for name in measures),
            ", ".join(_pairs(row["published"], _text)) or _NOTHING,
            _number(row["parameters"], ","),
            _number(row["seconds"], ",.0f"),
        ]
        for row in rows
    ]
    columns += ["parameters", "seconds a fit"]
    told = "Means over seeds, ± their standard deviation."
    return _titled(exercise, _table(columns, lines, numbers=2), rows, told)


def _spread(figure: Mapping[str, Any] | None, form: str = ".2f") -> str:
    """Return a mean, with its spread over seeds where there is one."""
    if figure is None:
        return _NOTHING
    spread = figure["spread"]
    mean = format(figure["mean"], form)
    return mean if spread is None else f"{mean} ± {spread:{form}}"


def _percent(value: float) -> str:
    return format(value, ".1f")


def _setting(row: RowDict) -> str:
    """Return what differs from the estimators' defaults, in words."""
    setting = row.get("setting")
    if not isinstance(setting, Mapping):
        return ", ".join(_pairs(setting, _text)) or _NOTHING
    own = {
        name: value
        for name, value in setting.items()
        if any(group.get(name, _NOTHING) != value for group in _defaults(name))
    }
    return ", ".join(_pairs(own, _text)) or "the defaults"


def _defaults(name: str) -> list[dict[str, Any]]:
    """Return the estimators' defaults: of those that have the parameter, if any do."""
    from kseq2seq.estimators.settings import ClassifierSettings, Seq2SeqSettings

    groups = [vars(Seq2SeqSettings()), vars(ClassifierSettings())]
    return [group for group in groups if name in group] or [{}]


def _section_of_figures(exercise: str, rows: list[RowDict]) -> str:
    """Return the table of rows of BLEU: a column for each figure in a row itself."""
    names = dict.fromkeys(
        name
        for row in rows
        for name, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    )
    columns = ["model", "setting", "published", *map(_words, names)]
    lines = []
    for row in rows:
        published = _pairs(row.get("published") or None, _figure)
        told = [_text(row.get("published_setting") or ""), *published]
        lines.append(
            [
                _words(row.get("model")),
                _setting(row),
                "; ".join(filter(None, told)) or _NOTHING,
                *(_number(row.get(name), _form(row.get(name))) for name in names),
            ]
        )
    table = _table(columns, lines, numbers=len(names))
    signatures = {_text(row["signature"]) for row in rows if "signature" in row}
    told = [f"BLEU is sacreBLEU's, {signature}." for signature in sorted(signatures)]
    return _titled(exercise, table, rows, *told)


def _form(value: Any) -> str:
    return "," if isinstance(value, int) else ",.2f"


def _cells(row: RowDict) -> list[str]:
    told = _text(row.get("published_setting") or "")
    figures = ", ".join(_pairs(row.get("published"), _figure))
    return [
        _words(": ".join(filter(None, [row["exercise"], row.get("model")]))),
        ROLES[_role(row)],
        _setting(row),
        ", ".join(_pairs(row.get("ours"), _figure)) or _NOTHING,
        "; ".join(filter(None, [figures, told])) or _NOTHING,
        _number(row.get("parameters"), ","),
        _number(row.get("seconds"), ",.1f"),
    ]


def _role(row: RowDict) -> str:
    return row["role"] if row.get("role") in ROLES else "other"


def _pairs(values: Any, shown: Callable[[Any], str]) -> list[str]:
    """Return ``"exact match 0.9312"`` for each entry; the whole, if it has none."""
    if isinstance(values, Mapping):
        return [f"{_words(name)} {shown(value)}" for name, value in values.items()]
    return [] if values is None else [shown(values)]


def _figure(value: Any) -> str:
    return _number(value, "," if isinstance(value, int) else ".4f")


def _number(value: Any, form: str) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _text(value)
    return format(value, form)


def _run(row: RowDict) -> str:
    """Return when and on what a row was run, as a sentence."""
    told = row.get("machine")
    if not isinstance(told, Mapping):
        return ""
    day = str(row.get("time", ""))[:10]
    machine = ", ".join(f"{_words(name)} {_text(told[name])}" for name in sorted(told))
    return f"Run{' ' + day if day else ''} on: {machine}."


def _words(name: Any) -> str:
    return _text(str(name).replace("_", " "))


def _text(value: Any) -> str:
    """Return a value as it may stand in a cell of a Markdown table."""
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = " ".join(str(value).split())
    for sign in "\\|*_<`":
        text = text.replace(sign, f"\\{sign}")
    return text
