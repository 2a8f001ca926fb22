"""Chains that a file tells apart by segment identifiers only."""

import pytest
from made import changed, cif_of, entries_of, fv_lines, graph_of, read, refusal, same_graphs, write

from stagea_mpi.antibody.complexes import Chains, chain_names, merge_chains

_SEGMENTED = Chains("PROH", "PROL", ("PROA",))


def segmented(chain: str, name: str = "PRO{}") -> list[str]:
    return [changed(changed(line.ljust(80), 21, chain), 72, f"{name.format(line[21]):4s}") for line in fv_lines()]


@pytest.mark.parametrize("chain", ["P", "X", " "])
def test_segments_of_the_only_chain_are_chains(chain, tmp_path, plain):
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", segmented(chain)), _SEGMENTED), plain)
    short = [line.rstrip() for line in segmented(chain, "{}")]
    short = [line[:76].rstrip() for line in short]
    chains = Chains("H", "L", ("A",))
    assert same_graphs(graph_of(write(tmp_path / "y.pdb", short), chains), plain)
    from_one = [changed(line, 22, f"{int(line[22:26]) % 50:4d}") for line in segmented(chain)]
    assert same_graphs(graph_of(write(tmp_path / "z.pdb", from_one), _SEGMENTED), plain)


@pytest.mark.parametrize("place", [72, 75])
def test_segments_may_differ_in_any_letter(place, tmp_path, plain):
    lines = [changed(changed(line.ljust(80), 21, "P"), 72, "PPPP") for line in fv_lines()]
    lines = [changed(line, place, own[21]) for line, own in zip(lines, fv_lines(), strict=True)]
    names = [changed("PPPP", place - 72, letter) for letter in "HLA"]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines), Chains(names[0], names[1], (names[2],))), plain)


def test_a_stated_chain_that_is_the_only_one_is_missing_and_its_segments_are_named(tmp_path):
    path = write(tmp_path / "x.pdb", segmented("P"))
    failure = refusal(merge_chains, read(path), Chains("P", None, ("PROA",)), path)
    assert failure.reason == "chain_missing"
    assert "PROA, PROH, PROL (segments: all amino acids are in chain P" in str(failure)
    (entry,) = entries_of(path, Chains("P", "P", ("P",)))
    assert (entry.failure.reason, "segments" in str(entry.failure)) == ("chain_missing", True)


@pytest.mark.parametrize(
    "change",
    [
        lambda k, line: line.ljust(72) + "PROT",
        lambda k, line: line[:66].ljust(72) + f"1VFB{k % 10000:4d}",
        lambda k, line: line[:66].ljust(72) + f"    {k % 10000:4d}",
        lambda k, line: line[:66].ljust(72) + f"{k:8d}",
        lambda k, line: changed(line.ljust(80), 72, f"{k % 10000:4d}"),
    ],
    ids=["one", "entry and line", "line", "long line", "line before the element"],
)
def test_what_else_stands_there_makes_no_chains(change, tmp_path):
    lines = [change(k, changed(line, 21, "P")) for k, line in enumerate(fv_lines(), 1)]
    table = read(write(tmp_path / "x.pdb", lines))
    assert (chain_names(table), table.shared_chain) == (["P"], None)


def test_segments_of_chains_that_have_names_change_nothing(tmp_path, plain):
    lines = [changed(line.ljust(80), 72, f"S{int(line[22:26]) // 50:03d}") for line in fv_lines()]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


def test_segments_of_waters_and_ions_alone_change_nothing(tmp_path):
    lines = [changed(changed(line.ljust(80), 21, "P"), 72, "PROT") for line in fv_lines()]
    solvent = [
        changed(changed(changed(line, 17, name), 72, f"{name}1"), 12, " O  ")
        for name, line in zip(["HOH", " NA"] * 20, lines[::50], strict=False)
    ]
    assert read(write(tmp_path / "x.pdb", [*lines, *solvent])).shared_chain is None


def test_in_mmcif_labels_tell_apart_what_authors_call_one_chain(tmp_path, plain):
    content = cif_of(fv_lines()).splitlines()
    rows = [line.rsplit(b" ", 2)[0] + b" P 1" if line.startswith(b"ATOM") else line for line in content]
    (tmp_path / "x.cif").write_bytes(b"\n".join(rows) + b"\n")
    assert same_graphs(graph_of(str(tmp_path / "x.cif")), plain)
    assert read(str(tmp_path / "x.cif")).shared_chain == "P"
