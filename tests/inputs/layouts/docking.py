"""What is found in made folders of docking programs, and what these say of it."""

from pathlib import Path

from stagea_mpi.inputs.layouts import layout, place_of


def paths_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def found_in(root: Path, name: str) -> dict:
    """Places of the models that count, by their paths."""
    placed = {path: place_of(path, root.name, (name,)) for path in paths_below(root)}
    placed = {path: place for path, place in placed.items() if place is not None}
    counts = layout(name).kept(placed)
    return {path: place for path, place in placed.items() if counts(path)}


def said_of(name: str, beside, path: str) -> tuple[dict[str, float], tuple[str, ...]]:
    """A model's scores and problems."""
    said = layout(name).scores(beside, path)
    return dict(said.values), said.problems
