"""Mutates input files by the thousand and reports every crash, hang and unexplained failure: python -m tests.fuzz

A case runs in a process of its own kind, so that one that takes the process with it is reported, too. Files that were
not explained are kept, named by their seed.
"""

import argparse
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.inputs.unpacking import open_unpacked

from .cases import TIME_LIMIT, Pipeline, Source, explained, mutated, shipped_sources
from .rewriting import Comparison, rewritten

#: Seconds without a word from a worker: beyond the time limit of the models of one case.
_SILENCE = 4 * TIME_LIMIT + 60
#: One case in so many says the same as its source in other words, and must give the same graph.
_REWRITTEN = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to go on (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes at once (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="first seed (default %(default)s)")
    parser.add_argument(
        "--keep", type=Path, default=Path("build/fuzz"), help="folder for unexplained files (default %(default)s)"
    )
    parser.add_argument("--files", type=Path, help="folder with files to mutate beside the shipped ones")
    parser.add_argument("--work", nargs=2, type=int, metavar=("FIRST", "STEP"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return _work(options, *options.work)
    return _watch(options)


def _sources(folder: Path | None) -> list[Source]:
    sources = shipped_sources()
    for path in sorted(folder.iterdir()) if folder else ():
        if path.is_file():
            with open_unpacked(str(path)) as file:
                sources.append(Source(path.name.removesuffix(".gz"), file.read(), ChainRule()))
    return sources


def _work(options, first: int, step: int) -> int:
    """Case after case; one line before each and one after."""
    sources, pipeline, seed = _sources(options.files), Pipeline(), first
    rewritable = shipped_sources()
    with TemporaryDirectory() as folder:
        comparison = Comparison(pipeline, Path(folder))
        while True:
            in_other_words = seed // step % _REWRITTEN == 0
            if in_other_words:
                _, name, content, _, chains = rewritten(seed, rewritable)
            else:
                name, content, chains = mutated(seed, sources)
            path = Path(folder) / name
            path.write_bytes(content)
            print(f"begin {seed}", flush=True)
            try:
                outcomes = comparison.outcomes(seed, rewritable) if in_other_words else pipeline.outcomes(path, chains)
            except Exception as error:
                outcomes = [f"crash: {type(error).__name__}: {error}"]
            if not explained(outcomes) or any(outcome.startswith("crash") for outcome in outcomes):
                (options.keep / f"{seed}_{name}").write_bytes(content)
                print(f"unexplained {seed} {name} {chains}: {'; '.join(outcomes)}".replace("\n", " "), flush=True)
            print(f"end {seed} {' '.join(outcome.split(':')[0] for outcome in outcomes)}", flush=True)
            path.unlink()
            seed += step


def _watch(options) -> int:
    options.keep.mkdir(parents=True, exist_ok=True)
    said: queue.Queue = queue.Queue()
    counts, unexplained = Counter(), []
    deadline = time.monotonic() + options.seconds
    workers = [_Worker(options, options.first + k, said) for k in range(options.workers)]
    while time.monotonic() < deadline:
        try:
            worker, line = said.get(timeout=1.0)
            worker.heard = time.monotonic()
        except queue.Empty:
            line = ""
        word, *rest = line.split() or [""]
        if word == "begin":
            worker.seed = int(rest[0])
        elif word == "end":
            counts.update(["cases"])
            counts.update(rest[1:])
        elif word == "unexplained":
            unexplained.append(line)
            print(line, flush=True)
        for worker in workers:
            if worker.process.poll() is not None or time.monotonic() - worker.heard > _SILENCE:
                unexplained.append(f"seed {worker.seed}: the process {worker.end()}")
                print(unexplained[-1], flush=True)
                worker.begin(worker.seed + options.workers)
    for worker in workers:
        worker.end()
    print(", ".join(f"{name} {count}" for name, count in counts.most_common()))
    print(f"{len(unexplained)} unexplained" + (f"; files in {options.keep}" if unexplained else ""))
    return 1 if unexplained or not counts["cases"] else 0


class _Worker:
    """A process that works on every n-th seed, and what it says."""

    def __init__(self, options, first: int, said: queue.Queue):
        self._options, self._said = options, said
        self.begin(first)

    def begin(self, first: int) -> None:
        options = self._options
        command = [
            sys.executable,
            "-m",
            "tests.fuzz",
            "--keep",
            str(options.keep),
            "--work",
            str(first),
            str(options.workers),
        ]
        command += ["--files", str(options.files)] if options.files else []
        self.seed, self.heard = first, time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _listen(self, process) -> None:
        for line in process.stdout:
            self._said.put((self, line))

    def end(self) -> str:
        """Ends the process; says how it was."""
        code = self.process.poll()
        self.process.kill()
        self.process.wait()
        return "was silent for too long" if code is None else f"ended with code {code}"


if __name__ == "__main__":
    sys.exit(main())
