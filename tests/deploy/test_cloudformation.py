"""The CloudFormation template: linted, and created on moto (an imitation of AWS) for each way of name resolution."""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.config.settings import Settings, load
from akto_proxy.doctor import aws as doctor_aws
from akto_proxy.doctor.result import State

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto")
cfnlint = pytest.importorskip("cfnlint")

FILE = Path(__file__).parents[2] / "deploy" / "cloudformation" / "akto-proxy.yaml"
REGION = "us-east-1"
HOST = "abc123.us-east-1.aws.endpoints.huggingface.cloud"
SERVICE = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:akto-AbCdEf"
UNKNOWN_TO_MOTO = {
    "AWS::EC2::SecurityGroupEgress",
    "AWS::SecretsManager::Secret",
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
}
"""Moto 5.2 skips these; cfn-lint alone has looked at them."""


@dataclass
class Stack:
    """A created stack, and clients to ask what is there."""

    vpc: str
    subnets: list[str]
    ids: dict[str, str]
    outputs: dict[str, str]

    def client(self, name: str) -> Any:
        return boto3.client(name, REGION)

    def group(self, name: str) -> dict[str, Any]:
        found = self.client("ec2").describe_security_groups(GroupIds=[self.ids[name]])
        group: dict[str, Any] = found["SecurityGroups"][0]
        return group

    def container(self) -> dict[str, Any]:
        ecs = self.client("ecs")
        task = ecs.describe_task_definition(taskDefinition=ecs.list_task_definitions()["taskDefinitionArns"][0])
        container: dict[str, Any] = task["taskDefinition"]["containerDefinitions"][0]
        return container

    def environ(self) -> dict[str, str]:
        return {item["name"]: item["value"] for item in self.container()["environment"]}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from moto.ec2.models.vpcs import VPCEndPoint

    def entries(self: Any, name: str) -> list[str]:  # moto's endpoint has no attributes; AWS documents this form
        assert name == "DnsEntries"
        return [f"Z7HUB22UULQXV:{self.id}-x1.vpce-svc-0123456789abcdef0.us-east-1.vpce.amazonaws.com"]

    monkeypatch.setattr(VPCEndPoint, "get_cfn_attribute", entries, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    with moto.mock_aws(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def create(**parameters: str) -> Stack:
    ec2, formation = boto3.client("ec2", REGION), boto3.client("cloudformation", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=REGION + zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    told = {
        "VpcId": vpc,
        "SubnetIds": ",".join(subnets),
        "EndpointHost": HOST,
        "EndpointServiceName": SERVICE,
        "Image": "registry.example/akto-agent-proxy@sha256:" + "0" * 64,
        **parameters,
    }
    formation.create_stack(
        StackName="akto",
        TemplateBody=FILE.read_text("utf-8"),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in told.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    made = formation.describe_stack_resources(StackName="akto")["StackResources"]
    ids = {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in made if "LogicalResourceId" in item}
    stack = formation.describe_stacks(StackName="akto")["Stacks"][0]
    return Stack(vpc, subnets, ids, {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]})


def certificate() -> str:
    arn: str = boto3.client("acm", REGION).request_certificate(DomainName="proxy.corp.example")["CertificateArn"]
    return arn


def endpoint(stack: Stack) -> dict[str, Any]:
    found = stack.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[stack.ids["HuggingFace"]])
    made: dict[str, Any] = found["VpcEndpoints"][0]
    return made


def ports(group: dict[str, Any], direction: str = "IpPermissions") -> list[int]:
    return [rule["FromPort"] for rule in group[direction]]


def sources(group: dict[str, Any]) -> set[str]:
    return {pair["GroupId"] for rule in group["IpPermissions"] for pair in rule.get("UserIdGroupPairs", [])}


def test_the_linter_finds_nothing():
    from cfnlint.api import lint_file

    assert [str(match) for match in lint_file(FILE)] == []


def test_what_moto_cannot_make_is_known():
    kinds = {item["Type"] for item in template()["Resources"].values()}
    assert kinds >= UNKNOWN_TO_MOTO


def template() -> dict[str, Any]:
    from cfnlint.decode import decode

    decoded: dict[str, Any] = decode(str(FILE))[0]
    return decoded


def test_the_balancer_waits_for_slow_models_and_is_strict():  # moto takes no attributes of a balancer
    attributes = {item["Key"]: item["Value"] for item in properties("Balancer")["LoadBalancerAttributes"]}
    assert attributes["idle_timeout.timeout_seconds"] == {"Ref": "IdleTimeout"}
    assert template()["Parameters"]["IdleTimeout"]["Default"] > load({}).pool_idle
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"


def test_the_private_zone_is_of_this_vpc_and_this_name_only():  # moto does not read VPCs of a zone
    zone = properties("Zone")
    assert zone["Name"] == {"Ref": "EndpointHost"}
    assert zone["VPCs"] == [{"VPCId": {"Ref": "VpcId"}, "VPCRegion": {"Ref": "AWS::Region"}}]


def test_the_generated_deployment_key_is_one_that_the_program_takes():
    asked = properties("DeploymentKey")["GenerateSecretString"]
    assert asked == {"PasswordLength": 44, "ExcludePunctuation": True}
    assert len(load({"DEPLOYMENT_KEY": "Ab9" * 14 + "zZ"}).master_key) == 33


def test_the_program_stops_before_its_container_is_killed():
    environ = {item["Name"]: item["Value"] for item in properties("Task")["ContainerDefinitions"][0]["Environment"]}
    drain = float(environ["DRAIN_TIMEOUT"])
    assert drain + 5 < properties("Task")["ContainerDefinitions"][0]["StopTimeout"] <= 120


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = template()["Resources"][name]["Properties"]
    return found


@pytest.mark.usefixtures("cloud")
class TestCreated:
    def test_the_way_is_clients_balancer_proxy_endpoint_and_no_other(self):
        stack = create(CertificateArn=certificate())
        made = endpoint(stack)
        assert (made["VpcEndpointType"], made["ServiceName"]) == ("Interface", SERVICE)
        assert sorted(made["SubnetIds"]) == sorted(stack.subnets)
        assert [group["GroupId"] for group in made["Groups"]] == [stack.ids["EndpointGroup"]]
        guard, proxy, balancer = stack.group("EndpointGroup"), stack.group("ProxyGroup"), stack.group("BalancerGroup")
        assert (ports(guard), sources(guard)) == ([443], {stack.ids["ProxyGroup"]})
        assert (ports(proxy), sources(proxy)) == ([8080], {stack.ids["BalancerGroup"]})
        assert ports(balancer) == [443]
        assert [r["CidrIp"] for r in balancer["IpPermissions"][0]["IpRanges"]] == ["10.0.0.0/8"]

    def test_the_balancer_is_inside(self):
        stack = create(CertificateArn=certificate())
        elb = stack.client("elbv2")
        balancer = elb.describe_load_balancers()["LoadBalancers"][0]
        assert balancer["Scheme"] == "internal"
        listener = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]
        assert (listener["Port"], listener["Protocol"]) == (443, "HTTPS")
        assert elb.describe_target_groups()["TargetGroups"][0]["HealthCheckPath"] == "/readyz"
        assert stack.outputs["Url"].startswith("https://")

    def test_without_a_certificate_it_is_plain_http_inside(self):
        stack = create()
        assert ports(stack.group("BalancerGroup")) == [80]
        assert stack.outputs["Url"].startswith("http://")

    def test_the_container_may_do_little_and_its_secrets_come_from_secrets_manager(self):
        container = create(IngestionTokenArn=SECRET, LimitsUrlArn=SECRET, UpstreamTokenArn=SECRET).container()
        assert container["readonlyRootFilesystem"] is True
        assert container["user"] == "10001:10001"
        assert container["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
        secrets = {item["name"] for item in container["secrets"]}
        assert secrets == {"DEPLOYMENT_KEY", "AKTO_API_TOKEN", "LIMITS_URL", "UPSTREAM_TOKEN"}
        assert not secrets & {item["name"] for item in container["environment"]}

    def test_without_secrets_none_is_asked_for(self):
        stack = create()
        assert [item["name"] for item in stack.container()["secrets"] if item] == ["DEPLOYMENT_KEY"]
        assert stack.environ()["AUTH"] == "pass"

    @pytest.mark.parametrize("way", ["public-name", "private-dns", "private-zone", "connect-to"])
    def test_each_way_of_resolving_the_name(self, way: str):
        stack = create(NameResolution=way)
        name = stack.outputs["InterfaceEndpointName"]
        assert name.endswith(".vpce.amazonaws.com")
        assert endpoint(stack)["PrivateDnsEnabled"] is (way == "private-dns")
        assert stack.environ()["CONNECT_TO"] == (name if way == "connect-to" else "")
        zones = stack.client("route53").list_hosted_zones()["HostedZones"]
        assert [zone["Name"].rstrip(".") for zone in zones] == ([HOST] if way == "private-zone" else [])
        if zones:
            records = stack.client("route53").list_resource_record_sets(HostedZoneId=zones[0]["Id"])
            target = next(r["AliasTarget"] for r in records["ResourceRecordSets"] if r["Type"] == "A")
            assert (target["DNSName"].rstrip("."), target["HostedZoneId"]) == (name, "Z7HUB22UULQXV")

    def test_subnets_without_a_way_out_get_endpoints_for_aws_itself(self):
        ec2 = boto3.client("ec2", REGION)
        table = ec2.create_route_table(VpcId=ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"])
        stack = create(RouteTableIds=table["RouteTable"]["RouteTableId"])
        made = stack.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
        services = {item["ServiceName"].removeprefix("com.amazonaws.us-east-1.") for item in made}
        assert services == {SERVICE, "ecr.api", "ecr.dkr", "logs", "secretsmanager", "s3"}

    def test_doctor_calls_the_created_endpoint_well(self):
        create()
        results = {result.name: result for result in doctor_aws.gather(SERVICE, REGION)}
        assert results["aws security group"].state is State.OK, results
        failed = {name for name, result in results.items() if result.state is State.FAIL}
        assert failed == {"aws service"}, results  # moto knows no endpoint services but AWS's own

    def test_the_settings_are_ones_that_the_program_takes(self):
        environ = create(PolicyPacks="hipaa").environ()
        assert {name.lower() for name in environ} <= set(Settings.model_fields)
        settings = load(environ)
        assert settings.app_url == f"https://{HOST}"
        assert settings.packs == ("hipaa",)
        assert ipaddress.ip_network(settings.trusted_proxies[0]) == ipaddress.ip_network("10.0.0.0/8")
