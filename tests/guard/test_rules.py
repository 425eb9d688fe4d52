"""The shipped rules: each proves its own examples, cites its source, and stays within bounds."""

import pytest

from akto_proxy.config import assets
from akto_proxy.guard.catalogue import parse_rules
from akto_proxy.guard.engine import Engine
from akto_proxy.guard.rule import Rule
from akto_proxy.guard.validators import VALIDATORS

FOLDER = "guard/rules"
NAMES = assets.names(FOLDER, ".toml")


def shipped() -> list[Rule]:
    return [rule for name in NAMES for rule in parse_rules(assets.read_text(name), name)]


def allowed() -> frozenset[str]:
    lines = assets.read_text(f"{FOLDER}/allow.txt").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    return shipped()


@pytest.fixture(scope="module")
def engine(rules: list[Rule]) -> Engine:
    return Engine(rules)


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_found_or_left_alone(name: str, rules: list[Rule], engine: Engine) -> None:
    own = [rule for rule in rules if name.endswith(f"/{rule.family}.toml")]
    assert own
    missed = [(r.id, text) for r in own for text in r.yes if not engine.scan(text, frozenset([r.id]))]
    wrong = [(r.id, text) for r in own for text in r.no if engine.scan(text, frozenset([r.id]))]
    assert not missed
    assert not wrong


def test_every_rule_has_examples_a_source_and_a_known_validator(rules: list[Rule]) -> None:
    for rule in rules:
        assert len(rule.yes) >= 2, rule.id
        assert rule.no, rule.id
        assert rule.source.startswith("https://"), rule.id
        assert not rule.validator or rule.validator in VALIDATORS, rule.id


def test_ids_are_unique_and_categories_known(rules: list[Rule]) -> None:
    assert len({rule.id for rule in rules}) == len(rules)
    assert {rule.category for rule in rules} == {"secrets", "pii", "injection", "harm", "jailbreak"}
    assert all(rule.entity == "SECRET" for rule in rules if rule.category == "secrets")


def test_there_are_as_many_as_we_say(rules: list[Rule]) -> None:
    assert sum(rule.category == "secrets" for rule in rules) >= 200
    national = {
        rule.entity.split("_")[0] for rule in rules if rule.family.startswith("pii-") and rule.family != "pii-generic"
    }
    assert len(national) >= 40


def test_no_match_needs_more_than_a_stream_may_hold(rules: list[Rule]) -> None:
    assert max(rule.reach for rule in rules) <= 16384


@pytest.mark.parametrize(
    "text",
    [
        "order 412345678901 shipped",
        "commit 9f1c2ab34de567890f1a2b3c4d5e6f7a8b9c0d1e",
        "version 10.4.2.1 is out, build 23719541",
        "uuid 4285e6e8-17fe-9905-09ad-284015338fae",
        "sha256:c3a6b68f64fcf1a8e56895bfde09d82b3868b28522ac03979a1f28fc9dd45df4",
        "password = os.environ['DB_PASSWORD']",
        "api_key: ${API_KEY}",
        "max_tokens=4096, tokenizer='gpt2'",
        "the password must be 12 characters long",
        "std::vector<int> f64::from(x)",
        "released 2024-03-09, closes 2025/11/01",
        "id 987654321, ref 12345678901, n=1234567890",
    ],
)
def test_everyday_numbers_and_references_are_left_alone(engine: Engine, text: str) -> None:
    assert [f.rule for f in engine.scan(text) if f.score >= 0.5] == []


@pytest.fixture(scope="module")
def lenient(rules: list[Rule]) -> Engine:
    return Engine(rules, allow=allowed())


@pytest.mark.parametrize(
    "text",
    [
        "mail john.doe@example.com",
        "write to user@example.com",
        "jo.roe@corp.example",
        "call (212) 555-0132",
        "call +44 20 7946 0018",
        "from 203.0.113.77 at noon",
        "from 2001:db8:85a3::8a2e:370:7334 now",
        "MAC 00:00:5E:00:53:A1.",
        "card 4242 4242 4242 4242",
        "IBAN DE89 3704 0044 0532 0130 00",
        "SSN 123-45-6789",
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_what_people_try_a_guard_with_is_found_unless_the_operator_lets_examples_pass(
    engine: Engine, lenient: Engine, text: str
) -> None:
    assert [f for f in engine.scan(text) if f.score >= 0.5]
    assert not [f for f in lenient.scan(text) if f.score >= 0.5]


@pytest.mark.parametrize(
    "place",
    [
        "DB_PASS=@",
        "setx API_TOKEN @",
        "ENV DB_PASSWORD @",
        '$env:DB_PASSWORD = "@"',
        'ConvertTo-SecureString "@" -AsPlainText -Force',
        "db_pass: @",
        '{"user":"bob","pass":"@"}',
        '{"key":"password","value":"@"}',
        '{"password": {"value": "@"}}',
        'passwords = ["@", "x"]',
        'requests.get(url, auth=("admin", "@"))',
        'new NetworkCredential("svc", "@")',
        'new PDO("mysql:host=db1", "root", "@")',
        'let db_password: &str = "@";',
        "const pw = process.env.PW || '@';",
        'variable "password" { default = "@" }',
        "<Password><![CDATA[@]]></Password>",
        '<Setting name="apiKey">@</Setting>',
        "jdbc:mysql://h:3306/db?user=u&password=@",
        "Server=h;User Id=u;Password=@;",
        "db1.corp:5432:prod:app:@",
        "requirepass @",
        "snmp-server community @ RO",
        "echo '@' | sudo -S ls",
        "net user bob @ /add",
        "openssl rsa -passin pass:@",
        "keytool -storepass @ -list",
        "curl -u admin:@ https://h/",
        "git clone https://u:@@git.corp/x.git",
        "Login: bob / @",
        "creds are admin:@",
        "user bob pass @",
        "use the token @",
        "- **Password:** @",
        "| password | @ |",
        "API key:\n    @",
        "my weather key is @",
        "the old password (@) does not work",
    ],
)
@pytest.mark.parametrize("value", ["Tr0ub4dor&3", "hT5wQ9zBv3", "b41f9c07de6a52830cf41d97e2ba6c58"])
def test_a_secret_is_found_wherever_it_stands(engine: Engine, place: str, value: str) -> None:
    text = place.replace("@", value, 1)
    start = text.index(value)
    found = [f for f in engine.scan(text) if f.entity == "SECRET" and f.score >= 0.5]
    assert any(f.start < start + len(value) and start < f.end for f in found)


@pytest.mark.parametrize(
    "text",
    [
        "# SPDX-License-Identifier: Apache-2.0",
        'password = f"{registry_id}-auth-token"',
        "$PASSWORD = $CPAN::Config->{password}",
        "secretName: web-tls-2024",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf",
        'Error from server (NotFound): secrets "web-tls-2" not found',
        '"integrity": "sha512-oU7jQvZq7JwzKXqv1rQvZ0n8Jm1wqj8s3v0fT7g8S1uH8xkYl5bPz0nQq2mE9c4a7d5f6g7h8i9j0k1l2=="',
        'public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmS8v0Wc7q1y9cZcTqQ"',
        'cache_key = f"user:{user_id}:profile:v2"',
        '"password": "please enter a valid password"',
        'auth=("user", "pass")',
        'getConnection(url, "root", "root")',
        "pass: 15, fail: 2",
        "| token | str | 16 bytes |",
        "login: POST /api/v2/login2",
    ],
)
def test_what_only_stands_where_a_secret_could_is_left_alone(engine: Engine, text: str) -> None:
    assert [f.rule for f in engine.scan(text) if f.category == "secrets" and f.score >= 0.5] == []


def test_a_token_of_three_parts_is_a_jwt_when_its_head_is_json(engine: Engine) -> None:
    rest = ".eyJzdWIiOiJzeTdudDBoMyJ9.Sy7Nt0h3T1cN0t4R5e6A8l9K2"
    assert [f.rule for f in engine.scan("eyJhbGciOiJIUzI1NiJ9" + rest)] == ["jwt"]
    assert not engine.scan("eyJhbGciOiJIUzI1NiJ" + rest)
