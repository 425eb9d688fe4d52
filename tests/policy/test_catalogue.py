from __future__ import annotations

import pytest

from akto_proxy.policy.catalogue import detector_of, selector, vocabulary, with_detectors
from akto_proxy.policy.pattern import PatternError


@pytest.mark.parametrize("target", ["email", "EMAIL_ADDRESS", "pii", "pii-generic", "EMAIL_*", "pii-*"])
def test_a_rule_is_taken_by_id_entity_category_family_or_glob(known, target):
    assert selector([target], [], known).takes("email", "EMAIL_ADDRESS", "pii", "pii-generic")


def test_but_takes_away_again(known):
    chosen = selector(["pii"], ["US_*"], known)
    assert chosen.takes("email", "EMAIL_ADDRESS", "pii")
    assert not chosen.takes("us-ssn", "US_SSN", "pii")


def test_another_policys_own_rules_are_never_taken(known):
    chosen = selector(["pii", "*"], [], known)
    assert not chosen.takes("custom:other:0", "EMAIL_ADDRESS", "pii")


@pytest.mark.parametrize("target", ["emial", "PII_*"])
def test_a_name_that_nothing_has_is_refused(known, target):
    with pytest.raises(PatternError, match="names no rule, entity, category or family"):
        selector([target], [], known)


def test_shipped_detectors_are_known_where_they_are_not_loaded(known):
    every = with_detectors(known)
    assert {"jailbreak", "harm-s14", "prompt-injection"} <= vocabulary(every)
    assert (detector_of(every["harm-s3"]), detector_of(every["email"])) == ("harm", "engine")
