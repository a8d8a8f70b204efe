"""A message popped by a worker that dies before it has noted it goes back to the head of its queue."""

import pytest

from lab.kombu_peer import KombuPeer, message
from support import eventually, stays

REPLY_TO = "5a7f8d4e-6a4e-4a4b-9a35-0d9d1c3f2b10"


def push(site, *elements, queue="celery"):
    site.upstream("LPUSH", queue, *elements)


def put_backs(site):
    return sum(node.metric("sidecar_broker_hand_over_put_backs_total") for node in site.nodes)


def introduce(site, prefix="", queue="celery"):
    """The application is one that notes its deliveries."""
    push(site, message(), queue=prefix + queue)
    with KombuPeer(site.sidecar, prefix) as peer:
        assert peer.work(queue)


@pytest.mark.parametrize("prefix", ["", "shop:"])
def test_what_a_dead_worker_had_popped_is_next_again(site, prefix):
    introduce(site, prefix)
    first, second = message(), message()
    push(site, first, second, queue=f"{prefix}celery")
    before = put_backs(site)
    with KombuPeer(site.sidecar, prefix) as peer:
        assert peer.pop("celery") == first
    eventually(lambda: site.upstream("LRANGE", f"{prefix}celery", 0, -1) == [second, first])
    eventually(lambda: put_backs(site) == before + 1)


def test_what_was_noted_does_not_go_back(site):
    introduce(site)
    element = message()
    push(site, element)
    with KombuPeer(site.sidecar) as peer:
        assert peer.pop("celery") == element
        peer.note(element)
    stays(lambda: site.depth() == 0, 2.0)
    assert site.unacked() == 1


def test_what_was_noted_past_the_sidecar_does_not_go_back(site):
    introduce(site)
    element = message(tag="noted-elsewhere")
    push(site, element)
    with KombuPeer(site.sidecar) as peer:
        assert peer.pop("celery") == element
        site.upstream("HSET", "unacked", "noted-elsewhere", "[]")
    stays(lambda: site.depth() == 0, 2.0)


def test_priorities_go_back_to_their_own_list(site):
    introduce(site)
    element = message()
    push(site, element, queue="celery\x06\x166")
    with KombuPeer(site.sidecar) as peer:
        assert peer.pop("celery", "celery\x06\x166") == element
    eventually(lambda: site.upstream("LRANGE", "celery\x06\x166", 0, -1) == [element])


@pytest.mark.parametrize("queue", [f"{REPLY_TO}.reply.celery.pidbox", REPLY_TO])
def test_replies_are_delivered_once(site, queue):
    introduce(site)
    push(site, message(), queue=queue)
    with KombuPeer(site.sidecar) as peer:
        assert peer.pop(queue)
    stays(lambda: site.upstream("EXISTS", queue) == 0, 2.0)


def test_what_is_no_message_of_kombu_is_delivered_once(site):
    introduce(site)
    push(site, b'{"job": 1}', queue="rq:queue:default")
    with KombuPeer(site.sidecar) as peer:
        assert peer.pop("rq:queue:default")
    stays(lambda: site.upstream("EXISTS", "rq:queue:default") == 0, 2.0)


def test_a_consumer_without_acknowledgements_gets_each_message_once(site):
    introduce(site)
    elements = [message() for _ in range(3)]
    push(site, *elements, queue="events")
    with KombuPeer(site.sidecar) as peer:
        assert [peer.pop("events") for _ in elements] == elements
    stays(lambda: site.upstream("EXISTS", "events") == 0, 2.0)


def test_nothing_is_expected_of_an_application_that_never_noted(sites):
    site = sites()
    push(site, message())
    with KombuPeer(site.sidecar) as peer:
        assert peer.pop("celery")
    stays(lambda: site.depth() == 0, 2.0)


def test_a_single_pop_is_followed_too(site):
    introduce(site)
    element = message()
    push(site, element)
    with KombuPeer(site.sidecar) as peer:
        assert peer.popping.command("RPOP", "celery") == element
    eventually(lambda: site.messages() and site.upstream("LRANGE", "celery", 0, -1) == [element])


def test_applications_are_remembered_by_the_next_sidecar(sites):
    site = sites()
    introduce(site)
    element = message()
    push(site, element)
    node = site.add_node()
    with KombuPeer(node) as peer:
        assert peer.pop("nothing") is None
        assert peer.pop("celery") == element
    eventually(lambda: site.upstream("LRANGE", "celery", 0, -1) == [element])


def test_a_sidecar_that_ends_puts_back_what_was_not_noted(sites):
    site = sites()
    introduce(site)
    element = message()
    push(site, element)
    peer = KombuPeer(site.sidecar)
    assert peer.pop("celery") == element
    site.sidecar.process.terminate()
    site.sidecar.process.wait(20)
    assert site.upstream("LRANGE", "celery", 0, -1) == [element]
    peer.close()


# --- the reserve


RESERVED = "__sidecar:br:reserved"


def reserving(sites):
    site = sites("--broker-reserve")
    introduce(site)
    eventually(lambda: site.upstream("HLEN", RESERVED) == 0)
    return site


def test_a_reserved_message_stands_in_redis_until_it_is_noted(sites):
    site = reserving(sites)
    element = message()
    with KombuPeer(site.sidecar) as peer:
        peer.ask("celery", seconds=10)
        push(site, element)
        assert peer.answer() == element
        assert site.upstream("HVALS", RESERVED) == [b"celery\0" + element]
        peer.note(element)
        eventually(lambda: site.upstream("HLEN", RESERVED) == 0)
        peer.settle(element)
    stays(lambda: site.depth() == 0, 1.5)


def test_a_reserved_message_of_a_dead_worker_goes_back_once(sites):
    site = reserving(sites)
    element = message()
    push(site, element)
    with KombuPeer(site.sidecar) as peer:
        assert peer.pop("celery") == element
    eventually(lambda: site.upstream("LRANGE", "celery", 0, -1) == [element])
    assert site.upstream("HLEN", RESERVED) == 0


def test_a_push_through_the_sidecar_wakes_a_reserving_pop(sites):
    site = reserving(sites)
    element = message()
    with KombuPeer(site.sidecar) as peer, KombuPeer(site.sidecar) as producer:
        peer.ask("other", "celery", seconds=10)
        producer.noting.command("LPUSH", "celery", element)
        assert peer.answer() == element


def test_a_message_reserved_by_a_sidecar_that_was_killed_goes_back(sites):
    site = reserving(sites)
    element = message()
    site.upstream("HSET", RESERVED, "no-such-process:1", b"celery\0" + element)
    eventually(lambda: site.upstream("LRANGE", "celery", 0, -1) == [element], 15)
    assert site.upstream("HLEN", RESERVED) == 0


def test_a_reserved_message_that_was_noted_is_not_put_back(sites):
    site = reserving(sites)
    element = message(tag="noted")
    site.upstream("HSET", "unacked", "noted", "[]")
    site.upstream("HSET", RESERVED, "no-such-process:1", b"celery\0" + element)
    eventually(lambda: site.upstream("HLEN", RESERVED) == 0, 15)
    assert site.depth() == 0
