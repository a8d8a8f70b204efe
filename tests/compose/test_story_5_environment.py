"""Story 5: as an operator I configure by .env files alone; another environment runs beside the first."""

import subprocess

import psycopg
import pytest
from environment import ROOT, SERVICES, files_of
from test_story_4_channels import Member, everyone_sees


@pytest.fixture(scope="module")
def second(running, new_stack):
    """A second set of env files in the folder of the first: other project, passwords, database, ports."""
    values = {"POSTGRES_PASSWORD": "second-secret", "POSTGRES_DB": "hdms_second", "REDIS_PASSWORD": ""}
    values["CHANNEL_LAYER"] = "channels_redis"
    other = new_stack(running.environment, "second.env", **values)
    other.stack.up()
    other.wait_connected()
    return other


def test_the_second_environment_runs_beside_the_first(hdms, second):
    assert second.environment.project != hdms.environment.project
    made = second.create_ticket("only in the second").json()
    assert made["title"] == "only in the second"
    assert hdms.sql("SELECT 1 FROM ticket_service_ticket WHERE title = %s", "only in the second") == []
    hdms.redis().set("acceptance:first", 1)
    assert second.redis().get("acceptance:first") is None
    for service in SERVICES:
        assert hdms.healthy(service) and second.healthy(service)


def test_nothing_but_copied_examples_was_needed(second):
    """What differs from the clone are values of .env files: names, ports, secrets. No line of code."""
    for name in files_of("compose"):
        assert (second.environment.folder / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_the_other_channel_layer_is_a_matter_of_the_environment(hdms, second):
    assert "SidecarChannelLayer" in hdms.check("communication-service", "channels")["detail"]
    assert "RedisChannelLayer" in second.check("communication-service", "channels")["detail"]
    room = second.room()
    with Member(second, room, "ann") as ann, Member(second, room, "bob") as bob:
        ann.say("by channels_redis")
        everyone_sees([ann, bob], "by channels_redis")


def test_volumes_are_kept_over_down_and_up(second):
    number = second.create_ticket("kept over down and up").json()["id"]
    second.redis(2).set("acceptance:kept", "yes")
    second.stack.down()
    second.stack.up()
    second.wait_connected()
    assert second.sql("SELECT title FROM ticket_service_ticket WHERE id = %s", number) == [
        ("kept over down and up",)
    ]
    assert second.redis(2).get("acceptance:kept") == b"yes"


def test_another_password_and_pool_size_take_effect_on_existing_volumes(second):
    second.create_ticket("before the change")
    environment = second.environment
    environment.set(
        POSTGRES_PASSWORD="changed-p@ss%word",
        PGBOUNCER_DEFAULT_POOL_SIZE="37",
        REDIS_PASSWORD="new-redis-secret",
        DB_STATEMENT_TIMEOUT="7000",
    )
    second.stack.up()
    second.wait_connected()
    with pytest.raises(psycopg.OperationalError):
        second.connect(password="second-secret")
    assert second.sql("SHOW statement_timeout") == [("7s",)]
    sizes = {row["name"]: int(row["pool_size"]) for row in second.pooler("SHOW DATABASES")}
    assert sizes[environment["POSTGRES_DB"]] == 37
    assert second.sql("SELECT 1 FROM ticket_service_ticket WHERE title = %s", "before the change") == [(1,)]
    assert second.redis().ping()


def test_another_database_name_takes_effect_on_an_existing_volume(second):
    second.environment.set(POSTGRES_DB="hdms_third")
    second.stack.up()
    second.wait_connected()
    assert second.sql("SELECT current_database()") == [("hdms_third",)]
    assert second.create_ticket("in the third").status == 201
    assert second.sql("SELECT title FROM ticket_service_ticket", database="hdms_third") == [("in the third",)]


@pytest.mark.parametrize("size", ["24", "51", "many", ""])
def test_a_pool_size_outside_25_to_50_is_refused(size, tmp_path):
    script = ROOT / "compose" / "pgbouncer" / "generate.sh"
    environment = {"PATH": "/usr/bin:/bin", "POSTGRES_PASSWORD": "x", "PGBOUNCER_DEFAULT_POOL_SIZE": size}
    result = subprocess.run(["sh", script, tmp_path], env=environment, capture_output=True, text=True)
    if size == "":
        # Compose hands on an empty variable: it counts as unset.
        assert result.returncode == 0 and "default_pool_size = 25" in (tmp_path / "pgbouncer.ini").read_text()
        return
    assert result.returncode == 1
    assert f"PGBOUNCER_DEFAULT_POOL_SIZE={size}" in result.stderr.replace("'", "")
    assert not (tmp_path / "pgbouncer.ini").exists()


@pytest.mark.parametrize("size", ["24", "51"])
def test_the_container_refuses_such_a_pool_size_too(engine, images, size):
    if engine is None:
        pytest.skip("needs an engine")
    given = ["-e", "POSTGRES_PASSWORD=x", "-e", f"PGBOUNCER_DEFAULT_POOL_SIZE={size}"]
    result = engine.run("run", "--rm", *given, images["PGBOUNCER_IMAGE"], check=False)
    assert result.returncode == 1
    assert f"PGBOUNCER_DEFAULT_POOL_SIZE={size} is out of range: 25 to 50" in result.stderr
