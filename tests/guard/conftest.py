import pytest

from akto_proxy.guard.rule import Rule

KEY = r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s]*(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"
EMAIL = r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}\b"


@pytest.fixture(scope="session")
def sample_rules() -> list[Rule]:
    """Rules that between them use every feature of a rule."""
    return [
        Rule("email", "EMAIL_ADDRESS", "pii", EMAIL, 1.0),
        Rule("aws", "SECRET", "secrets", r"\bAKIA[0-9A-Z]{16}\b", 0.9),
        Rule("key", "SECRET", "secrets", KEY, 0.9, max_width=300),
        Rule(
            "password",
            "SECRET",
            "secrets",
            r"(?i)\bpass(?:word|wd)?\s{0,3}(?:is|[:=])\s{0,3}[\"']?(?P<v>[^\s\"']{4,40})",
        ),
        Rule("phone", "PHONE_NUMBER", "pii", r"\+?\b\d[\d .()-]{6,18}\d\b", 0.4, context=("phone", "call")),
        Rule("ssn", "US_SSN", "pii", r"\b\d{3}-\d{2}-\d{4}\b", 0.3, keywords=("ssn", "social")),
        Rule("tax", "TAX_ID", "pii", r"\b\d{9}\b", 0.3, keywords=("id", "steuer", "contraseña")),
        Rule("even", "EVEN", "pii", r"\b\d{5}\b", 0.3, validator="even"),
        Rule("mixed", "MIXED", "pii", r"\bz[a-z]{7,20}\b", 0.5, entropy=2.5),
        Rule("span", "SPAN", "custom", r"(?s)foo.*?bar$", 0.3),
        Rule("cyrillic", "SECRET", "secrets", r"(?i)пароль:\s*(?P<v>\w+|[а-я]+)", 0.5),
        Rule("first", "FIRST", "custom", r"^hello\b", 0.3),
        Rule("branches", "BRANCH", "custom", r"(?:ab)+c|ab(?P<v>a)b|\bqu\B", 0.35),
    ]


@pytest.fixture(scope="session")
def sample_validators():
    return {"even": lambda text: int(text) % 2 == 0}


@pytest.fixture(scope="session")
def pieces() -> list[str]:
    """Words that make matches, near-matches and the text between them."""
    return [
        "a@b.co",
        "joe@example.com",
        " ",
        "\n",
        "AKIAABCDEFGHIJKLMNOP",
        "-----BEGIN RSA PRIVATE KEY-----",
        "MIIabc\n",
        "-----END RSA PRIVATE KEY-----",
        "password is hunter22",
        "pass",
        "word:",
        '"',
        "415-555-1234",
        "+1 (415) 555-0100",
        "ssn ",
        "123-45-6789",
        "123456789",
        "id",
        "foo",
        "bar",
        "hello",
        "пароль: секрет",
        "пароль",
        "日本",
        "é",
        ".",
        "@",
        "call me ",
        "phone",
        "x" * 40,
        "9" * 5,
        "\ud800",
        "the quick ",
        "12344",
        "zqwertyuio",
        "zaaaaaaaa",
        "ab",
        "c",
        "CONTRASEÑA",
        "\x00",
        "\U0001f600",
    ]
