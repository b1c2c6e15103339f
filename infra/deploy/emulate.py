"""What the emulator needs beside the deployed stack, because it differs from AWS there: docs/emulators.md.

Usage: emulate.py ENDPOINT STACK TEMPLATE. Prints the stack's outputs as JSON.
"""

import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samcli.yamlhelper import yaml_parse

# What IAM counts as the single action, and the emulator as one of its own.
BATCHES = {"sqs:SendMessage": "sqs:SendMessageBatch"}


def resources(cloudformation, stack, kind):
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return [resource["PhysicalResourceId"] for resource in found if resource["ResourceType"] == kind]


def answer_as_the_template_says(gateway, api, template):
    """The emulator passes over SAM's inline GatewayResponses; the same text is set one by one. Where that sets no status,
    AWS keeps the kind's own, which the text repeats, and the emulator would answer 500."""
    with open(template, encoding="utf-8") as text:
        described = yaml_parse(text.read())["Resources"]["Api"]["Properties"]
    refuse_other_methods(gateway, api, described)
    responses = described.get("GatewayResponses", {})
    for kind, response in responses.items():
        headers = response["ResponseParameters"]["Headers"].items()
        told = json.loads(response["ResponseTemplates"]["application/json"])["status"]
        gateway.put_gateway_response(
            restApiId=api,
            responseType=kind,
            statusCode=str(response.get("StatusCode", told)),
            responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers},
            responseTemplates=response["ResponseTemplates"],
        )
    gateway.create_deployment(restApiId=api, stageName=described["StageName"])


def refuse_other_methods(gateway, api, described):
    """The emulator imports no x-amazon-apigateway-any-method; the same mock is set for each path. It fills no $context in
    a mock, so that header and body of the answer both say the name in place of the value."""
    resources = gateway.get_paginator("get_resources").paginate(restApiId=api).search("items[]")
    resources = {resource["path"]: resource["id"] for resource in resources}
    for path, methods in described.get("DefinitionBody", {}).get("paths", {}).items():
        integration = methods["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]
        response = integration["responses"]["default"]
        headers = response["responseParameters"].items()
        method = {"restApiId": api, "resourceId": resources[path], "httpMethod": "ANY"}
        status = {**method, "statusCode": response["statusCode"]}
        gateway.put_method(**method, authorizationType="NONE", apiKeyRequired=False)
        gateway.put_method_response(**status, responseParameters={name: False for name, _ in headers})
        gateway.put_integration(
            **method,
            type="MOCK",
            passthroughBehavior=integration["passthroughBehavior"].upper(),
            requestTemplates=integration["requestTemplates"],
        )
        gateway.put_integration_response(
            **status,
            responseParameters={
                name: f"'${value}'" if value.startswith("context.") else value for name, value in headers
            },
            responseTemplates=response["responseTemplates"],
        )


def remember_as_long_as_asked(gateway, api, seconds):
    """The emulator expands the template with the parameters' defaults, whatever was given."""
    for authorizer in gateway.get_authorizers(restApiId=api)["items"]:
        ttl = {"op": "replace", "path": "/authorizerResultTtlInSeconds", "value": seconds}
        gateway.update_authorizer(restApiId=api, authorizerId=authorizer["id"], patchOperations=[ttl])


def count_concurrency(functions):
    """A number that a parameter brings stays text in the emulator, which then compares it with numbers."""
    for mapping in functions.get_paginator("list_event_source_mappings").paginate().search("EventSourceMappings[]"):
        limit = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
        if limit is not None:
            functions.update_event_source_mapping(
                UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": int(limit)}
            )


def name_batches(iam, role):
    """Where a role may send one message it may send ten: so it is on AWS, by the same action."""
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for statement in document["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            statement["Action"] = actions + [BATCHES[action] for action in actions if action in BATCHES]
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


def main(endpoint, stack, template):
    def client(service):
        return boto3.client(service, endpoint_url=endpoint)

    cloudformation = client("cloudformation")
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    given = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described["Parameters"]}
    for api in resources(cloudformation, stack, "AWS::ApiGateway::RestApi"):
        if "CacheSeconds" in given:
            remember_as_long_as_asked(client("apigateway"), api, given["CacheSeconds"])
        answer_as_the_template_says(client("apigateway"), api, template)
    count_concurrency(client("lambda"))
    for role in resources(cloudformation, stack, "AWS::IAM::Role"):
        name_batches(client("iam"), role)
    print(json.dumps({output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}, indent=2))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (BotoCoreError, ClientError, KeyError, OSError) as error:
        sys.exit(f"The emulator could not be made like AWS: {error!r}")
