"""One fault after another under a mixed load of real clients; the same Redis, sidecar and Celery worker live
through all of them. `--rounds N` repeats each.
"""

import random
import subprocess
import time

import pytest

from support import Ending, Towards, encode, eventually, stays
from support.processes import free_port
from support.wire import RawClient

HOLD_SECONDS = 1.0
MEGABYTE = 1 << 20


def lasts(site, seconds):
    """A fault that takes its time; the sidecar itself must stay responsive meanwhile."""
    with site.sidecar.client(timeout=1) as client:
        stays(lambda: client.command("CLIENT", "ID", timeout=1) > 0, seconds)


def test_nothing_goes_wrong_without_a_fault(load, rounds):
    for _ in range(3 * rounds):
        load.keeps_working()
    load.check_messages()
    load.check_tasks(0)
    assert all(actor.unknown == 0 for actor in load.actors)


def test_redis_is_killed_and_restarted(load, site, rounds):
    for _ in range(3 * rounds):
        site.redis.kill()
        site.redis.start()
        load.works_again(time.monotonic())
    load.check_tasks(3 * rounds)


def test_redis_is_away_for_longer_than_the_hold(load, site, rounds):
    for _ in range(rounds):
        site.redis.kill()
        eventually(lambda: load.counted("clients_closed_hold") > 0, 5)
        site.redis.start()
        load.works_again(time.monotonic())
    load.check_tasks(rounds)


@pytest.mark.parametrize("seconds", [HOLD_SECONDS / 4, 2 * HOLD_SECONDS])
def test_redis_is_stopped_for_a_while(load, site, rounds, seconds):
    """Its connections live on: nobody is closed and nothing is unknown, however long it takes."""
    for _ in range(rounds):
        site.redis.freeze()
        lasts(site, seconds)
        site.redis.thaw()
        load.works_again(time.monotonic())
    for name in ("clients_closed_hold", "clients_closed_unknown_outcome", "pops_unknown", "links_lost"):
        assert load.counted(name) == 0, name
    load.check_messages()
    load.check_tasks(0)


def test_links_are_cut_at_random_bytes(load, site, rounds):
    chance = random.Random(rounds)
    cuts = 12 * rounds
    for _ in range(cuts):
        cut = site.proxy.cut_after(
            chance.randrange(4_000),
            chance.choice(list(Towards)),
            chance.choice(list(Ending)),
            chance.random() < 0.3,
        )
        assert cut.done.wait(10)
        load.works_again(time.monotonic())
    load.check_tasks(cuts)


def test_the_answers_to_everything_in_flight_are_lost(load, site, rounds):
    """Redis has executed it all: not one write may be executed again."""
    for _ in range(5 * rounds):
        site.proxy.stall(Towards.sidecar)
        eventually(lambda: at_rest(site.redis), 10, 0.02)
        site.proxy.cut_all()
        site.proxy.flow(Towards.sidecar)
        load.works_again(time.monotonic())
    load.check_tasks(5 * rounds)


def at_rest(redis):
    """It executes nothing but our questions: everybody waits for an answer."""
    with redis.client() as client:
        first, second = (int(info(client, "stats")["total_commands_processed"]) for _ in "ab")
        stays(lambda: True, 0.05)
        third = int(info(client, "stats")["total_commands_processed"])
    return third - second == second - first


def test_the_link_stalls(load, site, rounds):
    for towards in list(Towards) * rounds:
        site.proxy.stall(towards)
        lasts(site, HOLD_SECONDS / 4)
        site.proxy.flow(towards)
        load.works_again(time.monotonic())
    load.check_messages()
    load.check_tasks(0)


def test_the_link_is_slow(load, site, rounds):
    for towards in Towards:
        site.proxy.delay(0.02, towards)
    for _ in range(rounds):
        load.keeps_working()
    for towards in Towards:
        site.proxy.delay(0, towards)
    load.keeps_working()
    load.check_messages()
    load.check_tasks(0)


def test_nobody_listens_for_a_while(load, site, rounds):
    for _ in range(rounds):
        site.proxy.refuse()
        site.proxy.cut_all()
        lasts(site, HOLD_SECONDS / 2)
        site.proxy.accept()
        load.works_again(time.monotonic())
    load.check_tasks(rounds)


def test_clients_are_killed_inside_a_blocking_pop(load, site, rounds, tmp_path):
    """They share the queue of the others. What the kernel had taken for one that died may be gone with it."""
    host, port = site.sidecar.address
    queue = load.queues[0]
    command = [
        "redis-cli",
        "-h",
        host,
        "-p",
        str(port),
        "-n",
        str(queue.db),
        "-r",
        "-1",
        "BRPOP",
        queue.key,
        "0",
    ]
    chance = random.Random(rounds)
    kills = 15 * rounds
    for number in range(kills):
        output = tmp_path / str(number)
        with open(output, "wb") as file:
            victim = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file)
        wanted = chance.randrange(4)
        eventually(lambda: output.read_bytes().count(b"\n") >= 2 * wanted, 10, interval=0.001)
        victim.kill()
        victim.wait()
        lines = output.read_bytes().split(b"\n")
        for element in lines[1::2]:
            if element:
                queue.ledger.got(element)
    load.extra_lost = kills
    load.keeps_working()
    load.check_tasks(0)
    print("put back", load.counted("put_backs"), "of", kills, "kills")


def test_somebody_does_not_read(load, site, rounds):
    site.redis.command("SET", "big", b"x" * MEGABYTE)
    for number in range(rounds):
        with site.sidecar.client(receive_buffer=4096) as greedy:
            greedy.send(encode("GET", "big") * 100, read_meanwhile=False)
            eventually(lambda: load.counted("clients_closed_output") == number + 1, 20)
        load.keeps_working()
    load.check_messages()
    load.check_tasks(0)


def test_the_upstream_password_changes_and_changes_back(load, site, rounds):
    for _ in range(rounds):
        site.refusing("WRONGPASS")
        with site.redis_setting("requirepass", "another"):
            site.proxy.cut_all()
            eventually(lambda: any(actor.refused for actor in load.raw), 5)
            site.wait_away()
        load.works_again(time.monotonic())
    load.check_tasks(rounds)


def test_redis_is_out_of_client_slots(load, site, rounds):
    for allowed in (6, 16) * rounds:
        with site.redis_setting("maxclients", allowed) as admin:
            site.proxy.cut_all()
            eventually(lambda: int(info(admin, "stats")["rejected_connections"]) > 0, 5)
            lasts(site, HOLD_SECONDS / 2)
        load.works_again(time.monotonic())
    load.check_tasks(2 * rounds)


def info(client, section):
    text = client.command("INFO", section).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def test_redis_loads_for_a_while(load, site, rounds):
    redis = site.redis
    redis.command("DEBUG", "POPULATE", 5_000, "filler", 10, db=5)
    redis.command("BGREWRITEAOF")
    eventually(lambda: redis.info("persistence", "aof_rewrite_in_progress") == "0", 20)
    slowly = {"key_load_delay": 300, "loading-process-events-interval-bytes": 1024}
    for _ in range(rounds):
        redis.kill()
        redis.options |= slowly
        redis.start()
        load.works_again(time.monotonic())
        for name in slowly:
            del redis.options[name]
        redis.command("CONFIG", "SET", "key-load-delay", 0)
    redis.command("FLUSHDB", db=5)
    load.check_tasks(rounds)


def test_redis_becomes_a_replica_for_a_while(load, site, rounds):
    for _ in range(rounds):
        site.refusing("READONLY", "read only replica", "UNBLOCKED", "EXECABORT")
        site.redis.command("REPLICAOF", "127.0.0.1", free_port())
        refused = sum(actor.refused for actor in load.raw)
        eventually(lambda: sum(actor.refused for actor in load.raw) > refused + 5, 5)
        site.redis.command("REPLICAOF", "NO", "ONE")
        load.works_again(time.monotonic())
    load.check_tasks(rounds)


def test_the_disk_is_full_for_a_while(load, site, rounds):
    """Redis refuses writes as long as its AOF cannot grow."""
    for _ in range(rounds):
        site.refusing("MISCONF", "EXECABORT")
        with site.redis_setting("appendfsync", "everysec"):
            refused = sum(actor.refused for actor in load.raw)
            site.redis.limit_file_size(1)
            eventually(lambda: sum(actor.refused for actor in load.raw) > refused + 5, 10)
            site.redis.limit_file_size(None)
            eventually(lambda: site.redis.command("PING") == "PONG", 10)
            load.works_again(time.monotonic())
    load.check_tasks(rounds)


def test_the_sidecar_is_out_of_descriptors(load, site, rounds):
    """It can accept nobody and cannot reach Redis again; clients that are there stay."""
    for _ in range(rounds):
        failures = load.counted("accept_failures")
        with site.sidecar.client() as inside:
            assert inside.command("CLIENT", "ID") > 0
            site.sidecar.limit_descriptors(8)
            site.proxy.cut_all()
            with RawClient(site.sidecar.address):
                eventually(lambda: site.proxy.open_links == 0, 5)
                stays(lambda: inside.command("CLIENT", "ID", timeout=1) > 0, HOLD_SECONDS / 2)
            site.sidecar.limit_descriptors(None)
        load.works_again(time.monotonic())
        assert load.counted("accept_failures") > failures
    load.check_tasks(rounds)


def test_redis_ends_because_the_disk_is_full(load, site, rounds):
    """With appendfsync always it cannot go on, and says so by ending."""
    for _ in range(rounds):
        site.redis.limit_file_size(1)
        eventually(lambda: not site.redis.running, 10)
        site.redis.start()
        load.works_again(time.monotonic())
    load.check_tasks(rounds)
