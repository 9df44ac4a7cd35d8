"""Builds the package with hatchling, once the licence and the contract have come here from the repository. An archive has them already."""

import shutil
from pathlib import Path

from hatchling import build as hatchling
from hatchling.build import *  # noqa: F403

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent


def _bring() -> None:
    if not (REPOSITORY / "wit").is_dir():
        return
    shutil.copyfile(REPOSITORY / "LICENSE", HERE / "LICENSE")
    for package in ("tool", "kubernetes"):
        shutil.copytree(REPOSITORY / "wit" / package, HERE / "src/sandbar_tool/wit" / package, dirs_exist_ok=True)


def build_sdist(*arguments):
    _bring()
    return hatchling.build_sdist(*arguments)


def build_wheel(*arguments):
    _bring()
    return hatchling.build_wheel(*arguments)


def build_editable(*arguments):
    _bring()
    return hatchling.build_editable(*arguments)
