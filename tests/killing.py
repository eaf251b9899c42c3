"""Train in processes that are killed, one after the other, until one gets to the end.

Run ``python killing.py FOLDER KILLS``. Each process goes on from the checkpoint in the
folder. Prints, as JSON, for each kill how many epochs had ended and how many of them
the checkpoint had; whether the weights at the end are those of a training that nobody
killed; and what the folder then holds.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import keras
import tensorflow  # noqa: F401 - so that no process that is forked imports it again

from kseq2seq import Seq2SeqEstimator, load
from kseq2seq.estimators.checkpoint_file import Progress

WORDS = ["ab", "ba", "abb", "a", "bb", "aab"] * 8
EPOCHS = 130


class Tell(keras.callbacks.Callback):
    """Write the number of each epoch that has begun to a pipe."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe = pipe

    def on_epoch_begin(self, epoch, logs=None):
        os.write(self.pipe, b"%d\n" % epoch)


def train(pipe, checkpoint):
    estimator = Seq2SeqEstimator(
        units=4,
        attention_kind=None,
        bidirectional=False,
        validation_fraction=0.0,  # a kill costs what is traced before the first epoch
        epochs=EPOCHS,
        batch_size=16,
        patience=None,
        callbacks=[lambda: Tell(pipe)],
        random_state=0,
    )
    estimator.fit(WORDS, [word[::-1] for word in WORDS], checkpoint=checkpoint)
    estimator.save(checkpoint.with_suffix(".end"))


def fork(checkpoint):
    """Return the id of a process that trains, and the pipe that it tells."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, os.fdopen(reading)
    code = 1
    try:
        train(writing, checkpoint)
        code = 0
    finally:
        os._exit(code)


def kill_some(checkpoint, kills):
    """Kill this many processes, each at some moment of some epoch."""
    rng = random.Random(0)
    for _ in range(kills):
        process, told = fork(checkpoint)
        for _ in range(rng.randint(1, 6)):
            begun = int(told.readline())
        time.sleep(rng.uniform(0, 0.06))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        ended = int([begun, *told.read().split()][-1])  # before the one that began last
        told.close()
        yield {"ended": ended, "kept": Progress.of(checkpoint).epochs}


def finish(checkpoint):
    """Train to the end."""
    process, told = fork(checkpoint)
    told.read()
    _, status = os.waitpid(process, 0)
    assert status == 0


def main(folder, kills):
    checkpoint = Path(folder) / "killed.kseq2seq"
    killed = list(kill_some(checkpoint, int(kills)))
    finish(checkpoint)
    finish(Path(folder) / "whole.kseq2seq")
    # Loading comes last: it makes models in this process, which then must not fork.
    ended, whole = (load(Path(folder) / f"{name}.end") for name in ("killed", "whole"))
    same = all(
        (one == other).all()
        for one, other in zip(
            ended.models_.training.get_weights(),
            whole.models_.training.get_weights(),
            strict=True,
        )
    )
    files = sorted(path.name for path in Path(folder).iterdir())
    print(json.dumps({"killed": killed, "same": same, "files": files}))


if __name__ == "__main__":
    main(*sys.argv[1:])
