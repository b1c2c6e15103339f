"""Prints the value of a merchant's plan key. On AWS the authorizer gives it to the gateway; the emulator expects it from
the client.

Usage: plan_key.py ENDPOINT MERCHANT
"""

import sys

import boto3

endpoint, merchant = sys.argv[1:]
pages = boto3.client("apigateway", endpoint_url=endpoint).get_paginator("get_api_keys").paginate(includeValues=True)
keys = [key["value"] for page in pages for key in page["items"] if merchant in key["name"]]
if not keys:
    sys.exit(f"The gateway has no plan key of {merchant}.")
print(keys[0])
