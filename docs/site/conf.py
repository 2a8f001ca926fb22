"""Sphinx's settings of the site that `make docs` builds."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pages

import stagea_mpi

project = "stagea_mpi"
release = stagea_mpi.__version__
html_title = f"{project} {release}"

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc"]

# Pages. Notebooks are executed by `make tutorial`, and by the tests.
nb_execution_mode = "off"
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
smartquotes_action = "qe"  # two hyphens begin an option
highlight_language = "text"
highlight_options = {"python": {"stripnl": True}}  # doctests end with a blank line

# The reference. Members stand beside their class, so that numpydoc need not list them.
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
numpydoc_show_class_members = False
# A name in backticks is code, and a link where it is one of this reference.
default_role = "py:obj"

# A link into the package has to lead somewhere. Other libraries have sites of their own, which no build asks.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!stagea_mpi\.).*")]

html_theme = "furo"
html_static_path = [str(Path(__file__).with_name("style.css"))]
html_css_files = ["style.css"]
html_copy_source = False
html_show_copyright = False


def setup(app):
    app.connect("config-inited", lambda app, config: pages.gather(Path(app.srcdir)))
