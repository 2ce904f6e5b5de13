"""Makes AWS calls with boto3: a JSON list of calls on stdin, a JSON list of answers on stdout.

A call is {"service", "operation", "parameters", "keys": {"access_key_id", "secret_access_key", "session_token"?}} or,
in place of keys, {"profile"}. An answer is {"result"} or {"error": {"code", "message"}}.
"""

import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def session(call):
    if "profile" in call:
        return boto3.Session(profile_name=call["profile"])
    keys = call["keys"]
    return boto3.Session(
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
        aws_session_token=keys.get("session_token"),
    )


clients = {}


def answer(call):
    key = json.dumps([call["service"], call.get("profile"), call.get("keys")])
    try:
        if key not in clients:
            region = call.get("region", "us-east-1")
            clients[key] = session(call).client(call["service"], region_name=region)
        result = getattr(clients[key], call["operation"])(**call["parameters"])
        result.pop("ResponseMetadata", None)
        return {"result": result}
    except ClientError as error:
        return {"error": {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}}
    except BotoCoreError as error:
        return {"error": {"code": type(error).__name__, "message": str(error)}}


json.dump([answer(call) for call in json.load(sys.stdin)], sys.stdout, default=str)
