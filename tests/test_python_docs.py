"""What README.md and the pages in `docs` show of Python, tried."""

import dataclasses

import pytest
from page_examples import assert_examples_print_what_they_show, run_alone, write_predicted_run
from shipped import FAB_CHAINS

from stagea_mpi.config.references import parse_reference
from stagea_mpi.config.run_config import RunConfig
from stagea_mpi.demo.poses import COMPLEXES, write_complex, write_poses

pytestmark = pytest.mark.slow


def test_the_examples_print_what_the_docs_say(tmp_path):
    write_poses(tmp_path / "demo" / "poses", COMPLEXES["7DAA"], 16)  # each is the same however many there are
    write_predicted_run(tmp_path)
    native = write_complex(tmp_path / "native.pdb", COMPLEXES["7DAA"])
    scored = RunConfig(tmp_path / "scored", tmp_path / "demo" / "poses", FAB_CHAINS, collect_metrics=False)
    run_alone(dataclasses.replace(scored, reference=parse_reference(str(native), "reference")))
    pages = ("README.md", "docs/python.md", "docs/predictors.md", "docs/targets.md")
    assert_examples_print_what_they_show(tmp_path, *pages)
