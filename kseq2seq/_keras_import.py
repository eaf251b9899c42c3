"""What Keras learns of when it is imported: all of our layers, models and losses."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_MODULES = ("generation", "training")
"""Between them they import every class that is registered with Keras."""


def register_with_keras() -> None:
    """Let Keras know our classes: now, or as soon as it is imported.

    ``keras.models.load_model`` then finds those of a ``.keras`` file, whichever of the
    two packages is imported first.
    """
    if "keras" in sys.modules:
        for name in _MODULES:
            importlib.import_module(f"kseq2seq.{name}")
    else:
        sys.meta_path.insert(0, _AfterKeras())


class _AfterKeras(MetaPathFinder):
    """Waits for the import of Keras, by whoever asks for it.

    Our own modules may ask for it, at their beginning: so it waits for the end of
    these, too, whose names the others will want. It finds modules as the others do.
    """

    def __init__(self) -> None:
        self._depth = 0

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return what the others find, told to call back, of Keras and our modules."""
        if fullname != "keras" and not fullname.startswith("kseq2seq."):
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                self._watch(spec.loader)
                return spec
        return None

    def _watch(self, loader: Any) -> None:
        """Let a loader count how deep it is in imports, and call back at their end."""
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def execute_and_register(module: ModuleType) -> None:
            del loader.exec_module  # it is the class's again
            self._depth += 1
            try:
                execute(module)
            finally:
                self._depth -= 1
            if not self._depth and "keras" in sys.modules and self in sys.meta_path:
                sys.meta_path.remove(self)
                register_with_keras()

        loader.exec_module = execute_and_register
