"""Models that answer, kept while they are in use."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import keras

MOST_MODELS = 16
"""The models of this many settings are kept, some MB each."""


class KeptModels:
    """Models by a key, each built once while it is in use.

    Those that were asked for last are kept. Threads wait for one that is built.
    """

    def __init__(self) -> None:
        self._models: OrderedDict[str, keras.Model] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, build: Callable[[], keras.Model]) -> keras.Model:
        """Return the model of a key, which `build` returns if it is not kept."""
        with self._lock:
            if key not in self._models:
                self._models[key] = build()
            self._models.move_to_end(key)
            if len(self._models) > MOST_MODELS:
                self._models.popitem(last=False)
            return self._models[key]

    def __len__(self) -> int:
        return len(self._models)
