"""The steps of jobs/Containerfile, and how they are taken in folders instead of containers."""

import json
import re
import shlex
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from holding import HANG_S
from launching import ROOT

CONTAINERFILE = ROOT / "jobs" / "Containerfile"


def joined(text: str) -> str:
    """A recipe without comments, each instruction on one line."""
    return re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")


def steps() -> Iterator[tuple[str, str]]:
    """Each instruction with what it is given, continued lines joined."""
    for line in joined(CONTAINERFILE.read_text(encoding="utf-8")).splitlines():
        if line:
            word, _, rest = line.partition(" ")
            yield word, " ".join(rest.split())


@dataclass
class Stage:
    """One stage, as a folder that commands see as their root, with /proc, /sys and /dev of this machine."""

    root: Path
    workdir: str = "/"
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})

    def call(self, command: list[str], **environment: str) -> subprocess.CompletedProcess:
        """Runs a command. Mounts are of its own name space: they go with it."""
        variables = [f"{name}={value}" for name, value in (self.environment | environment).items()]
        line = [*self.enter(self.user), "env", "-i", f"--chdir={self.workdir}", *variables, *command]
        return subprocess.run(line, capture_output=True, text=True, timeout=HANG_S)

    def enter(self, user: str, also: str = "") -> list[str]:
        """What a command is put behind to find itself in the stage; `also` is a further folder to share."""
        mount = f'for name in proc sys dev {also}; do mount --rbind /$name "$0/$name"; done'
        return ["unshare", "--mount", "sh", "-ec", f'{mount}; exec chroot --userspec={user} "$0" "$@"', str(self.root)]

    def run(self, command: str) -> None:
        trusted = ssl.get_default_verify_paths().cafile
        if trusted:  # pip brings certificates of its own; this machine's way to packages may need others
            shutil.copy(trusted, self.root / "trusted.pem")
        done = self.call(["/bin/sh", "-c", command], **({"PIP_CERT": "/trusted.pem"} if trusted else {}))
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    def copy(self, names: str, stages: dict[str, "Stage"]) -> None:
        *sources, target = shlex.split(names)
        origin = stages[sources.pop(0).removeprefix("--from=")].root if sources[0].startswith("--from=") else ROOT
        place = self.root / Path(self.workdir, target).relative_to("/")
        for source in (origin / name.lstrip("/") for name in sources):
            if source.is_dir():
                shutil.copytree(source, place, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, place)

    def take(self, word: str, rest: str, stages: dict[str, "Stage"]) -> None:
        """One step, other than FROM."""
        if word == "RUN":
            self.run(rest)
        elif word == "COPY":
            self.copy(rest, stages)
        elif word == "WORKDIR":
            self.workdir = rest
            (self.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "USER":
            self.user = rest
        elif word == "ENV":
            self.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "ENTRYPOINT":
            self.entrypoint = json.loads(rest)
        else:
            raise NotImplementedError(f"{CONTAINERFILE}: {word}: not taken here; add it to Stage.take")


def build(base: Path, folder: Path) -> Stage:
    """The last stage, with all steps taken; `base` stands for the image that FROM names."""
    stages: dict[str, Stage] = {}
    for word, rest in steps():
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "last"
            subprocess.run(["cp", "-a", base, folder / name], check=True, timeout=HANG_S)
            stage = stages[name] = Stage(folder / name)
        else:
            stage.take(word, rest, stages)
    return stage
