"""Corrects the deployed stack where the emulator differs from AWS: docs/emulators.md.

Usage: emulate.py ENDPOINT STACK TEMPLATE. Prints the stack's outputs as JSON.
"""

import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samcli.yamlhelper import yaml_parse

# On AWS the first right includes the second call. The emulator has a right of its own for the second.
BATCHES = {"sqs:SendMessage": "sqs:SendMessageBatch"}


def resources(cloudformation, stack, kind):
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return [resource["PhysicalResourceId"] for resource in found if resource["ResourceType"] == kind]


def set_gateway_responses(gateway, api, template):
    """Sets each of the template's GatewayResponses, because the emulator ignores them. Where the template sets no status, AWS
    keeps the status of the response type, which the text contains too, but the emulator would answer 500."""
    with open(template, encoding="utf-8") as text:
        described = yaml_parse(text.read())["Resources"]["Api"]["Properties"]
    set_mocks(gateway, api, described)
    responses = described.get("GatewayResponses", {})
    for kind, response in responses.items():
        headers = response["ResponseParameters"]["Headers"].items()
        status = json.loads(response["ResponseTemplates"]["application/json"])["status"]
        gateway.put_gateway_response(
            restApiId=api,
            responseType=kind,
            statusCode=str(response.get("StatusCode", status)),
            responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers},
            responseTemplates=response["ResponseTemplates"],
        )
    gateway.create_deployment(restApiId=api, stageName=described["StageName"])


def set_mocks(gateway, api, described):
    """Sets the mock of each path that refuses other methods, because the emulator ignores x-amazon-apigateway-any-method. It
    does not fill in $context, so header and body of the answer contain the variable's name instead of its value."""
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


def set_authorizer_cache(gateway, api, seconds):
    """Sets the time of the authorizer's cache, because the emulator uses the parameter's default."""
    for authorizer in gateway.get_authorizers(restApiId=api)["items"]:
        ttl = {"op": "replace", "path": "/authorizerResultTtlInSeconds", "value": seconds}
        gateway.update_authorizer(restApiId=api, authorizerId=authorizer["id"], patchOperations=[ttl])


def set_concurrency(functions):
    """Sets MaximumConcurrency as a number, because the emulator leaves a parameter's value as text."""
    for mapping in functions.get_paginator("list_event_source_mappings").paginate().search("EventSourceMappings[]"):
        limit = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
        if limit is not None:
            functions.update_event_source_mapping(
                UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": int(limit)}
            )


def allow_batches(iam, role):
    """Adds the right to send batches to each role that may send messages. On AWS it is the same right."""
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
            set_authorizer_cache(client("apigateway"), api, given["CacheSeconds"])
        set_gateway_responses(client("apigateway"), api, template)
    set_concurrency(client("lambda"))
    for role in resources(cloudformation, stack, "AWS::IAM::Role"):
        allow_batches(client("iam"), role)
    print(json.dumps({output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}, indent=2))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (BotoCoreError, ClientError, KeyError, OSError) as error:
        sys.exit(f"The stack could not be corrected for the emulator: {error!r}")
