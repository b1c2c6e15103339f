"""Gives the nested templates of a stack on the emulator the addresses that they have on AWS, where `sam delete` finds them.

Usage: nested_at_s3.py ENDPOINT STACK. `sam deploy` writes the address that the SDK is given for S3, which is the emulator's;
`sam delete` takes only addresses that begin with https://s3. The emulator reads the template from either.
"""

import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def main(endpoint, stack):
    cloudformation = boto3.client("cloudformation", endpoint_url=endpoint)
    template = json.dumps(cloudformation.get_template(StackName=stack)["TemplateBody"])
    bucket = template.split(f"{endpoint}/", 1)[1].split("/", 1)[0]
    at_s3 = f"https://s3.{cloudformation.meta.region_name}.amazonaws.com/"
    body = template.replace(f"{endpoint}/", at_s3).encode()
    # A request itself may bring 51,200 bytes.
    boto3.client("s3", endpoint_url=endpoint).put_object(Bucket=bucket, Key=f"{stack}.json", Body=body)
    parameters = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Parameters"]
    cloudformation.update_stack(
        StackName=stack,
        TemplateURL=f"{at_s3}{bucket}/{stack}.json",
        Parameters=[{"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in parameters],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (BotoCoreError, ClientError, IndexError) as error:
        sys.exit(f"The nested templates could not be given S3's addresses: {error}")
