"""AlphaFold 3: folders of the program, and archives of its server."""

import re

from .beside import Beside
from .layout import Layout, Place, Scores


def _place(path: str, root: str) -> Place | None:
    raise NotImplementedError


def _scores(beside: Beside, path: str) -> Scores:
    raise NotImplementedError


LAYOUT = Layout(
    name="alphafold3",
    program="AlphaFold 3",
    words=("_sample-", "summary_confidences"),
    evidence=re.compile(r"(?:^|/)seed-\d+_sample-\d+/|summary_confidences(?:_\d+)?\.json"),
    place=_place,
    scores=_scores,
    has_plddt=True,
)
