"""The metadata of a shard, meta_stageA.json: what its graphs were made from, under which settings, and at what cost."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

from .checksums import checksummed, verified
from .folders import ShardFolder, read_json, write_json

#: Fields that the file spells otherwise.
_KEYS = {"numerics": "science", "numerics_sha256": "science_sha256"}
#: What the metadata of a shard have to have, and their `result`; without it they count as damaged.
_REQUIRED = ("files", "science", "science_sha256", "inputs_sha256", "do_cluster", "wall_s")
_COUNTS = ("n_models", "n_ok", "n_fail")


@dataclass(kw_only=True)
class _JsonObject:
    """Fields in the order in which they stand in the file; None where a key is not there.

    `others` holds keys that this version does not know, such as those of later stages: they survive.
    """

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        rest = dict(values)
        known = {name: rest.pop(key) for name, key in _keys_of(cls).items() if key in rest}
        return cls(**known, others=rest)

    def as_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "others":
                values |= value
            elif value is not None:
                values[_KEYS.get(item.name, item.name)] = value
        return values


def _keys_of(kind: type) -> dict[str, str]:
    return {item.name: _KEYS.get(item.name, item.name) for item in fields(kind) if item.name != "others"}


@dataclass(kw_only=True)
class ShardResult(_JsonObject):
    """What building a shard gave.

    Attributes
    ----------
    n_inputs, n_models : int
        Input files, and the models in them.
    n_ok, n_fail : int
        Models with a graph, and without one.
    n_noted : int
        Models with a graph whose chains are not quite what they are said to be.
    prep_s, annotate_s, graphs_s, cluster_s : float
        Seconds of looking at the shard and its files, of numbering, of building and writing, and of clustering.
    graphs_bytes : int
        Size of graphs.h5; there once the shard has been finished, with or without markers.
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
    graphs_s: float | None = None
    graphs_bytes: int | None = None
    others: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class ShardMeta(_JsonObject):
    """The metadata of a shard.

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
    inputs_sha256: str
    inputs_stat_sha256: str | None = None
    versions: dict[str, str] | None = None
    wall_s: float
    files: dict[str, Any]
    job_id: str | None = None
    node: str | None = None
    others: dict[str, Any] = field(default_factory=dict)
    replaced: dict[str, Any] | None = None

    @classmethod
    def read(cls, shard: ShardFolder) -> Self | None:
        """The metadata of a shard; None where there are none, or they are damaged or not whole."""
        try:
            values = verified(read_json(shard.meta))
        except (OSError, ValueError):
            return None
        return cls.from_dict(values) if values is not None and _is_whole(values) else None

    def write(self, shard: ShardFolder) -> None:
        write_json(shard.meta, checksummed(self.as_dict()))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return super().from_dict(values | {"result": ShardResult.from_dict(values["result"])})

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"result": self.result.as_dict()}


def _is_whole(values: dict[str, Any]) -> bool:
    result = values.get("result")
    if not all(key in values for key in _REQUIRED) or not isinstance(values["files"], dict):
        return False
    return isinstance(result, dict) and all(isinstance(result.get(key), int) for key in _COUNTS)
