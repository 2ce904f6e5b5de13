"""The credential helper as it would be in Python: the same agent, the same answer."""

import argparse
import json
import os
import socket
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--role", required=True)
arguments = parser.parse_args()

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
    agent.settimeout(60)
    agent.connect(os.path.join(os.environ["VOUCH_RUNTIME_DIR"], "agent.sock"))
    agent.sendall(json.dumps({"v": 1, "op": "aws_credentials", "role": arguments.role}).encode() + b"\n")
    answer = json.loads(agent.makefile("rb").readline())

if "ok" not in answer:
    sys.exit("the agent has no credentials")
del answer["ok"]["kind"]
json.dump(answer["ok"], sys.stdout)
