"""German captions into English ones: a row of figures for each model.

Run ``python -m benchmarks.multi30k DATA [MODEL ...]``, DATA the folder with Multi30k's
``train``, ``val`` and ``test_2016_flickr`` as ``.de.gz`` and ``.en.gz``. Each model is
trained on the training captions, the weights of its best epoch on the validation
captions are kept, and BLEU is sacreBLEU's of lowercased texts. A row takes the place of
the model's old one in DIR/results.json as soon as it is there; DIR/results.md is made
from that file.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import keras
from sacrebleu.metrics import BLEU

from benchmarks.commands import plain_parser
from benchmarks.exercises import results
from benchmarks.exercises.__main__ import keep_models, show_progress
from benchmarks.exercises.training import timed_fit
from kseq2seq import Seq2SeqEstimator
from kseq2seq.batching import Batches
from kseq2seq.codec import SequenceCodec
from kseq2seq.datasets import load_pairs
from kseq2seq.estimators import PRESETS
from kseq2seq.persistence import check_can_write
from kseq2seq.tokenizers import WordTokenizer, get_tokenizer
from kseq2seq.training import MaskedCrossentropy

EXERCISE = "multi30k"
SEED = 0
Pairs = tuple[list[str], list[Any]]
"""Sources, and answers as texts or, backwards, as lists of words."""

_WORDS = {
    "source_tokenizer": "word",
    "target_tokenizer": "word",
    "lowercase": True,
    "min_frequency": 2,
}
_CLASS = {
    **_WORDS,
    "attention_kind": None,
    "bidirectional": False,
    "num_layers": 2,
    "units": 512,
    "embedding_dim": 256,
    "dropout": 0.5,
    "teacher_forcing": 0.5,
    "clip_norm": 1.0,
    "label_smoothing": 0.0,
    "batch_size": 128,
    "epochs": 10,
}
_CLASS_IN_WORDS = (
    "2 layers of 512, embeddings of 256, dropout 0.5 of embeddings and between layers, "
    "teacher forcing 0.5, Adam at 0.001, gradients clipped at 1, batches of 128, 10 "
    "epochs"
)


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is trained, and what was published of it.

    Attributes
    ----------
    setting : dict
        The estimator's parameters.
    role : str
        As in :class:`benchmarks.exercises.results.Row`.
    published : dict of str to float
    published_setting : str, optional
    answers_freely : bool
        Whether the best epoch is that with the lowest free-running validation loss, and
        the test loss is reported; else it is the one with the highest validation BLEU.
    answers_backwards : bool
        Whether answers are learned from their last word to the first.
    """

    setting: dict[str, Any]
    role: str = "published setting"
    published: dict[str, float] = field(default_factory=dict)
    published_setting: str | None = None
    answers_freely: bool = False
    answers_backwards: bool = False

    def estimator(self, callbacks: list[keras.callbacks.Callback]) -> Seq2SeqEstimator:
        """Return the estimator, not fitted."""
        setting = {**self.setting, "patience": self.setting["epochs"]}
        if self.answers_freely:  # as published: the rate does not fall
            setting |= {"optimizer": keras.optimizers.Adam(0.001), "patience": None}
        else:
            setting |= {"early_stopping_metric": "bleu", "beam_size": 1}
        return Seq2SeqEstimator(**setting, callbacks=callbacks, random_state=SEED)


_class_exercise = partial(Model, published_setting=_CLASS_IN_WORDS, answers_freely=True)
MODELS = {
    "rnn": _class_exercise(setting={**_CLASS, "cell": "rnn"}),
    "lstm": _class_exercise(
        setting={**_CLASS, "cell": "lstm"},
        published={"test_2016_bleu_greedy": 13.8, "test_loss_free_running": 3.84},
    ),
    "lstm, source reversed": _class_exercise(
        setting={**_CLASS, "cell": "lstm", "reverse_source": True}
    ),
    "lstm, source and answer reversed": _class_exercise(
        setting={**_CLASS, "cell": "lstm", "reverse_source": True},
        published={"test_loss_free_running": 4.036},
        answers_backwards=True,
    ),
    "bidirectional gru, additive attention": Model(
        setting={
            **_WORDS,
            "cell": "gru",
            "attention_kind": "additive",
            "attention_units": 1024,
            "encoder_units": 1024,
            "units": 512,
            "embedding_dim": 256,
            "dropout": 0.5,
            "learning_rate": 0.001,
            "ema_momentum": 0.998,
            "batch_size": 64,
            "epochs": 5,
        },
        published={"test_2016_bleu_greedy": 28.3},
        published_setting="20.5M parameters, bidirectional GRU of 512, decoder of 512, "
        "embeddings of 256, dropout 0.5",
    ),
    "translation": Model(
        setting=PRESETS["translation"],
        role="best",
        published={"test_2016_bleu": 36.5},
        published_setting="a transformer of 9M parameters",
    ),
}


class EpochSeconds(keras.callbacks.Callback):
    """Put into the history how long each epoch took, for a fit that goes on as well."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Note the time."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Hand the seconds on."""
        if logs is not None:
            logs["seconds"] = time.perf_counter() - self.start


class NothingBeforeLogits(keras.callbacks.Callback):
    """Leave the values before the logits whole, as the published models do.

    They drop embeddings and what is between the layers; `dropout` drops these as well.
    """

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Set the rate of that layer to 0, before the first step is compiled."""
        self.model.get_layer("decoder").get_layer("logits_dropout").rate = 0.0


class FreeRunningLoss(keras.callbacks.Callback):
    """Measure the validation loss where the decoder is fed its own best tokens."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measure, and hand it on to the callbacks that come later."""
        if logs is not None:
            logs["val_loss_free_running"] = loss_free_running(self.model, self.batches)


def loss_free_running(model: keras.Model, batches: Batches) -> float:
    """Return the mean loss of a token where the decoder never sees a gold one.

    Parameters
    ----------
    model : keras.Model
        Of :func:`kseq2seq.training.with_teacher_forcing`.
    batches : Batches
    """
    sampling = model.get_layer("scheduled_sampling")
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    forcing, loss = float(sampling.probability), MaskedCrossentropy()
    sampling.probability.assign(0.0)
    total = num_tokens = 0.0
    for i in range(len(batches)):
        inputs, targets, weights = batches[i]
        memory = encoder(inputs["source_ids"])
        memory = memory if isinstance(memory, list) else [memory]
        fed = sampling(inputs["decoder_input_ids"], memory, training=True)
        tokens = float(weights.sum())
        total += tokens * float(loss(targets, decoder([*memory, fed]), weights))
        num_tokens += tokens
    sampling.probability.assign(forcing)
    return total / num_tokens


def load(folder: Path) -> list[Pairs]:
    """Return the captions to train on, to validate on, and to measure on."""
    return [
        load_pairs(folder / f"{part}.de.gz", folder / f"{part}.en.gz")
        for part in ("train", "val", "test_2016_flickr")
    ]


class Texts:
    """The captions, and the ids of those that a loss is measured on.

    Parameters
    ----------
    folder : pathlib.Path
    model : Model
    """

    def __init__(self, folder: Path, model: Model) -> None:
        self.train, self.validation, self.test = (
            (X, [backwards(text) for text in y] if model.answers_backwards else y)
            for X, y in load(folder)
        )
        self._model = model

    @cached_property
    def _codecs(self) -> list[SequenceCodec]:
        """What the estimator learns from the training captions, too."""
        setting = self._model.setting
        how = {name: setting[name] for name in ("lowercase", "min_frequency")}
        codecs = [
            SequenceCodec.learn(
                "captions", texts, tokenizer=setting["source_tokenizer"], **how
            )[0]
            for texts in self.train
        ]
        codecs[0].reverse = setting.get("reverse_source", False)
        return codecs

    def batches(self, pairs: Pairs) -> Batches:
        """Return the pairs' ids in the vocabularies of the training captions."""
        sides = zip(self._codecs, pairs, strict=True)
        ids = [codec.encode(texts) for codec, texts in sides]
        return Batches(*ids, batch_size=128, num_buckets=8, shuffle=False)


def backwards(text: str) -> list[str]:
    """Return the words of a lowercased text from the last to the first."""
    return WordTokenizer().encode(text.lower())[::-1]


def as_text(answer: str | list[str]) -> str:
    """Return an answer as it is read, whichever way it was learned."""
    return answer if isinstance(answer, str) else WordTokenizer().decode(answer[::-1])


def run(name: str, folder: Path, checkpoints: Path | None) -> results.RowDict:
    """Train a model, or go on where its checkpoint is, and return its row."""
    model = MODELS[name]
    texts = Texts(folder, model)
    show_progress(name)
    estimator = model.estimator(_keep_the_best(model, texts))
    timed_fit(
        show_progress,
        estimator,
        *texts.train,
        validation_data=texts.validation,
        checkpoint=checkpoints and checkpoints / f"{'_'.join(name.split())}.kseq2seq",
    )
    figures: dict[str, Any] = {}
    if model.answers_freely:
        network = estimator.callbacks_[-1].model
        loss = loss_free_running(network, texts.batches(texts.test))
        figures["test_loss_free_running"] = loss
    for part, pairs in (("validation", texts.validation), ("test_2016", texts.test)):
        figures |= bleu_scores(estimator, part, pairs)
    epoch_seconds = estimator.history_["seconds"]
    num_epochs, seconds = len(epoch_seconds), sum(epoch_seconds)
    answers = texts.train[1]
    if not model.answers_backwards:
        answers = [*map(get_tokenizer(estimator.target_tokenizer_).encode, answers)]
    num_tokens = num_epochs * sum(len(answer) + 1 for answer in answers)
    return {
        "exercise": EXERCISE,
        "model": name,
        "role": model.role,
        "setting": model.setting,
        "published_setting": model.published_setting,
        "published": model.published,
        "parameters": estimator.models_.training.count_params(),
        "epochs": num_epochs,
        "seconds": seconds,
        "target_tokens_per_second": num_tokens / seconds,
        **figures,
        "machine": results.machine(),
        "time": results.now(),
    }


def _keep_the_best(model: Model, texts: Texts) -> list[keras.callbacks.Callback]:
    """Return callbacks that bring back the weights with the lowest loss at the end."""
    if not model.answers_freely:
        return [EpochSeconds()]  # the estimator keeps those with the highest BLEU
    best = keras.callbacks.EarlyStopping(
        "val_loss_free_running",
        mode="min",
        patience=model.setting["epochs"],
        restore_best_weights=True,
    )
    loss = FreeRunningLoss(texts.batches(texts.validation))
    return [NothingBeforeLogits(), loss, best, EpochSeconds()]


def bleu_scores(estimator: Seq2SeqEstimator, part: str, pairs: Pairs) -> dict[str, Any]:
    """Return BLEU, greedy and with a beam of 5, and what sacreBLEU says it measured."""
    X, y = pairs
    scorer, scores = BLEU(lowercase=True), {}
    for how, search in (
        ("greedy", {"beam_size": 1, "length_penalty": 0.0}),
        ("beam5", {"beam_size": 5, "length_penalty": 1.0}),
    ):
        answers = [*map(as_text, estimator.set_params(**search).predict(X))]
        references = [[*map(as_text, y)]]
        scores[f"{part}_bleu_{how}"] = scorer.corpus_score(answers, references).score
    show_progress(f"{part}: {scores}")
    for source, answer in list(zip(X, answers, strict=True))[:5]:
        show_progress(f"  {source} -> {answer}")
    return {**scores, "signature": str(scorer.get_signature())}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = plain_parser("multi30k", __doc__)
    parser.add_argument(
        "models", metavar="MODEL", nargs="*", help=f"default: all of {[*MODELS]}"
    )
    parser.add_argument(
        "--checkpoints",
        metavar="DIR",
        type=Path,
        help="a folder to write each model to after each epoch, and to go on from",
    )
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.models) - set(MODELS))
    if unknown:
        parser.error(f"unknown: {unknown}; expected some of {[*MODELS]}")
    try:
        results.check_can_keep(arguments.output)
        load(arguments.data)
        if arguments.checkpoints is not None:
            check_can_write(arguments.checkpoints / "checkpoint", overwrite=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for name in arguments.models or MODELS:
        row = run(name, arguments.data, arguments.checkpoints)
        keep_models(arguments.output, [row])
    print(arguments.output / results.TABLE_NAME)


if __name__ == "__main__":
    main()
