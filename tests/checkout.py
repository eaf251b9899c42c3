"""What of the checkout is tested and stays out of a wheel."""

import importlib.util
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def code_blocks(path):
    """Return the language and the code of each block of a page in Markdown."""
    text = path.read_text(encoding="utf-8")
    fence = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return fence.findall(text)


def load_benchmarks():
    """Make ``benchmarks`` importable, and nothing else of the checkout.

    With the checkout's root on the path, the tests would run on the sources in place of
    the installed package.
    """
    if "benchmarks" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "benchmarks", ROOT / "benchmarks" / "__init__.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["benchmarks"] = module
    spec.loader.exec_module(module)
