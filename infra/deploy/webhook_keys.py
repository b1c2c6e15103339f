"""Prints the name and the fingerprint of each key from which a stack's webhook secrets are derived, and no key.

Usage: webhook_keys.py, with these variables:
  STACK=        the stack
  AWS_REGION=   its region
  ADD=1         adds a new key and makes it current. Makes the secret if it is lost
  FROM=         adds the keys that only this other secret has (name or ARN), or AWSPREVIOUS, the value before the last change

The keys of a table are in the secret `<table>/webhook-keys`: {"current": "1", "1": "…"}. No key is ever removed.
"""

import hashlib
import json
import os
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from operate import table_of

PREVIOUS = "AWSPREVIOUS"


def fingerprint(key):
    """As the functions compute it (shared/domain/src/webhook/endpoint.rs)."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def named(value):
    """Returns the keys of a value by their names."""
    return {name: key for name, key in value.items() if name != "current"}


class Keys:
    """The secret with the keys of a table."""

    def __init__(self, table):
        self.secrets = boto3.client("secretsmanager")
        self.name = f"{table}/webhook-keys"

    def read(self, secret=None, **version):
        """Returns the value of a secret, or of this one. None if it does not exist."""
        secret = secret or self.name
        try:
            value = json.loads(self.secrets.get_secret_value(SecretId=secret, **version)["SecretString"])
            return {"current": value["current"], **named(value)}
        except self.secrets.exceptions.ResourceNotFoundException:
            return None
        except (ValueError, KeyError, TypeError):
            sys.exit(f"The secret {secret} holds no JSON object of keys with the member \"current\".")
        except self.secrets.exceptions.InvalidRequestException:
            sys.exit(
                f"The secret {secret} is being deleted. If its keys are needed, take the deletion back first:"
                f" aws secretsmanager restore-secret --secret-id {secret}"
            )

    def new(self):
        """Returns a new key."""
        return self.secrets.get_random_password(PasswordLength=64, ExcludePunctuation=True)["RandomPassword"]

    def create(self, value, encrypted_by):
        """Makes the secret, encrypted by this KMS key (None: the one of Secrets Manager)."""
        self.secrets.create_secret(
            Name=self.name,
            Description="Keys of Spillway's webhook secrets. Without them no webhook can be signed.",
            SecretString=json.dumps(value),
            **({"KmsKeyId": encrypted_by} if encrypted_by else {}),
        )

    def replace(self, value):
        self.secrets.put_secret_value(SecretId=self.name, SecretString=json.dumps(value))


def key_of(table):
    """Returns the KMS key that encrypts a table, by its description. None if AWS owns the key."""
    return table.get("SSEDescription", {}).get("KMSMasterKeyArn")


def added(value, keys):
    """Returns the value with these keys, each under the next number."""
    value = dict(value)
    for key in keys:
        numbers = [int(name) for name in named(value) if name.isdigit()]
        value[str(max(numbers, default=0) + 1)] = key
    return value


def main():
    stack, add, source = os.environ.get("STACK"), os.environ.get("ADD") == "1", os.environ.get("FROM")
    if not stack or (add and source):
        sys.exit("Name the stack, and at most one of ADD and FROM: STACK=spillway AWS_REGION=eu-central-1 make webhook-keys")
    table = table_of(boto3, stack)
    keys = Keys(table)
    value = keys.read()
    if add:
        grown = added(value or {}, [keys.new()])
        grown["current"] = [*named(grown)][-1]
        if value is None:
            keys.create(grown, key_of(boto3.client("dynamodb").describe_table(TableName=table)["Table"]))
        else:
            keys.replace(grown)
        value = grown
    if value is None:
        sys.exit(f"The secret {keys.name} does not exist. ADD=1 makes it with a new key.")
    if source:
        other = keys.read(VersionStage=PREVIOUS) if source == PREVIOUS else keys.read(source)
        if other is None:
            sys.exit(f"The secret {keys.name} has no version before." if source == PREVIOUS else f"There is no secret {source}.")
        lacking = [key for key in named(other).values() if key not in named(value).values()]
        if lacking:
            value = added(value, lacking)
            keys.replace(value)
        print(f"{len(lacking)} keys were added.")
    for name, key in named(value).items():
        print(f"{name}  {fingerprint(key)}{'  current' if name == value['current'] else ''}")


if __name__ == "__main__":
    boto3.setup_default_session(region_name=os.environ.get("AWS_REGION"))
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS refuses a call: {error}")
