from __future__ import annotations

import pytest

from akto_proxy.config.assets import names, read_text
from akto_proxy.errors import PolicyError
from akto_proxy.guard.catalogue import parse_rules

HEAD = 'family = "cloud"\ncategory = "secrets"\nentity = "SECRET"\ncontrols = ["OWASP-LLM:LLM02"]\n'
RULE = '[[rule]]\nid = "a"\npattern = "AKIA[0-9]{4}"\nkeywords = ["aws"]\nscore = 1\nyes = ["aws AKIA1234"]\n'


def test_a_rule_takes_what_its_file_says_for_all():
    (rule,) = parse_rules(HEAD + RULE, "cloud.toml")
    assert (rule.id, rule.entity, rule.category, rule.family) == ("a", "SECRET", "secrets", "cloud")
    assert (rule.keywords, rule.yes, rule.controls) == (("aws",), ("aws AKIA1234",), ("OWASP-LLM:LLM02",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = [", "not TOML"),
        ("colour = 1", "unknown key `colour`"),
        (HEAD + RULE + "colour = 1", "rule 1 (`a`): unknown key `colour`"),
        (HEAD + '[[rule]]\nid = "a"', "`pattern` is missing"),
        (HEAD + RULE + 'context = "x"', "list of strings"),
        (HEAD + RULE + "entropy = true", "`entropy` must be a float"),
        (HEAD + RULE + "max_width = -1", "max_width"),
        (HEAD + RULE + "context_required = true", "needs words"),
        (HEAD + RULE.replace("score = 1", "score = 7"), "0..1"),
        (HEAD + RULE.replace("AKIA[0-9]{4}", "(?=a)b"), "lookahead"),
        (HEAD + RULE.replace("AKIA[0-9]{4}", "a*"), "empty text"),
        (HEAD + RULE + RULE, "two rules have the id `a`"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_named(text, said):
    with pytest.raises(PolicyError) as error:
        parse_rules(text, "cloud.toml")
    assert "cloud.toml" in str(error.value)
    assert said in str(error.value)


def test_every_shipped_file_can_be_read():
    files = names("guard/rules", ".toml")
    assert sum(len(parse_rules(read_text(name), name)) for name in files) >= 300
