"""A local S3 server with a bucket, and who may do what there."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "team"
READ = ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]
WRITE = [*READ, "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"]


@dataclass(frozen=True)
class User:
    key: str
    secret: str


@dataclass(frozen=True)
class S3Server:
    url: str
    writer: User
    reader: User

    def objects(self) -> dict[str, int]:
        """Size by key."""
        listed = self.client().list_objects_v2(Bucket=BUCKET)
        return {entry["Key"]: entry["Size"] for entry in listed.get("Contents", [])}

    def client(self) -> Any:
        return _client("s3", self.url, self.writer)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Serve until the end; requests without the right to what they ask are refused."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # Its state is the process's: an earlier server's users would still be there.
    with urllib.request.urlopen(f"{url}/moto-api/reset", data=b"", timeout=10):
        pass
    _client("s3", url, User("root", "root")).create_bucket(Bucket=BUCKET)
    users = [_user(url, name, actions) for name, actions in (("w", WRITE), ("r", READ))]
    _check_rights_after(url, 0)
    try:
        yield S3Server(url, *users)
    finally:
        _check_rights_after(url, float("inf"))
        server.stop()


def _check_rights_after(url: str, num_requests: float) -> None:
    request = urllib.request.Request(
        f"{url}/moto-api/reset-auth",
        data=str(num_requests).encode(),
        headers={"Content-Type": "text/plain"},
    )
    with urllib.request.urlopen(request, timeout=10):
        pass


def _user(url: str, name: str, actions: list[str]) -> User:
    iam = _client("iam", url, User("root", "root"))
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return User(made["AccessKeyId"], made["SecretAccessKey"])


def _client(service: str, url: str, user: User) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=user.key,
        aws_secret_access_key=user.secret,
    )
