"""Model files that lie, and what is answered to them.

Run ``python hostile.py FOLDER COUNT`` in ``tests`` (on Linux). Each file is shown by
``kseq2seq info``, loaded, asked, and where it is a checkpoint resumed from. Prints, as
JSON, for each kind of lie how many files were answered and how many refused, and of
all files the most memory (MiB beyond what the process had before) and the most seconds
that one took; and everything that was neither answered nor refused by an error of ours.
"""

import contextlib
import copy
import io
import json
import shutil
import struct
import sys
import time
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import keras
import numpy as np

from kseq2seq import (
    Seq2SeqEnsemble,
    Seq2SeqEstimator,
    SequenceClassifier,
    SequenceForecaster,
    SequenceRegressor,
    load,
)
from kseq2seq.cli import make_app

command = make_app("predict")
WORDS = ["ab", "ba", "abb", "a", "bb", "aab", "baa", "bab"]
LABELS = [len(word) for word in WORDS]
SMALL = {
    "units": 4,
    "embedding_dim": 3,
    "batch_size": 4,
    "validation_fraction": 0.25,
    "random_state": 0,
}
ODD = [
    *(None, True, False, 0, 1, -1, 2, 20_000, 2**31, 2**63, 10**40, -(10**40)),
    *(0.5, -0.5, 1e300, float("nan"), float("inf"), "", "a", "dot", "__import__", "é"),
    *("a" * 10_000, "\ud800", [], [0], ["a"], [[]], [None], [1e300], {}, {"a": 1}),
    *({"array": "weights"}, {"tokens": []}, {"items": [[]]}, {"class_name": "Dense"}),
]
SIZES = [0, 1, 3, 5, 64, 20_000, 10**6, 2**31 - 1, 2**40, 2**63 - 1]
CLASSES = [
    *("Dense", "Lambda", "Sequential", "SGD", "Adam", "Constant", "Zeros", "Identity"),
    *("RandomNormal", "LossScaleOptimizer", "CosineDecay", "os", "__numpy__"),
]
LAYER = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {"units": 10**9},
    "registered_name": None,
}
"""What no configuration of an optimizer or an initializer may hold."""


def interrupted(**parameters):
    """Return an estimator whose second epoch fails."""

    class Fails(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch:
                raise InterruptedError

    return resumed(callbacks=[Fails], **parameters)


def resumed(**parameters):
    """Return the estimator whose training the checkpoint holds."""
    rate = keras.optimizers.schedules.CosineDecay(0.01, 100)
    return Seq2SeqEstimator(
        **SMALL,
        epochs=2,
        optimizer=keras.optimizers.Adam(rate),
        kernel_initializer=keras.initializers.GlorotUniform(seed=3),
        **parameters,
    )


def valid(folder):
    """Write model files that are right, and return their paths by their names."""
    paths = {name: folder / f"{name}.kseq2seq" for name in ("texts", "classes")}
    paths["texts"].unlink(missing_ok=True)
    with contextlib.suppress(InterruptedError):
        interrupted().fit(WORDS, WORDS, checkpoint=paths["texts"])
    classifier = SequenceClassifier(**SMALL, epochs=1, class_weight={1: 1, 2: 2, 3: 1})
    pairs = [(word, ["x", word[0]]) for word in WORDS]
    classifier.fit(pairs, LABELS).save(paths["classes"], overwrite=True)
    subwords = Path(__file__).parent / "formats" / "1_subwords.kseq2seq"
    twice = [paths["texts"]] * 2
    paths["ensemble"] = folder / "ensemble.kseq2seq"
    Seq2SeqEnsemble.from_fitted(twice).save(paths["ensemble"], overwrite=True)
    paths["subwords"] = Path(shutil.copy(subwords, folder / "subwords.kseq2seq"))
    return paths | valid_of_values(folder)


def valid_of_values(folder):
    """Write model files of real values, with gaps, scales, covariates and all."""
    rng = np.random.default_rng(0)
    options = {"units": 3, "epochs": 1, "missing": "mask", "random_state": 0}
    X = [rng.normal(size=(4 + i % 2, 2)) for i in range(8)]
    X[0][1, 0] = np.nan
    regressor = SequenceRegressor(
        **options, scaling="window", quantiles=[0.1, 0.5, 0.9], n_estimators=2
    )
    regressor.fit(X, rng.normal(size=(8, 3, 1)))
    forecaster = SequenceForecaster(
        **options, horizon=2, history=4, season_lengths=[2], past_covariates=["1"]
    )
    series = [rng.normal(size=20 + i) for i in range(3)]
    beside = [rng.normal(size=(len(one), 2)) for one in series]
    forecaster.fit(series, beside, static=np.arange(3.0))
    return {
        name: estimator.save(folder / f"{name}.kseq2seq", overwrite=True)
        for name, estimator in (("values", regressor), ("series", forecaster))
    }


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(contents, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def places(value, place=()):
    """Yield the places of all values inside a JSON value; of lists, the ends."""
    if place:
        yield place
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*place, name))
    elif isinstance(value, list):
        for index in {0, len(value) - 1} & {*range(len(value))}:
            yield from places(value[index], (*place, index))


def inside(value, place):
    for step in place:
        value = value[step]
    return value


def replaced(value, place, new):
    """Return a JSON value with another one at a place."""
    value = copy.deepcopy(value)
    inside(value, place[:-1])[place[-1]] = new
    return value


def pick(rng, values):
    values = list(values)
    return values[rng.integers(len(values))]


def described(contents, description):
    return packed({**contents, "model.json": json.dumps(description)})


def odd_value(rng, contents):
    """Set a value of the description to another, or leave it out."""
    description = json.loads(contents["model.json"])
    place = pick(rng, places(description))
    if rng.random() < 0.05:
        del inside(description, place[:-1])[place[-1]]
        return described(contents, description)
    return described(contents, replaced(description, place, pick(rng, ODD)))


def odd_array(rng, contents):
    """Declare an array as it is not, or make it what nobody expects."""
    description = json.loads(contents["model.json"])
    name = pick(rng, description["arrays"])
    member = f"arrays/{name}.npy"
    array = np.load(io.BytesIO(contents[member]))
    kind = rng.integers(6)
    if kind < 2:  # the description lies, and perhaps the array's header with it
        shape = [int(pick(rng, SIZES)) for _ in range(rng.integers(4))]
        dtype = pick(
            rng, ["<f4", "<f8", "<i8", "|O", "<U9", "|V9", "<c16", array.dtype.str]
        )
        description["arrays"][name] = {"shape": shape, "dtype": dtype}
        if kind:
            header = {"descr": dtype, "fortran_order": False, "shape": tuple(shape)}
            buffer = io.BytesIO()
            np.lib.format.write_array_header_1_0(buffer, header)
            contents = {
                **contents,
                member: buffer.getvalue() + bytes(int(pick(rng, [0, 8, 4096]))),
            }
        return described(contents, description)
    if kind == 2:
        array = array.astype(pick(rng, ["<f2", "<f8", "<i4", ">f4", "?", "<c8", "<U8"]))
    elif kind == 3:
        array = np.asfortranarray(array).T
    elif kind == 4:
        array = np.full_like(array, pick(rng, [0, 1, 100]))
    else:
        array = np.zeros((*array.shape, int(pick(rng, [0, 2, 1000]))), array.dtype)
    buffer = io.BytesIO()
    np.save(buffer, array)
    description["arrays"][name] = {"shape": [*array.shape], "dtype": array.dtype.str}
    return described({**contents, member: buffer.getvalue()}, description)


def odd_size(rng, contents):
    """Ask for a model of another size, with arrays of zeros that seem to fit it."""
    description = json.loads(contents["model.json"])
    parameters = description["parameters"]
    whole = [name for name in parameters if type(parameters[name]) is int]
    for name in rng.choice(whole, rng.integers(1, 4)):
        before, after = parameters[name], int(pick(rng, SIZES))
        parameters[name] = after
        if rng.random() < 0.5 and before > 1:
            for array in description["arrays"].values():
                array["shape"] = [
                    size // before * after if size % before == 0 else size
                    for size in array["shape"]
                ]
    sides = [name for name in ("source", "target") if name in description]
    if sides and rng.random() < 0.3:
        side = pick(rng, sides)
        count = int(pick(rng, [100, 10_000, 300_000]))
        description[side]["tokens"] = [str(i) for i in range(count)]
    return described(contents, description)


def odd_directory(rng, contents):
    """Let the zip's own directory lie about a member."""
    content = bytearray(packed(contents))
    starts = [i for i in range(len(content)) if content[i : i + 4] == b"PK\1\2"]
    for start in rng.choice(starts, rng.integers(1, 3)):
        # Flags and method; check sum, packed and unpacked size; the member's place.
        offset, form = pick(
            rng, [(8, "<H"), (10, "<H"), (16, "<I"), (20, "<I"), (24, "<I"), (42, "<I")]
        )
        limit = 2 ** (8 * struct.calcsize(form))
        value = pick(rng, [0, 1, 8, 12, 99, 10**6, 2**31 - 1, 2**32 - 1]) % limit
        struct.pack_into(form, content, start + offset, value)
    return bytes(content)


def odd_bytes(rng, contents):
    """Cut, repeat or change bytes of the file."""
    content = packed(contents)
    cut = int(rng.integers(len(content)))
    changed = bytearray(content)
    for _ in range(rng.integers(1, 20)):
        changed[rng.integers(len(content))] = rng.integers(256)
    repeated = io.BytesIO(content)
    with zipfile.ZipFile(repeated, "a") as archive, warnings_off():
        archive.writestr(pick(rng, [*contents, "../../a", "a" * 60_000, "/"]), b"again")
    return pick(
        rng,
        [
            content[:cut],
            content[cut:],
            content + content,
            content[:cut] + rng.bytes(100) + content[cut:],
            bytes(changed),
            repeated.getvalue(),
            packed(contents, zipfile.ZIP_STORED),
            packed(contents, zipfile.ZIP_LZMA),
        ],
    )


@contextlib.contextmanager
def warnings_off():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def odd_json(rng, contents):
    """Describe the model by what is hard to read, or much of it."""
    text = contents["model.json"].decode()
    size = int(pick(rng, [10, 100_000, 3_000_000]))
    name = pick(rng, ["estimator", "history", "parameters", "source", "frozen", "a"])
    much = pick(
        rng,
        [
            "[" * size,
            "[" * size + "]" * size,
            "[" + "[]," * size + "[]]",
            '{"a":' * size + "1" + "}" * size,
            "[" + "0," * size + "0]",
            "[" + '"",' * size + '""]',
            "9" * size,
            "1e" + "9" * size,
            '"' + "a" * size + '"',
            '"' + "\\u0000" * size + '"',
            " " * size + "1",
        ],
    )
    whole = f'{text[:-1]}, "{name}": {much}}}'
    if rng.random() < 0.2:
        whole = pick(
            rng, [much, "﻿" + text, text[:-9], text * 2, text.replace(":", "=")]
        )
    with_arrays = packed({**contents, "model.json": whole})
    if rng.random() < 0.5:
        return with_arrays
    noise = rng.bytes(len(whole) // 50)  # so that it is not compressed too much
    return packed({**contents, "model.json": whole, "arrays/noise.npy": noise})


TOKENIZER_PARTS = [
    json.loads(part)
    for part in """
{"type": "Replace", "pattern": {"String": ""}, "content": "aaaaaaaaaaaaaaaaaaaaaaaa"}
{"type": "Replace", "pattern": {"Regex": "(a*)*b"}, "content": "c"}
{"type": "Prepend", "prepend": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
{"type": "Prepend", "prepend": "aaaaaaaaaaaaaaa"}
{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}
{"type": "Precompiled", "precompiled_charsmap": "AAAA"}
{"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}
{"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": 0}
{"strategy": {"Fixed": 1099511627776}, "direction": "Right", "pad_id": 0}
{"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": 1099511627776}
{"max_length": 1, "strategy": "LongestFirst", "stride": 1152921504, "direction": "Left"}
[{"id": 0, "content": "", "lstrip": true, "rstrip": true, "special": true}]
[{"id": 2147483647, "content": "a", "normalized": true, "special": false}]
""".strip().splitlines()
]


def odd_tokenizer(rng, contents):
    """Put what loops, pads or is none into the subword tokenizer of a model."""
    description = json.loads(contents["model.json"])
    tokenizer = json.loads(description["source"]["tokenizer"]["tokenizers"])
    kind = rng.integers(4)
    if kind == 0:
        tokenizer = replaced(tokenizer, pick(rng, places(tokenizer)), pick(rng, ODD))
    elif kind == 1:
        part = pick(rng, TOKENIZER_PARTS)
        for _ in range(rng.integers(1, 5)):
            name = pick(rng, ["normalizers", "pretokenizers", "decoders", "processors"])
            if rng.random() < 0.5:
                part = {"type": "Sequence", name: [part] * int(pick(rng, [1, 2, 9]))}
        tokenizer[pick(rng, tokenizer)] = part
    elif kind == 2:
        place = pick(rng, places(tokenizer))
        tokenizer = replaced(
            tokenizer, place, inside(tokenizer, pick(rng, places(tokenizer)))
        )
    else:
        vocabulary = tokenizer["model"]["vocab"]
        for token in rng.choice([*vocabulary], 5):
            vocabulary[str(token)] = int(pick(rng, SIZES))
    described_so = json.dumps(tokenizer)
    if rng.random() < 0.1:
        described_so = described_so[: rng.integers(len(described_so))]
    description["source"]["tokenizer"] = {"tokenizers": described_so}
    return described(contents, description)


def odd_object(rng, contents):
    """Put another class, or another configuration, where Keras makes an object."""
    description = json.loads(contents["model.json"])
    names = [
        name
        for name in description["parameters"]
        if name.endswith("initializer") or name == "optimizer"
    ]
    name = pick(rng, names)
    config = pick(
        rng,
        [
            *({}, {"units": 10**9}, {"function": "os.system"}, {"value": [[1e30]]}),
            *({"learning_rate": value} for value in ODD),
            *({"stddev": value} for value in ODD),
            {"learning_rate": LAYER},
            {
                "value": {
                    "class_name": "__numpy__",
                    "config": {"value": [1] * 9, "dtype": "float32"},
                }
            },
        ],
    )
    made = {"class_name": pick(rng, CLASSES), "config": config}
    kind = name if name == "optimizer" else "initializer"
    if rng.random() < 0.3:
        made |= {"module": pick(rng, ["keras.layers", "os"]), "registered_name": "a>b"}
    value = pick(rng, [{kind: made}, {kind: made}, made, {"optimizer": made}])
    description["parameters"][name] = value
    return described(contents, description)


KINDS = {
    "values": odd_value,
    "arrays": odd_array,
    "sizes": odd_size,
    "directories": odd_directory,
    "bytes": odd_bytes,
    "json": odd_json,
    "tokenizers": odd_tokenizer,
    "objects": odd_object,
}
SHARES = [0.4, *[0.15] * 2, *[0.06] * 5]


def hostile(paths, count, seed):
    """Yield this many hostile files: the kind, the name of the valid one, its bytes."""
    rng = np.random.default_rng(seed)
    for kind in rng.choice([*KINDS], count, p=SHARES):
        yield str(kind), *next(of_kind(kind, paths, 1, rng))


def of_kind(kind, paths, count, seed):
    """Yield hostile files of a kind: the name of the valid one, and the bytes."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        name = "subwords" if kind == "tokenizers" else pick(rng, paths)
        yield name, KINDS[kind](rng, members(paths[name]))


def meet(path, name):
    """Show, load, ask and resume from a file; return whether it was all answered.

    Errors that are not ours go to the caller.
    """
    answered = True
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings_off(),
    ):
        try:
            command(["info", str(path)], standalone_mode=False)
            estimator = load(path)
            ask(estimator)
        except (ValueError, OSError):
            answered = False
        if name == "texts":
            try:
                resumed().fit(WORDS, WORDS, checkpoint=path)
            except (ValueError, OSError):
                answered = False
    return answered


def ask(estimator):
    """Have a model answer what is of the kind that it learned."""
    if isinstance(estimator, SequenceForecaster):
        estimator.predict(
            [np.arange(9.0)],
            [np.zeros((9 + estimator.horizon, 2))],
            static=np.ones(1),
        )
    elif isinstance(estimator, SequenceRegressor):
        estimator.predict([np.zeros((4, 2))])
    else:
        estimator.predict(questions(estimator))


def questions(estimator):
    """Return sources of the kind that a model learned."""
    estimator = getattr(estimator, "estimators_", [estimator])[0]
    if estimator._source.features is not None:
        return [("ab", ["x"]), ("one two", [])]
    if estimator._source.kind == "text":
        return ["ab", "one two"]
    return [[1, 2, 3], [2, 1, 0]]


def resident(field):
    """Return the process's memory as Linux tells it, in MiB."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def main(folder, count, seed=0):
    """Meet hostile files, and print what came of it."""
    folder = Path(folder)
    paths = valid(folder)
    for name, path in paths.items():  # what a good load takes, once
        assert meet(shutil.copy(path, folder / "good"), name), name
    found, neither, memory, seconds = Counter(), [], [], []
    for number, (kind, name, content) in enumerate(
        hostile(paths, int(count), int(seed))
    ):
        path = folder / f"{number:05}.kseq2seq"
        path.write_bytes(content)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
        before, began = resident("VmRSS"), time.perf_counter()
        try:
            found[kind, "answered" if meet(path, name) else "refused"] += 1
        except (Exception, SystemExit) as error:
            neither.append(
                [number, kind, name, f"{type(error).__name__}: {error!s:.200}"]
            )
        seconds.append((round(time.perf_counter() - began, 2), number, kind))
        memory.append((round(resident("VmHWM") - before, 1), number, kind))
        worst = memory[-1][0] > 300 or seconds[-1][0] > 5
        if not worst and not (neither and neither[-1][0] == number):
            path.unlink()
    counts = {f"{kind} {how}": number for (kind, how), number in sorted(found.items())}
    result = {
        "counts": counts,
        "most_mib": sorted(memory)[-5:],
        "most_seconds": sorted(seconds)[-5:],
        "neither": neither,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
