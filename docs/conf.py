"""How Sphinx makes the site: ``sphinx-build -W docs FOLDER``."""

import sys
from pathlib import Path

import kseq2seq

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "kseq2seq"
author = "The kseq2seq developers"
copyright = author
version = release = kseq2seq.__version__
extensions = [
    "myst_nb",
    "gallery",
    "parameters",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_design",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]

autosummary_context = {"top_level": kseq2seq.__all__}
autodoc_inherit_docstrings = False  # what Keras and scikit-learn say stands there
autodoc_typehints = "none"  # the docstrings have types, shapes and ranges
autodoc_member_order = "groupwise"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
default_role = "code"
smartquotes = False  # sentences hold names and values of Python

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the outputs that are kept are of a run of this code
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]

html_theme = "pydata_sphinx_theme"
html_title = "kseq2seq"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "navigation_with_keys": False,
}
