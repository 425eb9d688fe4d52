from akto_proxy.exchange.masking import masked
from akto_proxy.model import Finding


def test_masking_leaves_labels_and_no_character_of_what_overlaps():
    findings = [Finding(2, 4, "r", "A", "c"), Finding(3, 5, "r", "B", "c"), Finding(6, 6, "r", "C", "c")]
    assert masked("0123456789", findings) == "01<A><B>56789"


def test_an_attack_stays_visible_and_what_it_carries_does_not():
    findings = [Finding(0, 10, "prompt-injection", "PROMPT_INJECTION", "injection"), Finding(2, 4, "r", "A", "pii")]
    assert masked("0123456789", findings) == "01<A>456789"
