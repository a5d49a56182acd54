"""How many examples a property test tries: all of them in `make test`, a fifth in `make check`."""

from hypothesis import settings

PROFILE = "test"
settings.register_profile("check", max_examples=20, deadline=None)
settings.register_profile(PROFILE, max_examples=100, deadline=None)


def examples(count: int) -> settings:
    """Settings with this many examples in `make test` and in proportion under another profile of Hypothesis."""
    return settings(max_examples=max(5, count * settings().max_examples // 100), deadline=None)
