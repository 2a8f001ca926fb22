"""What a release says of itself, in each of the places where it is said."""

import re
import tomllib

import yaml
from launching import ROOT

from stagea_mpi import __version__

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
#: In environment.yml, what pip has no package for.
NO_PYTHON = {"c-compiler", "hmmer", "openmpi"}
#: Extras that a cluster does without.
LEFT_OUT = {"docs"}
#: The extra mpi's own MPI, in whose place conda has its `openmpi`, which h5py is built against.
WHEELS_OF_MPI = {"mpich"}


def split(requirement: str) -> tuple[str, str]:
    """Name and bounds of a requirement, as pip or conda write it, without marker and build."""
    stated = re.sub(r"\s+mpi_\S+$", "", requirement.partition(";")[0].strip())  # conda's name of a build
    name, bounds = re.fullmatch(r"([\w.-]+)\s*(.*)", stated).groups()
    name = re.sub(r"[-_.]+", "-", name).lower()
    return name, ",".join(sorted(bounds.replace(" ", "").split(",")))


def in_environment() -> dict[str, str]:
    """Bounds of the packages in environment.yml."""
    found = dict(split(item) for item in ENVIRONMENT["dependencies"] if isinstance(item, str))
    for item in ENVIRONMENT["dependencies"]:
        if isinstance(item, dict):
            found |= dict(split(requirement) for requirement in item["pip"])
    return found


def in_project() -> dict[str, str]:
    """Bounds of what the package needs, by all its extras but those that are left out."""
    extras = PROJECT["project"]["optional-dependencies"]
    lists = [listed for extra, listed in extras.items() if extra not in LEFT_OUT]
    requirements = [PROJECT["project"]["dependencies"], *lists, PROJECT["build-system"]["requires"]]
    found = [split(requirement) for listed in requirements for requirement in listed]
    return {name: bounds for name, bounds in found if name not in {"stagea-mpi"} | WHEELS_OF_MPI}


def test_a_requirement_is_taken_apart():
    assert split("numpy>=2, !=2.4.0") == ("numpy", "!=2.4.0,>=2")
    assert split("h5py >=3.8 mpi_openmpi*") == ("h5py", ">=3.8")
    assert split("backports.zstd; python_version < '3.14'") == ("backports-zstd", "")
    assert split("types-PyYAML") == ("types-pyyaml", "")


def test_the_conda_environment_is_the_packages_metadata_line_by_line():
    packages = {name: bounds for name, bounds in in_environment().items() if name not in NO_PYTHON | {"python", "pip"}}
    assert packages == in_project()


def test_the_conda_environment_has_the_packages_oldest_python():
    oldest = re.match(r">=[\d.]+", PROJECT["project"]["requires-python"])[0]
    assert oldest in in_environment()["python"].split(",")


def test_the_conda_environment_has_the_programs_that_make_env_installs():
    packages = (ROOT / ".ci" / "env.sh").read_text(encoding="utf-8")
    assert ("hmmer" in in_environment()) == bool(re.search(r"missing\+=\(hmmer", packages))


def test_the_version_stands_in_one_module():
    modules = [path for path in (ROOT / "stagea_mpi").rglob("*.py") if __version__ in path.read_text(encoding="utf-8")]
    stated = [path for path in modules if re.search(r"^__version__ =", path.read_text(encoding="utf-8"), re.MULTILINE)]
    assert stated == [ROOT / "stagea_mpi" / "__init__.py"]
    assert "version" in PROJECT["project"]["dynamic"]


def test_the_newest_changes_are_those_of_the_version():
    version, date = re.search(
        r"^## (\S+) – (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    ).groups()
    assert version == __version__
    assert date == "unreleased" or re.fullmatch(r"\d{4}-\d{2}-\d{2}", date)
    assert str(CITATION.get("date-released", "unreleased")) == date


def test_the_citation_is_of_the_package():
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["title"] == PROJECT["project"]["name"]
    assert CITATION["version"] == __version__
    assert CITATION["license"] == PROJECT["project"]["license"]
    assert set(CITATION["keywords"]) <= set(PROJECT["project"]["keywords"])
    assert [key for key in ("message", "authors", "type") if not CITATION.get(key)] == []
