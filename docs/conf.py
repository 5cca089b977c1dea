"""The settings of the documentation site: `sphinx-build -W docs docs/_build/html`.

Pages of the reference, the gallery and the results are written to `docs/generated` before anything is read.
"""

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from _site import pages  # noqa: E402

import jaxnas  # noqa: E402

for name in jaxnas._MODULES:
    sys.modules.setdefault(f"jaxnas.{name}", getattr(jaxnas, name))  # as users call them

project, author, copyright = "jaxnas", "The jaxnas authors", "2026, the jaxnas authors"
version = release = jaxnas.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_design"]
exclude_patterns = ["_build", "_site"]
default_role = "code"
nitpicky = False
suppress_warnings = [
    "myst-nb.lexer",  # without execution, notebooks do not name their language
    "ref.python",  # Sphinx looks up each attribute of a class among those of all classes
]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = os.environ.get("JAXNAS_LESSONS", "cache")  # "off" builds the site without running the lessons
nb_execution_timeout = 240
nb_execution_raise_on_error = True
nb_execution_cache_path = str(HERE / "_build" / "lessons")
nb_ipywidgets_js = {}  # nothing from another server

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
python_maximum_signature_line_length = 90
viewcode_line_numbers = False

html_theme = "furo"
html_title = "jaxnas"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}


def _skip(app, what, name, member, skip, options):
    """Leaves out the fields of named tuples, which their class describes."""
    return True if "Alias for field number" in (getattr(member, "__doc__", None) or "") else skip


def _linked(app, what, name, member, options, lines):
    """Makes links of the pages that docstrings name."""
    lines[:] = [re.sub(r"`?\bdocs/(\w+)\.md`?", r":doc:`/\1`", line) for line in lines]


def setup(app):
    app.connect("builder-inited", lambda app: pages.write(HERE / "generated"))
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _linked)
