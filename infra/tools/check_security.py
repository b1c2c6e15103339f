"""Examines the template with checkov, and compares its findings with the answers in infra/security.yaml.

Usage: .local/tools/sam/bin/python infra/tools/check_security.py. It needs no account and no network. It fails if a finding
has no answer, and if an answer has no finding, so that the list holds neither a forgotten risk nor an old excuse.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

from samcli.yamlhelper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANSWERS = ROOT / "infra/security.yaml"
CHECKOV = ROOT / ".local/tools/checkov/bin/checkov"


def expanded(path):
    """Returns the template as CloudFormation gets it, as text."""
    script = ROOT / "infra/tools/expand.py"
    run = subprocess.run([sys.executable, script, path, "Canary=true"], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{path} can't be expanded: {run.stderr.strip().splitlines()[-1]}")
    return run.stdout


def findings(text):
    """Returns the failed checks of a template as {(check, resource type): (name of the check, resources)}."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "template.json")
        file.write_text(text, encoding="utf-8")
        command = [CHECKOV, "--file", file, "--framework", "cloudformation", "--output", "json", "--quiet"]
        run = subprocess.run([*command, "--skip-download"], capture_output=True, text=True)
    try:
        answer = json.loads(run.stdout)
    except ValueError:
        sys.exit(f"checkov did not answer: {(run.stderr.strip() or 'no output').splitlines()[-1]}")
    if "results" not in answer or answer["summary"]["parsing_errors"]:
        sys.exit("checkov can't read the template.")
    found = {}
    for check in answer["results"]["failed_checks"]:
        kind, name = check["resource"].rsplit(".", 1)
        found.setdefault((check["check_id"], kind), (check["check_name"], []))[1].append(name)
    return answer["summary"]["passed"], found


def main():
    answers = yaml_parse(ANSWERS.read_text(encoding="utf-8"))
    answered = {(answer["check"], answer["resources"]) for answer in answers}
    # The nested template has alarms, queries and a dashboard, which checkov has no check for.
    passed, found = findings(expanded(ROOT / "infra/template.yaml"))
    faults = [
        f"{check} has no answer: {name}: {kind} {', '.join(sorted(resources))}"
        for (check, kind), (name, resources) in sorted(found.items())
        if (check, kind) not in answered
    ]
    faults += [f"{check} has an answer for {kind}, and no finding" for check, kind in sorted(answered - found.keys())]
    if faults:
        sys.exit("\n".join([*faults, f"Mend the template, or {ANSWERS.relative_to(ROOT)}."]))
    number = sum(len(resources) for _, resources in found.values())
    print(f"checkov: {passed} checks passed, {number} findings are answered in {ANSWERS.relative_to(ROOT)}")


main()
