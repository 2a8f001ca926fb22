"""ANARCI's search for variable domains, by HMMER as a library (pyhmmer) in the place of the program hmmscan.

ANARCI starts hmmscan on a file and reads the text that it prints. Here the profiles are loaded once a process, and
ANARCI gets the same domains with the same values, rounded as the program prints them, without process, files or text.

Nearly all of a search's time goes into profiles that have passed HMMER's filters: into their domains, with posterior
probabilities and an alignment for each. ANARCI looks at domains of so many bits alone, and only at those of its species
where there are some. What it would not look at is left out here, by bounds that hold for every sequence.

HMMER: Eddy, PLoS Comput. Biol. 7 (2011) e1002195. pyhmmer: Larralde & Zeller, Bioinformatics 39 (2023) btad214.
"""

import functools
import importlib
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import LaunchError

#: P-value of its Forward score above which HMMER looks for no domains of a profile (hmmscan's --F3).
_FORWARD_P = 1e-5
#: Bits by which a domain's score may exceed the Forward score of its profile. A domain is scored as the only pass
#: through the profile, a sequence of n residues as one of many. Each path of the former is one of the latter, of a
#: likelihood that is lower by ln 2 + 2 ln(2 / (n+2)) - 2 ln(3 / (n+3)) + n ln((n+3) / (n+2)) at most, less than 1.3
#: bits; and the correction for a domain's composition only lowers its score. The rest is for single precision and
#: printed decimals.
_SLACK_BITS = 2.0
#: Of HMMER's filter for biased compositions: the probability that a sequence begins in a biased part, and residues of
#: such a part, to a state of the profile.
_STARTS_BIASED, _BIASED_RESIDUES = 0.001, 1 / 8


@functools.cache
def anarci_module() -> ModuleType:
    """The anarci module, which searches by the library, and silent: it prints what it also returns or raises. (Python's
    own redirection of what is printed holds for all threads of a process.)

    Raises
    ------
    LaunchError
        It or pyhmmer is not installed.
    """
    try:
        module: Any = importlib.import_module("anarci.anarci")
        schemes: Any = importlib.import_module("anarci.schemes")
        importlib.import_module("pyhmmer.plan7")
    except ImportError as error:
        raise LaunchError(
            f"anarci or pyhmmer cannot be imported ({error}); install both (`python -m stagea_mpi doctor` checks all)"
        ) from error
    module.run_hmmer = functools.partial(_search, module)
    module.print = schemes.print = _print_to_files
    return module


def _print_to_files(*values: Any, file: Any = None, **options: Any) -> None:
    """Stands in for `print` in ANARCI's modules: what is for a terminal is dropped."""
    if file not in (None, sys.stdout, sys.stderr):
        print(*values, file=file, **options)


def _search(
    module: ModuleType,
    sequence_list: Sequence[tuple[str, str]],
    hmm_database: str = "ALL",
    hmmerpath: str = "",
    ncpu: int | None = None,
    bit_score_threshold: float = 80,
    hmmer_species: Sequence[str] | None = None,
) -> list:
    """Stands in for ANARCI's `run_hmmer`, whose parameters these are; it starts neither processes nor threads."""
    database = _database(os.path.join(module.HMM_path, f"{hmm_database}.hmm"))
    species = tuple(hmmer_species or ())
    return [
        module._parse_hmmer_query(
            Query(len(sequence), database.search(sequence, bit_score_threshold, species)),
            bit_score_threshold=bit_score_threshold,
            hmmer_species=hmmer_species,
        )
        for _, sequence in sequence_list
    ]


@dataclass
class Hit:
    """A domain that a profile has found, as ANARCI reads it: with names and numbers of Biopython's `HSP`.

    Attributes
    ----------
    hit_id, hit_description : str
        Of the profile.
    evalue, bitscore, bias : float
        The independent E-value of two digits; score and correction (bits) of one decimal.
    query_start, query_end, hit_start, hit_end : int
        Residues of the sequence and states of the profile, counted from 0, the end exclusive.
    aln_annotation : dict
        By column of the alignment ``RF``, x where the profile has a state, and ``PP``, the posterior probability.
    order : int
        Which domain of the sequence it is; ANARCI sets it.
    """

    hit_id: str
    hit_description: str
    evalue: float
    bitscore: float
    bias: float
    query_start: int
    query_end: int
    hit_start: int
    hit_end: int
    aln_annotation: dict[str, str]
    order: int = 0


@dataclass(frozen=True)
class Query:
    """What was found in a sequence of so many residues, that of the best profile first."""

    seq_len: int
    hsps: list[Hit]


@functools.cache
def _database(path: str) -> "ProfileDatabase":
    return ProfileDatabase(path)


class ProfileDatabase:
    """All profiles of a database, in memory. Threads may search it at once.

    Parameters
    ----------
    path : str
        Of the file beside which those of hmmpress are.

    Raises
    ------
    LaunchError
        They cannot be read.
    """

    def __init__(self, path: str):
        self._hmmer: Any = importlib.import_module("pyhmmer")
        self._alphabet = self._hmmer.easel.Alphabet.amino()
        try:
            with self._hmmer.plan7.HMMPressedFile(path, alphabet=self._alphabet) as file:
                self._profiles = list(file)
        except (OSError, EOFError, ValueError) as error:
            raise LaunchError(f"{path}: the profiles cannot be read ({error}); install anarci anew") from error
        self._of_thread = threading.local()
        self._split = functools.cache(self._split_by_species)

    def search(self, sequence: str, least_bits: float, species: tuple[str, ...] = ()) -> list[Hit]:
        """Domains of at least so many bits, as hmmscan finds and prints them; there may be some of fewer bits, too.

        Parameters
        ----------
        sequence : str
        least_bits : float
        species : tuple of str
            How names of profiles begin: where these have such domains, they are all that is looked for.
        """
        query = self._hmmer.easel.TextSequence(sequence=sequence).digitize(self._alphabet)
        hits: list[Hit] = []
        for profiles in self._split(species):
            hits = profiles.scan(query, least_bits, self._pipeline())
            if any(hit.bitscore >= least_bits for hit in hits):
                break
        return hits

    def _split_by_species(self, species: tuple[str, ...]) -> "list[ProfileBlock]":
        """Profiles of the species, then the others."""
        own = [profile for profile in self._profiles if profile.name.startswith(species or "")]
        others = [profile for profile in self._profiles if not profile.name.startswith(species or "")]
        return [ProfileBlock(self._hmmer, self._alphabet, part) for part in (own, others) if part]

    def _pipeline(self) -> Any:
        """What this thread scans with. Of how many profiles the E-values are is stated: a block has fewer."""
        if not hasattr(self._of_thread, "pipeline"):
            self._of_thread.pipeline = self._hmmer.plan7.Pipeline(self._alphabet, Z=len(self._profiles))
        return self._of_thread.pipeline


class ProfileBlock:
    """Profiles that are scanned together, and what bounds their domains' scores.

    Parameters
    ----------
    hmmer : module
        pyhmmer.
    alphabet
    profiles : list
        pyhmmer's optimized profiles, not empty.
    """

    def __init__(self, hmmer: Any, alphabet: Any, profiles: list):
        self._block = hmmer.plan7.OptimizedProfileBlock(alphabet, profiles)
        self._references = {profile.name: profile.reference for profile in profiles}
        statistics = [profile.evalue_parameters for profile in profiles]
        self._tau = np.array([found.f_tau for found in statistics])
        self._lambda = np.array([found.f_lambda for found in statistics])
        background = np.array(hmmer.plan7.Background(alphabet).residue_frequencies, dtype=float)
        compositions = np.array([list(profile.compositions)[: alphabet.K] for profile in profiles])
        odds = (compositions / background).T
        # A letter for several amino acids counts as the one that biases most.
        self._odds = np.tile(odds.max(axis=0), (alphabet.Kp, 1))
        self._odds[: alphabet.K] = odds
        self._biased_residues = np.array([profile.M for profile in profiles]) * _BIASED_RESIDUES

    def scan(self, query: Any, least_bits: float, pipeline: Any) -> list[Hit]:
        """The profiles' domains in a sequence: all that hmmscan finds but for some of fewer bits.

        Parameters
        ----------
        query : pyhmmer.easel.DigitalSequence
        least_bits : float
        pipeline : pyhmmer.plan7.Pipeline
        """
        least_forward = least_bits - _SLACK_BITS - self._composition_bits(np.asarray(query.sequence))
        p_values = np.exp(np.minimum(self._lambda * (self._tau - least_forward), 0.0))
        pipeline.F3 = min(_FORWARD_P, float(p_values.max()))
        found = pipeline.scan_seq(query, self._block)
        return [self._hit(hit, domain) for hit in found.reported for domain in hit.domains.reported]

    def _composition_bits(self, codes: np.ndarray) -> np.ndarray:
        """Bits by which HMMER lowers each profile's scores in its filters, for a sequence of biased composition.

        The likelihood of the sequence under a model of two states, one with the background's composition and one with
        the profile's, relative to the background's: the product of a matrix for each residue, two by two until one is
        left. Infinite where it leaves the range of numbers.

        Parameters
        ----------
        codes : ndarray of uint8, shape=(n,)
            Positions in the alphabet.

        Returns
        -------
        bits : ndarray, shape=(k,)
        """
        n, odds = len(codes), self._odds[codes]
        step = np.empty((2, 2, *odds.shape))
        step[0] = 1 / (n + 1)
        step[0, 0] *= n
        step[1] = 1 / (self._biased_residues + 1)
        step[1, 1] *= self._biased_residues
        step[:, 0, 0] = [[1 - _STARTS_BIASED], [0]]
        step[:, 1, 0] = [[_STARTS_BIASED], [0]]
        step[:, 1] *= odds
        with np.errstate(over="ignore", invalid="ignore"):
            while step.shape[2] > 1:
                first, second, odd = step[:, :, :-1:2], step[:, :, 1::2], step[:, :, step.shape[2] // 2 * 2 :]
                pairs = first[:, :1] * second[:1] + first[:, 1:] * second[1:]
                step = np.concatenate([pairs, odd], axis=2)
            return np.log2(step[0, :, 0].sum(axis=0))

    def _hit(self, hit: Any, domain: Any) -> Hit:
        found = domain.alignment
        states = iter(self._references[hit.name][found.hmm_from - 1 :])
        reference = "".join("." if letter == "." else next(states) for letter in found.hmm_sequence)
        return Hit(
            hit.name, hit.description or "", float(f"{domain.i_evalue:.2g}"), float(f"{domain.score:.1f}"),
            float(f"{domain.bias:.1f}"), found.target_from - 1, found.target_to, found.hmm_from - 1, found.hmm_to,
            {"RF": reference, "PP": found.posterior_probabilities},
        )  # fmt: skip
