import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client

from hdms_common.identity import issue_token, read_token
from user_service.models import User

pytestmark = pytest.mark.django_db(transaction=True)
ADA = {"username": "ada", "email": "ada@example.org", "password": "correct horse battery"}


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada(post):
    return post("/api/users/", ADA).json()


@pytest.fixture
def token(post, ada):
    answer = post("/api/sessions/", {"username": "ada", "password": ADA["password"]})
    return "Bearer " + answer.json()["token"]


def test_registers_a_user_whose_password_is_not_kept(post):
    answer = post("/api/users/", {**ADA, "role": "agent"})
    assert answer.status_code == 201
    assert "password" not in answer.json() and answer.json()["role"] == "requester"
    stored = User.objects.get(username="ada")
    assert ADA["password"] not in stored.password and stored.check_password(ADA["password"])


@pytest.mark.parametrize(
    "change",
    [
        {"username": "Ada Lovelace"},
        {"username": ""},
        {"email": "ada"},
        {"password": ""},
        {"username": "a\nb"},
    ],
)
def test_refuses_what_is_no_user(post, change):
    assert post("/api/users/", {**ADA, **change}).status_code == 400


def test_a_name_is_given_once(post, ada):
    assert post("/api/users/", {**ADA, "email": "other@example.org"}).status_code == 400
    assert User.objects.count() == 1


def test_a_session_needs_the_password(post, ada):
    for wrong in ({"username": "ada", "password": "not it"}, {"username": "nobody", "password": "x"}):
        answer = post("/api/sessions/", wrong)
        assert answer.status_code == 403 and "token" not in answer.json()
    answer = post("/api/sessions/", {"username": "ada", "password": ADA["password"]})
    assert answer.status_code == 201
    assert read_token(answer.json()["token"]).username == "ada"


def test_the_token_tells_who_asks(client, token):
    answer = client.get("/api/sessions/current/", headers={"Authorization": token})
    assert answer.json()["username"] == "ada"
    assert client.get("/api/sessions/current/").status_code == 401
    forged = token[:-2] + ("aa" if token[-2:] != "aa" else "bb")
    assert client.get("/api/sessions/current/", headers={"Authorization": forged}).status_code == 401


def test_a_token_of_another_secret_is_refused(client, ada, settings):
    settings.SECRET_KEY = "another"
    token = issue_token(ada["id"], "ada", "agent")
    settings.SECRET_KEY = "the usual one"
    answer = client.get("/api/sessions/current/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_users_change_themselves_and_nobody_else(post, patch, ada, token):
    other = post("/api/users/", {**ADA, "username": "bob", "email": "bob@example.org"}).json()
    mine, others = f"/api/users/{ada['id']}/", f"/api/users/{other['id']}/"
    assert (
        patch(mine, {"full_name": "Ada L", "role": "agent"}, Authorization=token).json()["role"]
        == "requester"
    )
    assert patch(mine, {"full_name": "Ada"}).status_code == 401
    assert patch(others, {"full_name": "mine now"}, Authorization=token).status_code == 403
    assert User.objects.get(pk=other["id"]).full_name == ""


def test_an_agent_may_change_roles_but_no_passwords(post, patch, ada):
    other = post("/api/users/", {**ADA, "username": "bob", "email": "bob@example.org"}).json()
    call_command("make_agent", "ada")
    answer = post("/api/sessions/", {"username": "ada", "password": ADA["password"]})
    agent = "Bearer " + answer.json()["token"]
    changed = patch(
        f"/api/users/{other['id']}/", {"role": "agent", "password": "mine now mine"}, Authorization=agent
    )
    assert changed.json()["role"] == "agent"
    assert User.objects.get(username="bob").check_password(ADA["password"])
    with pytest.raises(CommandError, match="there is no user nobody"):
        call_command("make_agent", "nobody")


def test_a_profile_is_cached_until_it_changes(client, patch, ada, token):
    path = f"/api/users/{ada['id']}/"
    assert [client.get(path).headers["X-Cache"] for _ in range(2)] == ["miss", "hit"]
    patch(path, {"full_name": "Ada L"}, Authorization=token)
    answer = client.get(path)
    assert (answer.headers["X-Cache"], answer.json()["full_name"]) == ("miss", "Ada L")


def test_where_tokens_are_required_others_see_nothing(client, post, ada, token, settings):
    settings.HDMS_AUTH_REQUIRED = True
    assert client.get("/api/users/").status_code == 401
    assert client.get("/api/users/", headers={"Authorization": token}).json()["count"] == 1
    assert client.get("/health/").status_code == 200


def test_of_two_who_take_a_name_at_once_one_gets_it(monkeypatch):
    """Both have passed the check before either is stored."""
    meeting = threading.Barrier(2, timeout=20)
    set_password = User.set_password

    def meet(user, text):
        meeting.wait()
        set_password(user, text)

    monkeypatch.setattr(User, "set_password", meet)
    statuses = []

    def register():
        try:
            answer = Client().post("/api/users/", ADA, content_type="application/json")
            statuses.append(answer.status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=register) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [201, 409]
    assert User.objects.count() == 1
