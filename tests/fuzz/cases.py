"""Mutated input files, each made from its seed, and what becomes of one: a graph, or a reason.

Mutations are those that files meet on their way: bytes that flip, lines that are lost, doubled or cut, fields with
something else in them, files that end early, containers around all that.
"""

import gzip
import io
import random
import tarfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import gemmi

from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.graph.clustering import cluster_two_depths
from stagea_mpi.graph.interface_graph import GraphArrays
from stagea_mpi.inputs import FileNames
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.build_shard import build_model
from stagea_mpi.pipeline.inventory import list_shard, with_domains
from stagea_mpi.pipeline.shared_numbering import Numbering

#: Seconds after which a model fails.
TIME_LIMIT = 30.0

#: A text larger than this is not doubled: a case of a thousand models takes long and shows nothing new.
_MOST_BYTES = 1_000_000

_STRANGE = (
    b"", b" ", b"nan", b"NaN", b"inf", b"-inf", b"****", b"********", b"99999", b"-9999", b"0", b"1e9", b"9999.999",
    b"-999.999", b"0.000", b"1.2.3", b"abc", b"?", b".", b"\x00", b"\xff\xfe", "é".encode(), b"'", b'"', b"\t",
    b"A000", b"zzzz", b"A", b"*", b"loop_", b"data_x", b"#", b"_atom_site.id", b"MODEL", b"END", b"TER", b"ENDMDL",
    b"HETATM", b"UNK", b"MSE", b"HOH", b"GLY",
)  # fmt: skip
#: First and last + 1 column of the fields of an ATOM line, counted from 0.
_COLUMNS = (
    (0, 6), (6, 11), (12, 16), (16, 17), (17, 20), (21, 22), (22, 26), (26, 27), (30, 38), (38, 46), (46, 54), (54, 60),
    (60, 66), (76, 78), (78, 80),
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A file to mutate: its name, its text, and chains that are right for it."""

    name: str
    text: bytes
    chains: Chains


def shipped_sources() -> list[Source]:
    """The shipped complexes without what is far from the interface, as PDB and as mmCIF."""
    folder = resources.files("stagea_mpi") / "data" / "structures"
    fab = gemmi.read_pdb_string(gzip.decompress((folder / "7DAA_model.pdb.gz").read_bytes()))
    for name, last in (("H", 112), ("L", 110)):
        _keep_residues(fab[0], name, last)
    text = gzip.decompress((folder / "7CFN.cif.gz").read_bytes()).decode()
    nanobody = gemmi.make_structure_from_block(gemmi.cif.read_string(text).sole_block())
    for name in [chain.name for chain in nanobody[0] if chain.name not in "NA"]:
        nanobody[0].remove_chain(name)
    fab.setup_entities()
    sources = []
    for stem, structure, chains in (
        ("fab", fab, Chains("H", "L", ("A",))),
        ("nanobody", nanobody, Chains("N", None, ("A",))),
    ):
        sources.append(Source(f"{stem}.pdb", structure.make_pdb_string().encode(), chains))
        sources.append(Source(f"{stem}.cif", structure.make_mmcif_document().as_string().encode(), chains))
    return sources


def _keep_residues(model: gemmi.Model, name: str, count: int) -> None:
    chain = model[name]
    while len(chain) > count:
        del chain[len(chain) - 1]


def mutated(seed: int, sources: list[Source]) -> tuple[str, bytes, Chains | ChainRule]:
    """File name, content and chains of a case."""
    rng = random.Random(seed)
    source = rng.choice(sources)
    text = source.text
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        text = rng.choice((_bytes, _lines, _field, _field, _field, _many_fields, _cut, _ensemble))(rng, text)
    name, text = _contained(rng, source.name, text)
    return name, text, rng.choice((source.chains, ChainRule()))


def _bytes(rng: random.Random, text: bytes) -> bytes:
    data = bytearray(text)
    for _ in range(rng.choice((1, 5, 50))):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(3):
            case 0 if place < len(data):
                data[place] = rng.randrange(256)
            case 1:
                data[place:place] = rng.randbytes(rng.choice((1, 2, 80)))
            case _:
                del data[place : place + rng.choice((1, 2, 80, 1000))]
    return bytes(data)


def _lines(rng: random.Random, text: bytes) -> bytes:
    lines = text.split(b"\n")
    a, b = sorted((rng.randrange(len(lines)), min(len(lines), rng.randrange(len(lines)) + 1)))
    b = min(b, a + rng.choice((1, 1, 10, 100, 3000)))
    block = lines[a:b]
    match rng.randrange(7):
        case 0:
            lines[a:b] = []
        case 1:
            lines[b:b] = block
        case 2:
            lines[a:b] = reversed(block)
        case 3:
            lines[a:b] = [line[: rng.randrange(len(line) + 1)] for line in block]
        case 4:
            lines[a:b] = [line + b"\r" for line in block]
        case 5:
            lines[a:b] = [b" " + line for line in block]
        case _:
            lines[a:b] = [
                rng.choice((b"END", b"TER", b"MODEL        1", b"ENDMDL", b"", b"QV_TAG x", b"data_y", b"loop_"))
            ]
    return b"\n".join(lines)


def _field(rng: random.Random, text: bytes) -> bytes:
    """Something strange in a column of PDB, or in the place of a word."""
    lines = text.split(b"\n")
    k = rng.randrange(len(lines))
    lines[k] = _with_field(rng, lines[k], rng.choice(_COLUMNS), rng.choice(_STRANGE))
    return b"\n".join(lines)


def _many_fields(rng: random.Random, text: bytes) -> bytes:
    columns, value, share = rng.choice(_COLUMNS), rng.choice(_STRANGE), rng.choice((0.01, 0.3, 1.0))
    lines = text.split(b"\n")
    return b"\n".join(_with_field(rng, line, columns, value) if rng.random() < share else line for line in lines)


def _with_field(rng: random.Random, line: bytes, columns: tuple[int, int], value: bytes) -> bytes:
    first, stop = columns
    if len(line) >= 80 and line[:6] in (b"ATOM  ", b"HETATM") and line[34:35] == b".":
        return line[:first] + value.rjust(stop - first)[: stop - first] + line[stop:]
    words = line.split(b" ")
    words[first % len(words)] = value
    return b" ".join(words)


def _cut(rng: random.Random, text: bytes) -> bytes:
    return text[: rng.randrange(len(text) + 1)] if rng.random() < 0.5 else text[rng.randrange(len(text) + 1) :]


def _ensemble(rng: random.Random, text: bytes) -> bytes:
    if len(text) > _MOST_BYTES:
        return text
    number = rng.choice((b"1", b"2", b"-3", b"99999999999999999999", b"x", b""))
    model = b"MODEL     " + number + b"\n" + text + rng.choice((b"ENDMDL\n", b""))
    return b"REMARK     MODEL 1 FROM a/b/" + rng.choice(_STRANGE) + b".pdb\n" + b"MODEL        1\n" + text + model


def _contained(rng: random.Random, name: str, text: bytes) -> tuple[str, bytes]:
    match rng.randrange(8):
        case 0:
            return name + ".gz", _damaged(rng, gzip.compress(text, 1))
        case 1:
            tags = b"QV_TAG one\n" + text + b"\nQV_TAG " + rng.choice(_STRANGE) + b"\n" + text
            return "designs.qv", tags if rng.random() < 0.5 else _bytes(rng, tags)
        case 2:
            return "models.tar", _damaged(rng, _archive(rng, name, text))
        case 3:
            return "models.tar.gz", _damaged(rng, gzip.compress(_archive(rng, name, text), 1))
        case _:
            return name, text


def _damaged(rng: random.Random, packed: bytes) -> bytes:
    return rng.choice((lambda: packed, lambda: _bytes(rng, packed), lambda: _cut(rng, packed)))()


def _archive(rng: random.Random, name: str, text: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in (
            name,
            rng.choice((f"../{name}", f"/{name}", f"a/{name}", name, f"{'x' * 300}/{name}", f"{name}.gz")),
        ):
            content = gzip.compress(text, 1) if path.endswith(".gz") else text
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Pipeline:
    """All that happens to a file, numberings kept from one to the next."""

    def __init__(self) -> None:
        self._numbering = Numbering(SerialComm())

    def outcomes(self, path: Path, chains: Chains | ChainRule) -> list[str]:
        """What became of each model: ``graph``, or its reason and message."""
        return [outcome for _, outcome in self.built(path, chains)]

    def built(self, path: Path, chains: Chains | ChainRule) -> list[tuple[GraphArrays | None, str]]:
        """Each model's graph, or None, and what became of it."""
        entries = list_shard(SerialComm(), [(str(path), FileNames.of_stem("case"))], chains, self._numbering)
        result = []
        for entry in with_domains(entries, self._numbering):
            record, failure = build_model(entry, 0, 0, TIME_LIMIT)
            if failure is None:
                cluster_two_depths(len(record.graph), record.graph.internal.nodes)
            outcome = "graph" if failure is None else f"{failure.reason}: {failure.message}"
            result.append((record.graph, outcome))
        return result


def explained(outcomes: list[str]) -> bool:
    """Whether every model has a graph or a reason that says what was wrong with the input."""
    ours = ("unexpected:", "timeout:", "numbering_failed:")
    return bool(outcomes) and not any(outcome.startswith(ours) for outcome in outcomes)
