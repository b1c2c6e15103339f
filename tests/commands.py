"""The commands that the pages and the stack's outputs tell an operator to type: a shell runs each as it is written.

Usage: commands.py check       with stand-ins for every program: each variable is set, and the SAM CLI and AWS's own
                               model of its services know each command, option and value
       commands.py run STACK   the same on the emulator that AWS's own variables name, but for what NOT_THERE says

There is no AWS CLI here. Its commands are made of the model that botocore carries, and so is what is looked at here.
"""

import contextlib
import functools
import json
import os
import pathlib
import re
import socketserver
import subprocess
import sys
import tempfile
import threading

import boto3
import botocore.session
import jmespath
from botocore import xform_name
from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator
from samcli.yamlhelper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("docs/runbooks/*.md"))]
# What the commands of all other pages take for given, and how a runbook says so.
FIRST = ROOT / "docs/deploy.md"
LINK = "../deploy.md#before-any-command"
WORKFLOW = ROOT / ".github/workflows/deploy.yml"
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
# A whole command in the middle of a sentence: one with an option.
SPAN = re.compile(r"`((?:aws|sam|cargo|make) [^`]* --?[^`]*)`")

# Options of the AWS CLI itself. `logs tail` is no operation of a service:
# https://docs.aws.amazon.com/cli/latest/reference/logs/tail.html
GLOBAL = {"--region", "--profile", "--query", "--output"}
TAIL = {"--since", "--filter-pattern", "--follow", "--format"}

# What the emulator does not know, or would end the stack for the pages that follow.
NOT_THERE = [
    ["sqs", "start-message-move-task"],
    ["dynamodbstreams", "get-shard-iterator"],
    ["dynamodbstreams", "get-records"],
    ["dynamodb", "update-table"],
    ["dynamodb", "delete-table"],
    ["s3api", "put-object"],
    ["cloudformation", "create-change-set"],
    ["cloudformation", "describe-change-set"],
    ["cloudformation", "delete-change-set"],
    # promoting.py makes the provider and the deploying roles.
    ["iam", "create-open-id-connect-provider"],
    ["cloudformation", "create-stack"],
    # No trail is there, and no role of a person.
    ["cloudtrail", "get-event-selectors"],
    ["cloudtrail", "put-event-selectors"],
    ["iam", "attach-role-policy"],
    ["dynamodb", "restore-table-from-backup"],
]


# What a command prints that is not run: long enough for an ARN, and for the 36 characters of a trigger's id.
STAND_IN = "stand-in-for-what-AWS-would-answer-0"


class Wrong(Exception):
    """What is wrong with a command, in a sentence."""


def there(path):
    if not (ROOT / path).is_file():
        raise Wrong(f"there is no {path}")


@functools.cache
def template():
    return yaml_parse((ROOT / "infra/template.yaml").read_text(encoding="utf-8"))


def in_the_template(logical_id):
    if logical_id not in template()["Resources"]:
        raise Wrong(f"the template has no {logical_id}")
    if "Condition" in template()["Resources"][logical_id]:
        raise Wrong(f"not every stack has {logical_id}: use an output of the stack, as TableName")


# What an `aws` command is.


def value_of(shape, words):
    """A parameter's value, as the CLI reads it from the words behind its option."""
    if shape.type_name == "boolean":
        return True
    if not words:
        raise Wrong("an option lacks its value")
    if shape.type_name == "list":
        if words == [STAND_IN]:  # what another command would have printed
            return []
        return json.loads(words[0]) if words[0][0] == "[" else [value_of(shape.member, [word]) for word in words]
    if len(words) > 1:
        raise Wrong(f"{words[1:]} belongs to no option")
    [word] = words
    if shape.type_name in ("structure", "map"):
        return json.loads(word) if word[0] == "{" else dict(pair.split("=", 1) for pair in word.split(","))
    if shape.type_name in ("integer", "long"):
        return int(word)
    if shape.type_name == "timestamp":
        return parse_timestamp(word)
    # The reader puts something in the place of an ellipsis.
    return word.replace("…", "0" * 40)


def options_of(words, known):
    """Option → the words behind it."""
    options = {}
    for word in words:
        if word.startswith("--"):
            if word not in known:
                raise Wrong(f"there is no option {word}")
            options[word] = []
        elif not options:
            raise Wrong(f"{word} belongs to no option")
        else:
            options[list(options)[-1]].append(word)
    return options


def call_of(service, operation, *words):
    """Operation, parameters, and the options of the CLI itself; Wrong where AWS's model knows no such call."""
    if [service, operation] == ["logs", "tail"]:
        group, *words = words
        return "filter_log_events", {"logGroupName": group}, options_of(words, TAIL | GLOBAL)
    service = {"s3api": "s3"}.get(service, service)
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        raise Wrong(f"there is no service {service}")
    model = session.get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in names:
        raise Wrong(f"{service} has no {operation}")
    shape = model.operation_model(names[operation]).input_shape
    members = {"--" + xform_name(name, "-"): name for name in shape.members}
    switches = [name for name, member in shape.members.items() if member.type_name == "boolean"]
    negated = {"--no-" + xform_name(name, "-"): name for name in switches}
    options = options_of(words, members.keys() | negated.keys() | GLOBAL)
    parameters = {name: False for option, name in negated.items() if option in options}
    for option, name in members.items():
        if option in options:
            parameters[name] = value_of(shape.members[name], options[option])
    if faults := ParamValidator().validate(parameters, shape).generate_report():
        raise Wrong(faults)
    return xform_name(names[operation]), parameters, options


def aws(words, emulated):
    if emulated and words[:2] in NOT_THERE:  # `check` looks at it; here an output may be empty that it would name
        return STAND_IN
    operation, parameters, options = call_of(*words)
    [query] = options.get("--query", ["@"])
    query = jmespath.compile(query)
    if not emulated:
        for logical_id in options.get("--logical-resource-id", []):
            in_the_template(logical_id)
    if not emulated:
        return STAND_IN
    answer = query.search(getattr(boto3.client(words[0]), operation)(**parameters))
    if options.get("--output") == ["text"]:
        return "\t".join(map(str, answer)) if isinstance(answer, list) else str(answer)
    return json.dumps(answer, default=str)


# What the other programs' commands are.


def sam_on_the_emulator(words):
    if words[:2] != ["remote", "invoke"]:
        return STAND_IN
    program = pathlib.Path(sys.executable).with_name("sam")
    ran = subprocess.run([program, *words], cwd=ROOT, text=True, capture_output=True, stdin=subprocess.DEVNULL)
    # A function refuses an id in which the reader puts something in the place of an ellipsis or of ID.
    refused = '"errorMessage"' in ran.stdout and not any("…" in word or "_ID" in word for word in words)
    if ran.returncode != 0 or refused:
        raise Wrong(ran.stdout + ran.stderr)
    return ran.stdout


def sam(words, emulated):
    if emulated:
        return sam_on_the_emulator(words)
    import click
    from samcli.cli.main import cli

    # It loads its commands only in a context of some kind.
    command, path, rest, context = cli, [], list(words), click.Context(cli, obj=object())
    while isinstance(command, click.Group):
        path.append(rest.pop(0))
        command = command.get_command(context, path[-1])
    if command is None:
        raise Wrong(f"sam has no {' '.join(path)}")
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    for word in rest:
        if word.startswith("-") and word not in known:
            raise Wrong(f"there is no option {word}")
    if path == ["remote", "invoke"]:
        in_the_template(rest[0])
        if "--event-file" in rest:
            there(rest[rest.index("--event-file") + 1])
        else:
            json.loads(rest[rest.index("--event") + 1])
    return STAND_IN


def make(words, _):
    targets = "".join((ROOT / name).read_text(encoding="utf-8") for name in ["Makefile", "infra/tools/tools.mk"])
    if not re.search(rf"^\.PHONY:.* {re.escape(words[0])}( |$)", targets, re.MULTILINE):
        raise Wrong(f"make has no {words[0]}")
    for word in words:
        name, given, value = word.partition("=")
        if name == "EVENT":
            there(value)
        if given and name != name.upper() and name not in template()["Parameters"]:
            raise Wrong(f"the template has no parameter {name}")
    return ""


def cargo(words, _):
    if "--data-file" in words:
        there(words[words.index("--data-file") + 1])
    return ""


def other(_words, _emulated):
    return STAND_IN


PROGRAMS = {"aws": aws, "sam": sam, "make": make, "cargo": cargo, "curl": other, "grep": other, "sed": other}


def said_or_fault(program, words, emulated=False):
    """What the command prints, or None, and what is wrong with it, or None."""
    try:
        if "/dev/stdout" in words:
            raise Wrong("/dev/stdout is written over where the output goes to a file")
        return PROGRAMS[program](words, emulated), None
    except Exception as error:  # of whatever kind: it is no command of that program
        return None, f"{program} {' '.join(words)}: {error}"


# What is typed.

# Stands on the shell's PATH in a program's stead: notes its arguments, or asks this process to do on the emulator what
# they say. A process for each of the 250 commands would load AWS's models each time, which takes a second.
NOTES = """#!/bin/sh
printf '%s\\0' {name} "$@" >>"$NOTED"
printf '\\036' >>"$NOTED"
echo "$STAND_IN"
"""
ASKS = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect(os.environ["SOCKET_PATH"])
    with asked.makefile("rw") as lines:
        lines.write(json.dumps(["{name}", *sys.argv[1:]]) + "\\n")
        lines.flush()
        said, fault = json.loads(lines.readline())
if fault is None:
    print(said)
sys.exit(fault)
"""


class Answers(socketserver.StreamRequestHandler):
    """Does one command on the emulator."""

    def handle(self):
        program, *words = json.loads(self.rfile.readline())
        answer = said_or_fault(program, words, emulated=True)
        self.wfile.write(json.dumps(answer).encode() + b"\n")


@contextlib.contextmanager
def answering():
    """Answers stand-ins. Yields the path of the socket on which they ask."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder, "socket"))
        with socketserver.UnixStreamServer(path, Answers) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield path
            finally:
                server.shutdown()


def fault_in(script, socket_path=None):
    """What is wrong with the script, or None. With a path of `answering`, its commands are done on the emulator."""
    with tempfile.TemporaryDirectory() as folder:
        programs, noted = pathlib.Path(folder, "programs"), pathlib.Path(folder, "noted")
        programs.mkdir()
        noted.touch()
        for name in PROGRAMS:
            program = programs / name
            program.write_text((ASKS if socket_path else NOTES).format(name=name, python=sys.executable))
            program.chmod(0o755)
        own = ["STACK", "TABLE", "QUEUE", "URL", "KEY"]
        env = {name: value for name, value in os.environ.items() if name not in own}
        env |= {"PATH": f"{programs}:{env['PATH']}", "NOTED": str(noted), "STAND_IN": STAND_IN}
        env |= {"SOCKET_PATH": socket_path} if socket_path else {}
        # A failed command ends it, also where its output goes into a variable; so does a variable that is not set.
        bash = ["bash", "-euo", "pipefail", "-c", f"shopt -s inherit_errexit\n{script}"]
        ran = subprocess.run(bash, cwd=folder, env=env, text=True, capture_output=True, stdin=subprocess.DEVNULL)
        if ran.returncode != 0:
            return ran.stderr.strip()
        commands = [note.split("\0")[:-1] for note in noted.read_text().split("\x1e")[:-1]]
    faults = (said_or_fault(program, words)[1] for program, *words in commands)
    return next(filter(None, faults), None)


def scripts(stack, region):
    """Page or output → all that it has an operator type."""
    first = next(block for block in BLOCK.findall(FIRST.read_text(encoding="utf-8")) if "export " in block)
    found = {}
    # Ids are derived from what they are made of, so the samples name what the commands of a page before have made.
    made = json.loads((ROOT / "events/revoke-api-key/with-overlap.json").read_text())
    # A page revokes no key that another page needs.
    spare = json.loads((ROOT / "events/revoke-api-key/at-once.json").read_text())
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = BLOCK.findall(text)
        if page.parent.name == "runbooks" and blocks and LINK not in text:
            sys.exit(f"{page} does not say where STACK and AWS_REGION come from: {LINK}")
        spans = [span.replace("\n", " ") for span in SPAN.findall(BLOCK.sub("", text))]
        script = re.sub(r"STACK=spillway(-[a-z]+)?", f"STACK={stack}", "\n".join([first, *blocks, *spans]))
        script = script.replace("mer_ID", spare["merchant"]).replace("key_ID", spare["key"])
        found[str(page.relative_to(ROOT))] = script.replace("AWS_REGION=eu-central-1", f"AWS_REGION={region}")
    commands = re.findall(r"^ *- run: (.+)$", WORKFLOW.read_text(encoding="utf-8"), re.MULTILINE)
    found[str(WORKFLOW.relative_to(ROOT))] = "\n".join(commands)
    values = {"${AWS::StackName}": stack, "${AWS::Region}": region, "mer_ID": made["merchant"], "key_ID": made["key"]}
    for name, output in template()["Outputs"].items():
        if name.endswith("Command"):
            command = output["Value"]["Fn::Sub"]
            for placeholder, value in values.items():
                command = command.replace(placeholder, value)
            found[name] = command
    return found


def type_all(stack, region, socket_path=None):
    faults = []
    for source, script in scripts(stack, region).items():
        print(source)
        if fault := fault_in(script, socket_path):
            faults.append(f"{source}: {fault}")
    if faults:
        sys.exit("\n".join(faults))


# A command that nobody can type, and what its fault must say.
FAULT = ("QUEUE=$(aws sqs purge-queue --queue-urls q)", "no option --queue-urls")


def check():
    script, expected = FAULT
    fault = fault_in(script)
    if fault is None or expected not in fault:
        sys.exit(f"{script}: {expected!r} is expected and not {fault!r}")
    type_all("spillway", "eu-central-1")


def main(how, *words):
    if how == "check":
        check()
    else:
        with answering() as socket_path:
            type_all(words[0], os.environ["AWS_REGION"], socket_path)


if __name__ == "__main__":
    main(*sys.argv[1:])
