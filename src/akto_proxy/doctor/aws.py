"""What AWS says of the interface endpoint: facts by boto3 (only with credentials), verdicts about them.

Looked at: the endpoint's state and service, its security groups (TCP 443 in), its subnets' zones against the service's,
and private DNS. Nothing is changed, and the calls need only ec2:Describe* permissions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from akto_proxy.doctor.result import Result, Trouble, fail, ok, skip, warn

REACH = Trouble.REACH
_STATES = {
    "pendingAcceptance": "the service's owner must accept it: check the AWS account id given to Hugging Face",
    "pending": "AWS is still making it: wait a few minutes",
    "rejected": "the service's owner rejected it: make it again from the account whose id Hugging Face knows",
    "expired": "nobody accepted it in time: delete it and make it again",
    "failed": "AWS could not make it: delete it and make it again in subnets of the service's zones",
    "deleting": "it is being deleted",
    "deleted": "it was deleted: make it again",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An interface endpoint and what belongs to it."""

    id: str
    state: str
    service: str
    private_dns: bool
    zones: tuple[str, ...]
    groups: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """The endpoint service: where it is offered, and its private name, if it has one. `error` when AWS knows none."""

    zones: tuple[str, ...] = ()
    private_name: str = ""
    error: str = ""


def not_asked(why: str = "no AWS credentials, or --aws-service was not given") -> Result:
    """AWS was not asked."""
    return skip("aws", why, "give --aws-service com.amazonaws.vpce.<region>.vpce-svc-... and credentials to ask AWS")


def verdicts(
    endpoint: Endpoint | None, service: Service, rules: Mapping[str, Sequence[Mapping[str, Any]]], wanted: str
) -> list[Result]:
    """All that can be said of the endpoint for the service `wanted`; `rules` are ingress permissions by group."""
    if endpoint is None:
        what = f"this account has no interface endpoint for {wanted} in this region"
        fix = "make one (VPC > Endpoints > Other endpoint services); it must be the account that Hugging Face was told"
        return [fail("aws endpoint", what, fix, REACH), _service(service, wanted)]
    return [
        state(endpoint),
        _service(service, wanted),
        security_groups(endpoint, rules),
        zones(endpoint, service),
        private_dns(endpoint, service),
    ]


def state(endpoint: Endpoint) -> Result:
    """Is the endpoint available?"""
    name = "aws endpoint"
    if endpoint.state == "available":
        return ok(name, f"{endpoint.id} is available, for {endpoint.service}")
    fix = _STATES.get(endpoint.state, "look at it in the VPC console")
    return fail(name, f"{endpoint.id} is {endpoint.state}", fix, REACH)


def _service(service: Service, wanted: str) -> Result:
    name = "aws service"
    if service.error:
        what = f"{wanted} could not be verified ({service.error})"
        fix = "the name is wrong, of another region, or this account id is not the one given to Hugging Face"
        return fail(name, what, fix, REACH)
    return ok(name, f"{wanted} is offered in {', '.join(service.zones)}")


def security_groups(endpoint: Endpoint, rules: Mapping[str, Sequence[Mapping[str, Any]]]) -> Result:
    """Does some security group of the endpoint let TCP 443 in?"""
    name = "aws security group"
    sources = [
        source for group in endpoint.groups for rule in rules.get(group, ()) if _opens(rule) for source in _of(rule)
    ]
    if not sources:
        what = (
            f"no security group of {endpoint.id} lets TCP 443 in ({', '.join(endpoint.groups) or 'none is attached'})"
        )
        return fail(name, what, "add an inbound rule: TCP 443 from the proxy's security group", REACH)
    if "0.0.0.0/0" in sources or "::/0" in sources:
        fix = "name the proxy's security group as the source"
        return warn(name, f"{endpoint.id} lets TCP 443 in from everywhere in the network", fix)
    return ok(name, f"TCP 443 is let in from {', '.join(sources[:6])}; the proxy must be one of them")


def _opens(rule: Mapping[str, Any]) -> bool:
    if rule.get("IpProtocol") == "-1":
        return True
    return rule.get("IpProtocol") == "tcp" and int(rule.get("FromPort", 0)) <= 443 <= int(rule.get("ToPort", 65535))


def _of(rule: Mapping[str, Any]) -> list[str]:
    keys = (
        ("IpRanges", "CidrIp"),
        ("Ipv6Ranges", "CidrIpv6"),
        ("UserIdGroupPairs", "GroupId"),
        ("PrefixListIds", "PrefixListId"),
    )
    return [str(item[key]) for group, key in keys for item in rule.get(group, ()) if key in item]


def zones(endpoint: Endpoint, service: Service) -> Result:
    """Are the endpoint's subnets in zones where the service is?"""
    name = "aws zones"
    if not service.zones:
        return skip(name, "AWS does not say where the service is offered")
    outside = [zone for zone in endpoint.zones if zone not in service.zones]
    if outside:
        what = f"subnets in {', '.join(outside)}, where the service is not (it is in {', '.join(service.zones)})"
        return fail(name, what, "put the endpoint into subnets of the service's zones", REACH)
    if len(endpoint.zones) < 2:
        return warn(name, f"only in {', '.join(endpoint.zones) or 'no zone'}", "add a subnet of a second zone")
    return ok(name, f"in {', '.join(endpoint.zones)}")


def private_dns(endpoint: Endpoint, service: Service) -> Result:
    """How does the endpoint's name resolve inside the network?"""
    name = "aws private dns"
    dial = endpoint.names[0] if endpoint.names else "the endpoint's DNS name"
    if endpoint.private_dns:
        return ok(name, f"on{f' ({service.private_name})' if service.private_name else ''}")
    if service.private_name:
        what = f"off, though the service carries the private name {service.private_name}"
        return warn(name, what, f"switch it on, or set CONNECT_TO={dial}")
    return ok(name, f"off, and the service has none: where the name does not resolve privately, set CONNECT_TO={dial}")


def gather(service_name: str, region: str) -> list[Result]:
    """Ask AWS, if boto3 and credentials are there."""
    try:  # by name: boto3 is no part of the installation, and it brings no types
        boto3, botocore = import_module("boto3"), import_module("botocore.exceptions")
        config_of = import_module("botocore.config").Config
    except ImportError:
        return [not_asked("boto3 is not installed: pip install boto3")]
    try:
        config = config_of(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
        session = boto3.Session(region_name=region or None)
        if session.get_credentials() is None:
            return [not_asked("no AWS credentials are found here")]
        ec2 = session.client("ec2", config=config)
        endpoint, service = _endpoint(ec2, service_name), _offered(ec2, service_name, botocore.ClientError)
        return verdicts(endpoint, service, _rules(ec2, endpoint.groups if endpoint else ()), service_name)
    except (botocore.BotoCoreError, botocore.ClientError) as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        fix = (
            "allow ec2:DescribeVpcEndpoints, ec2:DescribeVpcEndpointServices, ec2:DescribeSubnets and "
            "ec2:DescribeSecurityGroups"
        )
        return [warn("aws", f"AWS refuses to say ({code})", fix)]


def _endpoint(ec2: Any, service_name: str) -> Endpoint | None:
    found = ec2.describe_vpc_endpoints(Filters=[{"Name": "service-name", "Values": [service_name]}])["VpcEndpoints"]
    if not found:
        return None
    best = next((item for item in found if item.get("State") == "available"), found[0])
    subnets = best.get("SubnetIds") or []
    zones = [s["AvailabilityZone"] for s in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]] if subnets else []
    return Endpoint(
        str(best["VpcEndpointId"]),
        str(best.get("State", "")),
        service_name,
        bool(best.get("PrivateDnsEnabled")),
        tuple(sorted(set(zones))),
        tuple(str(group["GroupId"]) for group in best.get("Groups") or ()),
        tuple(str(entry["DnsName"]) for entry in best.get("DnsEntries") or () if "DnsName" in entry),
    )


def _offered(ec2: Any, service_name: str, refused: type[Exception]) -> Service:
    try:
        details = ec2.describe_vpc_endpoint_services(ServiceNames=[service_name]).get("ServiceDetails") or []
    except refused as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        if code == "InvalidServiceName":
            return Service(error=code)
        raise
    mine = [item for item in details if item.get("ServiceName") == service_name]
    if not mine:
        return Service(error="not offered to this account")
    return Service(tuple(mine[0].get("AvailabilityZones") or ()), str(mine[0].get("PrivateDnsName") or ""))


def _rules(ec2: Any, groups: Sequence[str]) -> dict[str, Sequence[Mapping[str, Any]]]:
    if not groups:
        return {}
    found = ec2.describe_security_groups(GroupIds=list(groups))["SecurityGroups"]
    return {str(item["GroupId"]): item.get("IpPermissions") or () for item in found}
