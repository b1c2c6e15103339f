"""Writes the release into a template that `sam build` has made: the version of Cargo.toml, `+`, and the commit.

Usage: stamp.py TEMPLATE. RELEASE= in the environment gives another name.

Every text of the template that is the release (Globals.Function.Description) changes: the description of the functions,
the variable of get-health, the stack's output, the dashboard. The release is also the first word in the description of
each function's version, by which infra/deploy/releases.py finds the versions of a release. The name depends on the
sources alone, so the same commit makes the same template, and a deployment without a change changes nothing.
"""

import os
import pathlib
import re
import subprocess
import sys
import tomllib

from samcli.yamlhelper import yaml_dump, yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Lambda takes 256 characters for a version's description, and the settings of a function have up to 215.
NAME = re.compile(r"[0-9A-Za-z.+-]{1,40}")


def git(*arguments, given=None):
    """Returns the output of git. Empty if the project is no repository, or if there is no git."""
    try:
        ran = subprocess.run(["git", *arguments], cwd=ROOT, input=given, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return b""
    return ran.stdout.strip()


def name():
    """The release that these sources are: 0.1.0+2402c28d1f0a. Changes that are not committed add their hash."""
    if given := os.environ.get("RELEASE"):
        return given
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    parts = [git("rev-parse", "--short=12", "HEAD").decode()]
    if changes := git("diff", "HEAD"):
        parts.append("changed-" + git("hash-object", "--stdin", given=changes).decode()[:12])
    return "+".join([version, ".".join(parts)]).rstrip("+")


def replaced(node, old, new):
    """The same template with another release."""
    if isinstance(node, dict):
        return {key: replaced(value, old, new) for key, value in node.items()}
    if isinstance(node, list):
        return [replaced(value, old, new) for value in node]
    return new if node == old else node


def stamp(template, release):
    """Returns the template with this release. A template that names no release stays as it is."""
    old = template.get("Globals", {}).get("Function", {}).get("Description")
    if old is None:
        return template
    template = replaced(template, old, release)
    functions = [each for each in template["Resources"].values() if each["Type"] == "AWS::Serverless::Function"]
    for properties in (function["Properties"] for function in functions):
        settings = properties["VersionDescription"]
        if settings.get("Fn::Join", [None])[0] == "":  # an earlier stamp
            settings = settings["Fn::Join"][1][1]
        properties["VersionDescription"] = {"Fn::Join": ["", [f"{release} ", settings]]}
    return template


def main(path):
    release = name()
    if not NAME.fullmatch(release):
        sys.exit(f"{release!r} can't name a release: it takes up to 40 letters, digits, dots, + and -.")
    path = pathlib.Path(path)
    path.write_text(yaml_dump(stamp(yaml_parse(path.read_text(encoding="utf-8")), release)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
