"""Brings the notebooks to the site, and a picture of each for the gallery."""

import base64
import json
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError


def copy_notebooks(app: Sphinx) -> None:
    """Write ``notebooks/NAME.ipynb`` and ``notebooks/NAME.png`` among the pages.

    The picture is the one with the most in it: the largest file.
    """
    folder = Path(app.srcdir) / "notebooks"
    folder.mkdir(exist_ok=True)
    for path in (Path(app.srcdir).parent / "notebooks").glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        pictures = [
            "".join(output["data"]["image/png"])
            for cell in json.loads(text)["cells"]
            for output in cell.get("outputs", [])
            if "image/png" in output.get("data", {})
        ]
        if not pictures:
            raise ExtensionError(f"{path} keeps no picture; run all its cells.")
        picture = base64.b64decode(max(pictures, key=len))
        (folder / f"{path.stem}.png").write_bytes(picture)
        # Their links to pictures among the pages start one folder further up.
        (folder / path.name).write_text(text.replace("../docs/", "../"), "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Have it done before pages are looked for."""
    app.connect("builder-inited", copy_notebooks)
    return {"parallel_read_safe": True}
