"""The Django package in either environment: the newest releases, and those of Debian 12."""

from layer.environments import Environment


def test_an_application_holds_its_conversation(site, environment, program):
    said = program(environment, "layer.python_conversation", site.url()).finish(120)
    assert "fine with redis-py" in said
    if environment is Environment.debian12:
        assert "redis-py 4.3" in said
        assert "Channels 4.0" in said
