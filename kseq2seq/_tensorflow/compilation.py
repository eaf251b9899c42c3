"""Whether a process has room for one more program that XLA compiles.

TensorFlow keeps all that it has compiled for as long as the process lives, whoever
drops the functions. Each program lies in a thousand or more mappings of memory, and
LLVM ends the process, with no exception, where the system grants no further one.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import keras

_LIMIT = Path("/proc/sys/vm/max_map_count")
_MAPPINGS = Path("/proc/self/maps")
LARGEST_SHARE = 0.5
"""How much of what the system grants may be taken when a further program is compiled:
one of 24 shapes, and its twin that measures, take up to a third."""


def may_compile() -> bool:
    """Whether there is room to compile; warns where there is none.

    Systems other than Linux have no such bound, and other backends compile in their own
    way.
    """
    if keras.backend.backend() != "tensorflow":
        return True
    try:
        limit = int(_LIMIT.read_text())
        with _MAPPINGS.open() as mappings:
            taken = sum(1 for _ in mappings)
    except OSError:
        return True
    if taken <= LARGEST_SHARE * limit:
        return True
    warnings.warn(
        f"this process holds {taken:,} of the {limit:,} memory mappings that the "
        "system allows it, most of them of trainings and searches that were compiled; "
        "TensorFlow frees none of these. So nothing more is compiled here, and what is "
        "new is slower. To compile again, go on in a new process.",
        RuntimeWarning,
        stacklevel=2,
    )
    return False
