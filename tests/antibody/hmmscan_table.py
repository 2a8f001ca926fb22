"""What ANARCI makes of chains with the program hmmscan, a line for each: ``python -m tests.antibody.hmmscan_table OUT
[STRUCTURE ...]`` writes tests/data/hmmscan_numberings.tsv.gz, with the chains of these structures in it.
"""

import gzip
import importlib
import importlib.util
import random
import sys
import zlib
from collections.abc import Iterator
from types import ModuleType

import gemmi

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
LINKER = "GGGGSGGGGSGGGGS"
#: Constant domains of a human IgG1's heavy chain (CH1) and of a human kappa chain.
CONSTANT = (
    "ASTKGPSVFPLAPSSKSTSGGTAALGCLVKDYFPEPVTVSWNSGALTSGVHTFPAVLQSSGLYSLSSVVTVPSSSLGTQTYICNVNHKPSNTKVDKKVEPKSC",
    "RTVAAPSVFIFPPSDEQLKSGTASVVCLLNNFYPREAKVQWKVDNALQSGNSQESVTEQDSKDSTYSLSSTLTLSKADYEKHKVYACEVTHQGLSSPVTKSFNRGEC",
)
#: As many residues as a search for a J region alone has, about.
TAIL = 40


def plain_anarci() -> ModuleType:
    """ANARCI's module once more, as it is: it calls hmmscan."""
    origin = importlib.import_module("anarci.anarci").__file__
    spec = importlib.util.spec_from_file_location("anarci.as_it_is", origin)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.print = lambda *values, file=None: file and print(*values, file=file)  # not what is for a terminal
    return module


def line_of(anarci: ModuleType, sequence: str) -> str:
    """What ANARCI finds in a sequence, in columns: the sequence; its domains, numbered; the table of hits; and check
    sums of what it is given to number from, of all species and, for the end of the chain, down to 10 bits."""
    (numbered,), (details,), (hits,) = anarci.anarci([("s", sequence)], scheme="imgt", ncpu=1)
    domains = [_domain(*pair) for pair in zip(numbered or (), details or (), strict=True)]
    rows = [" ".join(map(str, row)) for row in hits[1:]]
    searches = anarci.run_hmmer([("s", sequence)]), anarci.run_hmmer([("s", sequence[-TAIL:])], bit_score_threshold=10)
    sums = [f"{zlib.crc32(repr(found).encode()):08x}" for found in searches]
    return "\t".join([sequence, "; ".join(domains), "; ".join(rows), *sums])


def _domain(found: tuple, detail: dict) -> str:
    aligned, start, end = found
    positions = " ".join(f"{number}{insertion.strip()}" for (number, insertion), _ in aligned)
    values = (value for key, value in sorted(detail.items()) if key not in ("query_name", "scheme"))
    return f"{start}-{end} {''.join(letter for _, letter in aligned)} {positions} {' '.join(map(str, values))}"


def made_chains(seed: int, count: int) -> Iterator[str]:
    """Chains of domains from ANARCI's germlines of eight species, with random CDR3s: nine of twenty as they are, the
    others mutated, cut, joined, repeated, with much before and behind them, or nothing of the kind at all."""
    chance = random.Random(seed)
    germlines = importlib.import_module("anarci.germlines").all_germlines

    def noise(length: int) -> str:
        return "".join(chance.choices(LETTERS, k=length))

    def domain(types: str = "HHHKKLLABGD", species: str = "", cdr3: tuple[int, int] = (2, 16)) -> str:
        kind = chance.choice(types)
        species = species or chance.choice(sorted(germlines["V"][kind]))
        joining = germlines["J"][kind].get(species) or chance.choice(list(germlines["J"][kind].values()))
        parts = [chance.choice(list(genes.values())) for genes in (germlines["V"][kind][species], joining)]
        return "".join(letter for letter in noise(chance.randint(*cdr3)).join(parts) if letter in LETTERS)

    def mutated(chain: str, share: float) -> str:
        return "".join(chance.choice(LETTERS) if chance.random() < share else letter for letter in chain)

    def with_gaps(chain: str) -> str:
        for _ in range(chance.randint(1, 5)):
            place = chance.randrange(len(chain))
            rest = chain[place:] if chance.random() < 0.5 else chain[place + chance.randint(1, 3) :]
            chain = chain[:place] + noise(chance.randint(0, 4)) + rest
        return chain

    def cut(chain: str) -> str:
        first = chance.randrange(60)
        return chain[first : first + chance.randint(20, 110)]

    def crossed() -> str:
        place = chance.randint(20, 100)
        return domain()[:place] + domain()[place:]

    def odd() -> str:
        return chance.choice([
            noise(chance.randint(1, 400)), "".join(CONSTANT), "A" * chance.randint(1, 300),
            "GS" * chance.randint(3, 90), "Q" * 60 + domain(), domain("A") + LINKER + domain("B"), domain()[::-1],
            domain().lower(), "".join(chance.choice(["X", letter]) for letter in domain()), domain().replace("C", "X"),
        ])  # fmt: skip

    kinds = [
        *[domain] * 8,
        lambda: domain("H", "alpaca", (8, 25)),
        lambda: mutated(domain(), chance.choice([0.05, 0.1, 0.2, 0.3])),
        lambda: with_gaps(domain()),
        lambda: domain("H") + LINKER * chance.randint(1, 2) + domain("KL"),
        lambda: domain("KL") + LINKER + domain("H", cdr3=(5, 40)),
        lambda: domain("H", cdr3=(17, 60)) + chance.choice(["", CONSTANT[0]]),
        lambda: noise(chance.randint(1, 60)) + domain() + chance.choice(["", *CONSTANT, "HHHHHH", noise(200)]),
        lambda: cut(domain()),
        lambda: domain("H") * chance.randint(2, 3),
        crossed,
        odd,
        lambda: domain("HKL", cdr3=(8, 20)) + chance.choice(CONSTANT),
    ]
    return (kinds[number % len(kinds)]() for number in range(count))


def chains_of(path: str) -> Iterator[str]:
    """Sequences of a structure's proteins, without what has no letter."""
    structure = gemmi.read_structure(path)
    structure.setup_entities()
    for chain in structure[0]:
        letters = gemmi.one_letter_code([residue.name for residue in chain.get_polymer()]).upper()
        yield "".join(letter for letter in letters if letter in LETTERS)


def main(out: str, *structures: str) -> None:
    anarci = plain_anarci()
    chains = [chain for path in structures for chain in chains_of(path) if chain] + list(made_chains(2026, 1000))
    lines = [line_of(anarci, chain) + "\n" for chain in dict.fromkeys(chains)]
    with open(out, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as table:
        table.write("".join(lines).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
