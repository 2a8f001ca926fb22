"""Files that say the same in other words, each made from its seed: its graph is the base case's, or it is refused.

Rewritings are those of people's programs: residues under the names of a dialect, columns beside their places, chains of
two letters, second locations of atoms under labels of all kinds.
"""

import random
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np

from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.graph.interface_graph import GraphArrays

from .cases import Pipeline, Source, explained

_DIALECTS = (
    {"HIS": "HID HIE HIP", "CYS": "CYX CYM", "ASP": "ASH ASP", "GLU": "GLH GLU", "LYS": "LYN LYS"},
    {"HIS": "HSD HSE HSP", "LYS": "LSN LYS", "ASP": "ASPP ASP", "GLU": "GLUP GLU"},
    {"HIS": "HISA HISB HISH HISD HISE HIS1 HIS2", "LYS": "LYSH LYSN", "ARG": "ARGN ARG", "ASP": "ASPH ASP",
     "GLU": "GLUH GLU", "CYS": "CYSH CYS1 CYS2 CYM2", "TYR": "TYRU", "TRP": "TRPU"},
    {"CYS": "CYD CYZ CYS"},
    {"ARG": "ARN ARG", "LYS": "LYN", "CYS": "CYT", "TYR": "TYO TYR"},
    {name: f"N{name} C{name} {name}" for name in ("ALA", "GLY", "SER", "VAL", "LYS")},
)  # fmt: skip

Lines = list[str]


def rewritten(seed: int, sources: list[Source]) -> tuple[Source, str, bytes, Chains | ChainRule, Chains | ChainRule]:
    """The source, a file name, the content, the chains to ask for in the source, and those in the content."""
    rng = random.Random(seed)
    source = rng.choice([source for source in sources if source.name.endswith(".pdb")])
    lines, chains = source.text.decode().splitlines(), source.chains
    chosen = list(dict.fromkeys(rng.sample(_REWRITINGS, rng.choice((1, 1, 2)))))
    if any(pair <= {*chosen} for pair in _NOT_BOTH):
        chosen = chosen[:1]
    for rewrite in chosen:
        lines, chains = rewrite(rng, lines, chains)
    is_stated = rng.random() < 0.5
    content = ("\n".join(lines) + "\n").encode()
    asked = (source.chains, chains) if is_stated else (ChainRule(), ChainRule())
    return source, source.name, content, *asked


def _in_dialect(rng: random.Random, lines: Lines, chains: Chains) -> tuple[Lines, Chains]:
    names, column, record = rng.choice(_DIALECTS), rng.choice((16, 17)), rng.choice(("ATOM  ", "HETATM"))
    chosen: dict[str, str] = {}

    def renamed(line: str) -> str:
        if not line.startswith("ATOM") or line[17:20] not in names or line[20] != " " or line[16] != " ":
            return line
        name = chosen.setdefault(line[17:27], rng.choice(names[line[17:20]].split()))
        line = line if name == line[17:20] else record + line[6:]
        return line[:16] + (f" {name} " if len(name) == 3 else name.rjust(4 + column - 16).ljust(5)) + line[21:]

    return [renamed(line) for line in lines], chains


def _carbons(rng: random.Random, lines: Lines, chains: Chains) -> tuple[Lines, Chains]:
    return [re.sub(r" CD1(.ILE)", r" CD \1", line) for line in lines], chains


def _shifted(rng: random.Random, lines: Lines, chains: Chains) -> tuple[Lines, Chains]:
    """A column more or less at some place, in all lines."""
    place, is_more = rng.choice((6, 11, 12, 17, 20, 22, 26, 27, 30)), rng.random() < 0.5

    def shifted(line: str) -> str:
        if not line.startswith(("ATOM", "HETATM")):
            return line
        return line[:place] + " " + line[place:] if is_more else line[:place] + line[place + 1 :]

    return [shifted(line) for line in lines], chains


def _names_beside(rng: random.Random, lines: Lines, chains: Chains) -> tuple[Lines, Chains]:
    place = rng.choice((16, 18))
    return [
        line[:16] + line[17:20].rjust(3 + place - 16).ljust(5) + line[21:]
        if line.startswith("ATOM") and line[16] == line[20] == " "
        else line
        for line in lines
    ], chains


def _two_letters(rng: random.Random, lines: Lines, chains: Chains) -> tuple[Lines, Chains]:
    """Chains HA, NA, 2A …: first letters as names of four letters have them."""
    old = dict.fromkeys(line[21] for line in lines if line.startswith(("ATOM", "HETATM")) and line[20] == " ")
    new = {name: first + rng.choice("ABH") for name, first in zip(old, rng.sample("HNBADP12", len(old)), strict=True)}
    lines = [
        line[:20] + new[line[21]] + line[22:]
        if line.startswith(("ATOM", "HETATM", "TER")) and line[20:22].strip() in new
        else line
        for line in lines
    ]
    return lines, replace(
        chains,
        heavy=new.get(chains.heavy, chains.heavy),
        light=new.get(chains.light, chains.light),
        antigen=tuple(new.get(name, name) for name in chains.antigen),
    )


def _large_numbers(rng: random.Random, lines: Lines, chains: Chains) -> tuple[Lines, Chains]:
    by = rng.choice((900, 9900, 9990, 20000))
    return [
        line[:22] + f"{int(line[22:26]) + by:4d}{line[26]}"[:5].ljust(5) + line[27:]
        if line.startswith(("ATOM", "HETATM")) and line[22:26].strip().isdecimal() and (line[26] == " " or by == 900)
        else line
        for line in lines
    ], chains


def _locations(rng: random.Random, lines: Lines, chains: Chains) -> tuple[Lines, Chains]:
    """Second, less occupied locations of some residues, of their own type or as another one's, before or behind."""
    labels = rng.choice((" B", "B ", "AB", "BA", "12", "ab", "  "))
    is_tie = labels in (" B", "AB", "12", "ab", "  ") and rng.random() < 0.3
    own, other = ("  0.50", "  0.50") if is_tie else ("  0.60", "  0.40")
    is_ahead, is_by_atom = not is_tie and labels != "  " and rng.random() < 0.3, rng.random() < 0.5
    name = "ALA" if not is_by_atom and rng.random() < 0.3 else ""
    atoms = [line for line in lines if line.startswith("ATOM") and line[16] == line[20] == " "]
    chosen = set(rng.sample(sorted({line[17:27] for line in atoms}), 12))
    result, seconds, residue = [], [], ""
    for line in [*lines, ""]:
        if seconds and line[17:27] != residue:
            result += seconds
            seconds = []
        if line not in atoms or line[17:27] not in chosen:
            result.append(line)
            continue
        residue = line[17:27]
        first = line[:16] + labels[0] + line[17:54] + own + line[60:]
        if name and line[12:16].strip() not in ("N", "CA", "C", "O", "CB"):
            result.append(first)
            continue
        moved = f"{float(line[30:38]) + rng.choice((-0.6, 0.6)):8.3f}"
        second = line[:16] + labels[1] + (name or line[17:20]) + line[20:30] + moved + line[38:54] + other + line[60:]
        if is_by_atom:
            result += [second, first] if is_ahead else [first, second]
        else:
            result.append(first)
            seconds.append(second)
    return result[:-1], chains


_REWRITINGS: tuple[Callable, ...] = (
    _in_dialect, _in_dialect, _carbons, _shifted, _names_beside, _two_letters, _large_numbers, _locations, _locations,
)  # fmt: skip
#: Together they cut digits or labels off, or need a name of four letters beside a chain of two: nothing says the same.
_NOT_BOTH = (
    {_shifted, _large_numbers}, {_shifted, _names_beside}, {_in_dialect, _two_letters}, {_shifted, _locations},
    {_names_beside, _locations}, {_two_letters, _locations},
)  # fmt: skip


class Comparison:
    """Graphs of rewritten files beside those of their sources, which are built once."""

    def __init__(self, pipeline: Pipeline, folder: Path):
        self._pipeline, self._folder, self._graphs = pipeline, folder, {}

    def outcomes(self, seed: int, sources: list[Source]) -> list[str]:
        """What became of a rewritten file: ``same``, a reason, or ``crash`` and what is wrong."""
        source, name, content, base_chains, chains = rewritten(seed, sources)
        key = source.name, isinstance(base_chains, Chains)
        if key not in self._graphs:
            ((self._graphs[key], _),) = self._built(source.name, source.text, base_chains)
        result = []
        for graph, outcome in self._built(name, content, chains):
            if graph is None:
                result.append(outcome)
            else:
                result.append("same" if _equal(graph, self._graphs[key]) else "crash: another graph than the source's")
        return result

    def _built(self, name: str, content: bytes, chains: Chains | ChainRule):
        path = self._folder / name
        path.write_bytes(content)
        return self._pipeline.built(path, chains)


def is_kept(outcomes: list[str]) -> bool:
    """Whether every model has the source's graph or a reason."""
    return explained(outcomes) and not any(outcome.startswith("crash") for outcome in outcomes)


def _equal(one: GraphArrays, other: GraphArrays) -> bool:
    """Whether all numbers are equal, but for serial numbers and those that residues have in the file."""
    others = ("serial", "author_number")
    pairs = [(f.name, getattr(one, f.name), getattr(other, f.name)) for f in fields(one)]
    return all(_equal(a, b) if is_dataclass(a) else name in others or np.array_equal(a, b) for name, a, b in pairs)
