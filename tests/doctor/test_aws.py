from __future__ import annotations

import pytest

from akto_proxy.doctor import aws
from akto_proxy.doctor.aws import Endpoint, Service
from akto_proxy.doctor.result import State, Trouble

NAME = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
ENDPOINT = Endpoint("vpce-1", "available", NAME, False, ("us-east-1a", "us-east-1b"), ("sg-1",), ("vpce-1.x.aws",))
SERVICE = Service(("us-east-1a", "us-east-1b", "us-east-1c"))
OPEN = {"sg-1": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": "sg-proxy"}]}]}


def changed(endpoint: Endpoint = ENDPOINT, service: Service = SERVICE, rules=OPEN):
    return {r.name: r for r in aws.verdicts(endpoint, service, rules, NAME)}


def test_an_endpoint_that_is_well():
    assert {r.state for r in changed().values()} == {State.OK}


@pytest.mark.parametrize(
    "state", ["pendingAcceptance", "pending", "rejected", "failed", "deleted", "expired", "new one"]
)
def test_each_state_but_available_is_a_failure_with_a_fix(state: str):
    result = aws.state(Endpoint("vpce-1", state, NAME, False, (), ()))
    assert result.state is State.FAIL
    assert state in result.what
    assert result.fix


def rule(**fields):
    return {"sg-1": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **fields}]}


@pytest.mark.parametrize(
    ("rules", "state"),
    [
        ({}, State.FAIL),
        (rule(FromPort=80, ToPort=80, IpRanges=[{"CidrIp": "10.0.0.0/8"}]), State.FAIL),
        (rule(IpProtocol="udp", IpRanges=[{"CidrIp": "10.0.0.0/8"}]), State.FAIL),
        (rule(), State.FAIL),
        (rule(IpRanges=[{"CidrIp": "10.0.0.0/8"}]), State.OK),
        (rule(FromPort=0, ToPort=65535, IpRanges=[{"CidrIp": "10.0.0.0/8"}]), State.OK),
        ({"sg-1": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-2"}]}]}, State.OK),
        (rule(IpRanges=[{"CidrIp": "0.0.0.0/0"}]), State.WARN),
        (rule(Ipv6Ranges=[{"CidrIpv6": "::/0"}]), State.WARN),
    ],
)
def test_security_groups_must_let_443_in_and_not_from_everywhere(rules, state: State):
    assert changed(rules=rules)["aws security group"].state is state


def test_zones_of_the_endpoint_must_be_zones_of_the_service():
    assert changed(service=Service(("us-east-1a",)))["aws zones"].state is State.FAIL
    one = Endpoint("vpce-1", "available", NAME, False, ("us-east-1a",), ("sg-1",))
    assert changed(one)["aws zones"].state is State.WARN
    assert changed(service=Service())["aws zones"].state is State.SKIP


def test_private_dns_says_what_to_connect_to():
    assert "CONNECT_TO=vpce-1.x.aws" in changed()["aws private dns"].what
    result = changed(service=Service(SERVICE.zones, "abc.example"))["aws private dns"]
    assert result.state is State.WARN


def test_no_endpoint_in_this_account():
    results = aws.verdicts(None, Service(error="InvalidServiceName"), {}, NAME)
    assert [r.state for r in results] == [State.FAIL, State.FAIL]
    assert {r.trouble for r in results} == {Trouble.REACH}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch):
    moto = pytest.importorskip("moto", reason="pip install 'moto[ec2]' to try what asks AWS")
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        import boto3

        yield boto3.client("ec2")


def connected(ec2, service: str, *, opened: bool) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    zones = ("us-east-1a", "us-east-1b")
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate(zones)
    ]
    group = ec2.create_security_group(GroupName="endpoint", Description="x", VpcId=vpc)["GroupId"]
    if opened:
        permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.7.0.0/16"}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=service, VpcEndpointType="Interface", SubnetIds=subnets, SecurityGroupIds=[group]
    )


@pytest.mark.parametrize("opened", [True, False])
def test_what_aws_says_is_gathered(account, opened: bool):
    connected(account, NAME, opened=opened)
    found = {r.name: r for r in aws.gather(NAME, "us-east-1")}
    assert found["aws endpoint"].state is State.OK
    assert found["aws security group"].state is (State.OK if opened else State.FAIL)
    assert found["aws service"].state is State.FAIL, "moto knows no such service, as AWS does for a wrong account"


def test_an_account_without_the_endpoint(account):
    assert aws.gather(NAME, "us-east-1")[0].state is State.FAIL


def test_without_credentials_aws_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path):
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    [result] = aws.gather(NAME, "us-east-1")
    assert result.state is State.SKIP
