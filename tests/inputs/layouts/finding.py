"""What a run would find in a program's folder or archive."""

from dataclasses import dataclass
from pathlib import Path

from stagea_mpi.inputs.layouts import layout, place_of, recognised
from stagea_mpi.inputs.layouts.beside import Beside, FolderBeside, ZipBeside
from stagea_mpi.inputs.layouts.layout import Place, Scores
from stagea_mpi.inputs.zipped import zip_members


@dataclass(frozen=True)
class Found:
    """The models of a folder or an archive: their places by their paths, and how their files are read."""

    places: dict[str, Place]
    beside: Beside

    def scores(self, path: str) -> Scores:
        return layout(self.places[path].layout).scores(self.beside, path)

    @property
    def listed(self) -> list[tuple]:
        """Path, target, name, seed and sample of each, in order."""
        return sorted((path, p.target, p.name, p.seed, p.sample) for path, p in self.places.items())


def paths_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def found_among(paths: list[str], root: str, beside: Beside) -> Found:
    names = recognised(paths)
    places = {path: place for path in paths if (place := place_of(path, root, names)) is not None}
    for name in names:
        counts = layout(name).kept(path for path in places if places[path].layout == name)
        places = {path: place for path, place in places.items() if place.layout != name or counts(path)}
    return Found(places, beside)


def found_in(folder: Path, root: str | None = None) -> Found:
    """Models below a folder, called so or otherwise."""
    return found_among(paths_below(folder), root or folder.name, FolderBeside(str(folder)))


def found_in_zip(archive: Path) -> Found:
    paths = [member.filename for member in zip_members(str(archive))]
    return found_among(paths, archive.name.removesuffix(".zip"), ZipBeside(str(archive)))


def expected(made: list, below: str = "") -> list[tuple]:
    """What `Found.listed` should be of models that were made, by their paths below a folder of theirs."""
    return sorted((m.path.removeprefix(below), m.target, m.name, m.seed, m.sample) for m in made)
