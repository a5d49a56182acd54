"""The mail of an alert."""

import dataclasses
from email import message_from_bytes, policy

import pytest

from monitor.adapters.notifiers.email import EmailOptions, write
from monitor.testing.alerts import FIRING

OPTIONS = EmailOptions(host="localhost", sender="recallwatch@example.org", recipients=("on-call@example.org",))


@pytest.mark.parametrize("letter", ["a", "ä"])
@pytest.mark.parametrize("length", [1, 10, 20, 30, 40, 60, 100])
def test_a_subject_of_any_length_begins_with_the_product(letter, length):
    """Mail is often sorted by the beginning of its subject, which folding must not change."""
    data = {**FIRING.payload["data"], "target": letter * length}
    alert = dataclasses.replace(FIRING, payload={**FIRING.payload, "data": data})
    content = write(alert, OPTIONS).as_bytes(policy=policy.SMTP)
    subject = str(message_from_bytes(content, policy=policy.default)["Subject"])
    assert subject.startswith("[recallwatch critical] Search on " + letter)
