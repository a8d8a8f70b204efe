import pytest

from hdms_common import connections
from ticket_service.models import NEXT, Status, Ticket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ticket(post):
    return post("/api/tickets/", {"title": "printer", "reporter": "bob"}).json()


def test_opens_a_ticket(post):
    answer = post("/api/tickets/", {"title": "no paper", "reporter": "bob", "priority": "high"})
    assert answer.status_code == 201
    told = answer.json()
    assert (told["status"], told["priority"], told["reporter"]) == ("open", "high", "bob")


@pytest.mark.parametrize(
    "body",
    [{}, {"title": ""}, {"title": "x" * 201}, {"title": "x", "priority": "yesterday"}, {"title": "a\0b"}, []],
)
def test_refuses_what_is_no_ticket(post, body):
    assert post("/api/tickets/", body).status_code == 400
    assert not Ticket.objects.exists()


def test_status_goes_its_ways_only(post, ticket, client):
    path = f"/api/tickets/{ticket['id']}/"
    answer = post(path + "status/", {"status": "waiting"})
    assert answer.status_code == 409
    assert answer.json()["possible"] == ["closed", "in_progress", "resolved"]
    assert post(path + "status/", {"status": "in_progress", "author": "ada"}).status_code == 200
    assert post(path + "status/", {"status": "resolved", "author": "ada", "note": "paper"}).status_code == 200
    changes = client.get(path).json()["changes"]
    assert [(each["before"], each["after"]) for each in changes] == [
        ("open", "in_progress"),
        ("in_progress", "resolved"),
    ]
    assert changes[1]["note"] == "paper"


def test_every_status_leads_somewhere_known():
    assert set(NEXT) == set(Status)
    assert all(ways and ways < set(Status) for ways in NEXT.values())


def test_status_is_not_changed_by_the_way(patch, ticket):
    answer = patch(f"/api/tickets/{ticket['id']}/", {"status": "closed", "assignee": "ada"})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["assignee"]) == ("open", "ada")


def test_lists_are_cached_until_something_changes(client, post, ticket):
    def ask():
        answer = client.get("/api/tickets/?status=open")
        return answer.headers["X-Cache"], answer.json()["count"]

    assert ask() == ("miss", 1)
    assert ask() == ("hit", 1)
    post("/api/tickets/", {"title": "another"})
    assert ask() == ("miss", 2)
    post(f"/api/tickets/{ticket['id']}/status/", {"status": "closed"})
    assert ask() == ("miss", 1)
    assert ask() == ("hit", 1)


def test_what_is_undone_does_not_touch_the_cache(client, post, ticket):
    client.get("/api/tickets/")
    assert post(f"/api/tickets/{ticket['id']}/status/", {"status": "waiting"}).status_code == 409
    assert client.get("/api/tickets/").headers["X-Cache"] == "hit"


def test_lists_filter_and_page(client, post):
    for number in range(5):
        post("/api/tickets/", {"title": f"ticket {number}", "reporter": "bob" if number % 2 else "ann"})
    assert client.get("/api/tickets/?reporter=bob").json()["count"] == 2
    page = client.get("/api/tickets/?limit=2&offset=2").json()
    assert [each["title"] for each in page["results"]] == ["ticket 2", "ticket 1"]
    assert client.get("/api/tickets/?status=opn").status_code == 400
    assert client.get(f"/api/tickets/?offset={10**30}").status_code == 200


def test_comments_stand_with_their_ticket(client, post, ticket):
    path = f"/api/tickets/{ticket['id']}/"
    assert post(path + "comments/", {"author": "ada", "text": "on my way"}).status_code == 201
    assert client.get(path).json()["comments"][0]["text"] == "on my way"
    assert client.get(path + "comments/").json()["count"] == 1
    assert post("/api/tickets/999999999/comments/", {"text": "x"}).status_code == 404


def test_nothing_is_found_where_nothing_is(client):
    assert client.get(f"/api/tickets/{10**30}/").status_code == 404
    assert client.get("/api/elsewhere/").json() == {"error": "there is nothing at /api/elsewhere/"}


def test_tickets_are_served_without_the_cache(client, post, ticket):
    connections.cache.lost(ConnectionError("Connection refused"))
    connections.cache.next_try = float("inf")
    for _ in range(2):
        answer = client.get("/api/tickets/")
        assert (answer.status_code, answer.headers["X-Cache"], answer.json()["count"]) == (200, "miss", 1)
    assert post("/api/tickets/", {"title": "another"}).status_code == 201
