"""The metadata of a shard, meta_stageA.json: what its graphs were made from, under which settings, and at what cost."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

from .checksums import checksummed, verified
from .folders import ShardFolder, json_bytes, read_json, write_together

#: Fields that the file spells otherwise.
KEYS = {"numerics": "science", "numerics_sha256": "science_sha256"}
#: What the metadata of a shard have to have, and their `result`; without it they count as damaged.
_REQUIRED = ("files", "science", "science_sha256", "inputs_sha256", "do_cluster", "wall_s")
_COUNTS = ("n_models", "n_ok", "n_fail")


@dataclass(kw_only=True)
class ShardResult:
    """What building a shard gave; its fields stand in the order of the file, as None where a key is not there.

    Attributes
    ----------
    n_inputs, n_models : int
        Input files, and the models in them.
    n_ok, n_fail : int
        Models with a graph, and without one.
    n_noted : int
        Models with a graph whose chains are not quite what they are said to be.
    n_unscored : int
        Models of which a score could not be read.
    prep_s, annotate_s, graphs_s, cluster_s : float
        Seconds of looking at the shard and its files, of numbering, of building and writing, and of clustering.
    graphs_bytes : int
        Size of graphs.h5, 0 where it was not to be written (`stage_a.write_graphs`); there once the shard has been
        finished, with or without markers.
    others : dict
        What this version does not know, such as keys of later stages: it survives.
    """

    cluster_s: float | None = None
    shard_id: str | None = None
    n_inputs: int | None = None
    prep_s: float | None = None
    annotate_s: float | None = None
    n_models: int
    n_ok: int
    n_fail: int
    n_noted: int | None = None
    n_unscored: int | None = None
    graphs_s: float | None = None
    graphs_bytes: int | None = None
    others: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class ShardMeta:
    """The metadata of a shard; its fields stand in the order of the file, as None where a key is not there.

    Attributes
    ----------
    shard_id, shard_list : str
        The shard's name, and the path of the list of its input files.
    chains : dict
        What the configuration states of the models' chains.
    num_cores : int
        Ranks of the team that has built the graphs.
    do_cluster : bool
        Whether the published graphs have clusters.
    stagea_phase : str
        In which the shard was finished last.
    result : ShardResult
    numerics : dict
        All settings that the graphs' numbers depend on (``science`` in the file); `numerics_sha256` is their hash.
    reference : dict
        What the models were compared with: ``sha256`` of all that decides their targets, and as what it was ``stated``;
        None where there is no reference.
    inputs_sha256, inputs_stat_sha256 : str
        What the graphs were made from: hash of the files' content, and of their sizes and times.
    versions : dict of str to str
        Of the programs and libraries.
    wall_s : float
        Seconds from the shard's beginning to its end.
    files : dict
        By name of a published file its record: ``bytes`` and ``sha256``.
    job_id, node : str
        Who has finished the shard.
    others : dict
        What this version does not know.
    replaced : dict or None
        While files are replaced: by name the record of what each of them was before, None where there was none.
    """

    stage: str | None = None
    shard_id: str | None = None
    shard_list: str | None = None
    chains: dict[str, Any] | None = None
    num_cores: int | None = None
    do_cluster: bool
    stagea_phase: str | None = None
    result: ShardResult
    numerics: dict[str, Any]
    numerics_sha256: str
    reference: dict[str, Any] | None = None
    inputs_sha256: str
    inputs_stat_sha256: str | None = None
    versions: dict[str, str] | None = None
    wall_s: float
    files: dict[str, Any]
    job_id: str | None = None
    node: str | None = None
    others: dict[str, Any] = field(default_factory=dict)
    replaced: dict[str, Any] | None = None

    @property
    def is_without_graphs(self) -> bool:
        """Whether the shard was finished without graphs.h5, since that was not to be written."""
        return self.result.graphs_bytes == 0

    @classmethod
    def read(cls, shard: ShardFolder) -> Self | None:
        """The metadata of a shard; None where there are none, or they are damaged or not whole."""
        try:
            values = verified(read_json(shard.meta))
        except (OSError, ValueError):
            return None
        return cls.from_dict(values) if values is not None and _is_whole(values) else None

    def write(self, shard: ShardFolder) -> None:
        write_together([(shard.meta, self.as_bytes())])

    def as_bytes(self) -> bytes:
        """What the file holds."""
        return json_bytes(checksummed(self.as_dict()))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        result = ShardResult(**_arguments(ShardResult, values["result"]))
        return cls(**_arguments(cls, values | {"result": result}))

    def as_dict(self) -> dict[str, Any]:
        return _as_dict(self) | {"result": _as_dict(self.result)}


def _arguments(kind: type[ShardMeta | ShardResult], values: dict[str, Any]) -> dict[str, Any]:
    """A JSON object as arguments of a class, which takes what it does not know as `others`."""
    keys = {KEYS.get(item.name, item.name): item.name for item in fields(kind) if item.name != "others"}
    others = {key: value for key, value in values.items() if key not in keys}
    return {name: values[key] for key, name in keys.items() if key in values} | {"others": others}


def _as_dict(item: ShardMeta | ShardResult) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in (own.name for own in fields(item)):
        value = getattr(item, name)
        if name == "others":
            values |= value
        elif value is not None:
            values[KEYS.get(name, name)] = value
    return values


def _is_whole(values: dict[str, Any]) -> bool:
    result = values.get("result")
    if not all(key in values for key in _REQUIRED) or not isinstance(values["files"], dict):
        return False
    return isinstance(result, dict) and all(isinstance(result.get(key), int) for key in _COUNTS)
