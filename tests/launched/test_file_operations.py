"""How often ranks ask the file system for something below a run's folders: what a thousand of them would do at once.

Counted by strace, call by call, those of libraries as well. The limits are those of docs/files.md. What is asked of an
open file is not counted, since its server has no part in it.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment, mpiexec, write_run_yaml

#: Of each rank but the first: its file of events.
OTHERS_AT_START = 1
#: Of each rank of a team but its first one, a shard: MPI-IO opens packed.h5 and asks what file system that is.
OTHERS_A_SHARD = 6
#: Of a team's first rank, a shard: all operations, and how many of them are flushes.
FIRST_A_SHARD, FLUSHES_A_SHARD = 65, 13
#: The same where the shard is done already, and where it is only clustered.
FIRST_A_SHARD_DONE, FIRST_A_SHARD_CLUSTERED = 15, 61
#: Of the first rank of all: the run folder, its files, the sampler; and by shard the list of its inputs.
FIRST_AT_START, FIRST_A_LIST = 52, 3
#: Of all ranks together, an input file: it is found, looked into, listed and read.
AN_INPUT = 9

#: A call with the path that it names first, or of which the open file is.
_NAMED = re.compile(r'\d+ +(\w+)\((?:(?:AT_FDCWD|\d+)(?:<[^>]*>)?, )?"((?:[^"\\]|\\.)+)"')
_OPEN = re.compile(r"\d+ +(fsync|fdatasync|getdents64)\(\d+<([^>]*)>")

Operations = Counter[tuple[str, str]]


@dataclass
class Traced:
    """What the ranks of a run have done, by rank: how often which call named which path.

    Attributes
    ----------
    run, inputs : list of Counter
        Below the run's folder, and below that of its inputs. Left out is what goes by the clock: progress.json and
        heartbeats.
    """

    run: list[Operations]
    inputs: list[Operations]


@pytest.fixture(scope="module")
def folder(poses, tmp_path_factory):
    """Where runs are traced, with their inputs; skips where processes may not be."""
    if (
        not shutil.which("strace")
        or subprocess.run(["strace", "-f", "--seccomp-bpf", "-qq", "true"], capture_output=True).returncode
    ):
        pytest.skip("no strace, or no process may be traced here")
    made = tmp_path_factory.mktemp("traced")
    shutil.copytree(poses, made / "poses")
    return made


@pytest.fixture(scope="module")
def two_shards(folder):
    return traced(2, write(folder, "two_shards", 3))


@pytest.fixture(scope="module")
def six_shards(folder):
    return traced(2, write(folder, "six_shards", 1))


@pytest.fixture(scope="module")
def four_ranks(folder):
    return traced(4, write(folder, "four_ranks", 3))


def write(folder: Path, name: str, poses_a_shard: int) -> Path:
    """A run of one team."""
    return write_run_yaml(
        folder / f"{name}.yaml", folder / "poses", max_per_shard=poses_a_shard, min_per_shard=1, team="world"
    )


def traced(ranks: int, path: Path, *options: str) -> Traced:
    """Runs `python -m stagea_mpi run` with each rank below strace."""
    watched = (
        f"strace -f --seccomp-bpf -y -qq -e trace=%file,fsync,fdatasync,getdents64 -o '{path}'.$OMPI_COMM_WORLD_RANK"
    )
    command = ["sh", "-c", f'exec {watched} "$@"', "sh", sys.executable, "-m", "stagea_mpi", "run", str(path), *options]
    launch = [mpiexec(), "-n", str(ranks), "--oversubscribe", *command]
    done = subprocess.run(launch, env=launch_environment(), cwd=ROOT, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stdout + done.stderr
    logs = [Path(f"{path}.{rank}").read_text(errors="replace").splitlines() for rank in range(ranks)]
    root, inputs = path.with_suffix(""), path.parent / "poses"
    return Traced([operations(lines, root) for lines in logs], [operations(lines, inputs) for lines in logs])


def operations(lines: list[str], folder: Path) -> Operations:
    """What a rank and its children did below a folder."""
    found: Operations = Counter()
    for line in lines:
        named = _NAMED.match(line) or _OPEN.match(line)
        if named is None or not f"{named[2]}/".startswith(f"{folder}/"):
            continue
        if "progress.json" not in named[2] and named[1] != "utimensat":
            found[named[1], named[2].removeprefix(str(folder)).removeprefix("/")] += 1
    return found


def count(operations: Operations, *calls: str, below: str = "") -> int:
    return sum(n for (call, name), n in operations.items() if name.startswith(below) and (not calls or call in calls))


def told(operations: Operations) -> str:
    return "\n".join(
        f"{n} {call} {name}" for (call, name), n in sorted(operations.items(), key=lambda item: item[0][1])
    )


def test_ranks_that_are_not_the_first_open_their_own_events_and_packed_h5_and_nothing_else(
    two_shards, six_shards, four_ranks
):
    for run, n_shards in ((two_shards, 2), (six_shards, 6), (four_ranks, 2)):
        for other in run.run[1:]:
            assert count(other) <= OTHERS_AT_START + n_shards * OTHERS_A_SHARD, told(other)
            assert count(other, "getdents64") == 0, told(other)
            opened = {name for call, name in other if call.startswith("open")}
            assert all(re.match(r"telemetry/events_|shards/\w+/\.packed\.h5\.", name) for name in opened), opened


def test_the_first_rank_does_so_much_a_shard_whatever_the_number_of_ranks(two_shards, six_shards, four_ranks):
    for run, n_shards in ((two_shards, 2), (six_shards, 6), (four_ranks, 2)):
        first = run.run[0]
        a_shard = FIRST_A_SHARD + FIRST_A_LIST
        assert count(first) <= FIRST_AT_START + n_shards * a_shard, told(first)
        assert count(first, "fsync", "fdatasync", below="shards/") <= n_shards * FLUSHES_A_SHARD, told(first)
    assert count(six_shards.run[0]) - count(two_shards.run[0]) <= 4 * (FIRST_A_SHARD + FIRST_A_LIST)


def test_the_input_is_listed_by_one_rank_and_each_file_is_asked_for_as_often_on_any_number_of_ranks(
    two_shards, six_shards, four_ranks
):
    for run in (two_shards, six_shards, four_ranks):
        assert [count(own, "getdents64") > 0 for own in run.inputs] == [True] + [False] * (len(run.inputs) - 1)
        by_file: Counter[str] = Counter()
        for own in run.inputs:
            for (_, name), n in own.items():
                by_file[name] += n
        assert len(by_file) == 7  # and the folder
        assert max(n for name, n in by_file.items() if name) <= AN_INPUT, by_file


def test_a_shard_that_is_done_costs_a_few_looks_and_no_change(folder, six_shards):
    again = traced(2, folder / "six_shards.yaml")
    first, other = again.run
    assert count(other) <= OTHERS_AT_START, told(other)
    assert count(first) <= FIRST_AT_START + 6 * FIRST_A_SHARD_DONE, told(first)
    changes = ("fsync", "rename", "unlink", "link")
    assert count(first, *changes, below="shards/") == 0, told(first)


def test_clustering_is_shared_out_and_every_shard_is_looked_at_by_one_rank(folder):
    path = write(folder, "clustered", 1)
    traced(2, path, "--prep-graphs-only")
    clustered = traced(4, path, "--cluster-only")
    total = sum(map(count, clustered.run))
    assert total <= FIRST_AT_START + 3 * OTHERS_AT_START + 6 * FIRST_A_SHARD_CLUSTERED, "\n\n".join(
        map(told, clustered.run)
    )
    assert not any(count(own, "getdents64", below="shard_lists") for own in clustered.run[1:])
    assert not any(clustered.inputs[1:])
