"""Fit on so many TensorFlow devices; print the history. Run with their number."""

import json
import sys
from contextlib import nullcontext

import tensorflow as tf

num_devices = int(sys.argv[1])
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * num_devices
)

import keras  # noqa: E402

from kseq2seq import Seq2SeqEstimator, SequenceClassifier  # noqa: E402
from kseq2seq.datasets import make_number_words  # noqa: E402

X, y = make_number_words(240, 1, 3, random_state=0)
SETTING = {
    "units": 16,
    "bidirectional": False,
    "dropout": 0.0,
    "optimizer": keras.optimizers.SGD(0.5),
    "clip_norm": None,
    "epochs": 2,
    "batch_size": 240,
    "validation_fraction": 0.0,
    "random_state": 0,
}
scope = nullcontext()
if num_devices > 1:
    names = [f"CPU:{i}" for i in range(num_devices)]
    scope = tf.distribute.MirroredStrategy(names).scope()
with scope:
    estimator = Seq2SeqEstimator(**SETTING).fit(X, y, validation_data=(X, y))
    classifier = SequenceClassifier(**SETTING)
    classifier.fit(X, [len(answer) % 2 for answer in y])
    refused = ""
    try:
        Seq2SeqEstimator(batch_size=15).fit(X, y)
    except ValueError as error:
        refused = str(error)
print(json.dumps([estimator.history_, classifier.history_, refused]))
print(json.dumps(estimator.predict(X[:5])))
