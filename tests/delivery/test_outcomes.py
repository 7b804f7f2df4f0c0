"""Whatever an attempt comes to is noted: odd addresses, odd responses, libraries that raise."""

from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest

from plaudit import clock
from plaudit.delivery.addresses import AddressError, as_sent
from plaudit.delivery.attempts import ATTEMPT_LEASE
from plaudit.delivery.webhooks import RETRY_AFTER_SECONDS_MAX, WebhookClient
from tests.delivery.test_webhooks import deliver_all, pay, receiver, run, soon, webhook

__all__ = ["receiver", "soon"]


class Panic(BaseException):
    """What native code raises."""


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://example.com/hook?a=b", "https://example.com/hook?a=b"),
        ("https://example.com", "https://example.com/"),
        ("https://bücher.example/grüße?q=ü#part", "https://xn--bcher-kva.example/gr%C3%BC%C3%9Fe?q=%C3%BC"),
        ("https://faß.example:8443/100%25", "https://xn--fa-hia.example:8443/100%25"),
        ("http://[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080/x"),
        ("https://EXAMPLE.com/a b", "https://example.com/a%20b"),
    ],
)
def test_an_address_goes_over_the_line_in_ascii(url, sent):
    assert as_sent(url) == sent
    assert as_sent(sent) == sent


@pytest.mark.parametrize(
    "url",
    [
        "https://[::1", "https://example.com:99999/", "https://example.com:0/", "https://user:pass@example.com/",
        "ftp://example.com/", "https:///path", "https://exa\u2028mple.com/", "https://-.ü/",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_called_says_so(url):
    with pytest.raises(AddressError, match="the address"):
        as_sent(url)


def test_an_address_that_cannot_be_called_is_noted_like_any_failure(staged, fresh_database):
    async def scenario(stage):
        await stage.pay()
        await webhook(stage, "http://127.0.0.1:1/", events=["transaction.created"])
        # As an earlier version may have saved it.
        await stage.fetch("""UPDATE documents SET doc = jsonb_set(doc, '{url}', '"https://example.com:99999/"')
                             WHERE kind = 'webhook' RETURNING 1""")
        await stage.change("campaign", "camp_1", name="Another version of the programme")
        await pay(stage, "ann")
        await deliver_all(stage, passes=3)
        return await stage.fetch("SELECT state, attempts, status, error FROM deliveries")

    (row,) = run(staged, fresh_database, scenario)
    assert (row["state"], row["attempts"], row["status"]) == ("waiting", 1, None)
    assert "cannot be called" in row["error"]


@pytest.mark.parametrize("problem", [Panic("a panic\0 in native code"), ValueError("\ud800"), RuntimeError()])
def test_whatever_an_attempt_raises_is_noted(staged, fresh_database, monkeypatch, problem):
    async def raising(*_):
        raise problem

    monkeypatch.setattr(WebhookClient, "attempt", raising)

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, "http://127.0.0.1:1/", events=["transaction.created"])
        await pay(stage, "ann")
        await deliver_all(stage, passes=3)
        return await stage.fetch("SELECT state, attempts, error, next_at - tried_at AS later FROM deliveries")

    (row,) = run(staged, fresh_database, scenario)
    assert (row["state"], row["attempts"]) == ("waiting", 1)
    assert row["error"].startswith(type(problem).__name__)
    assert row["later"] < ATTEMPT_LEASE  # by the usual delay, not because its lease was over


def test_one_that_is_gone_is_set_inactive_at_once_and_the_others_are_told(staged, fresh_database, receiver, soon):
    gone, watching = receiver(lambda *_: 410), receiver()

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, gone.url, "wh_gone", events=["transaction.created"])
        await webhook(stage, watching.url, "wh_watching", events=["webhook.disabled"])
        await pay(stage, "ann")
        await deliver_all(stage)
        documents = await stage.fetch("SELECT id, doc ->> 'status' AS status FROM documents WHERE kind = 'webhook'")
        (state,) = await stage.fetch(
            "SELECT disabled_at, disabled_reason FROM webhook_states WHERE webhook_id = 'wh_gone'"
        )
        (row,) = await stage.fetch("SELECT state, attempts, status FROM deliveries WHERE webhook_id = 'wh_gone'")
        return {document["id"]: document["status"] for document in documents}, state, tuple(row)

    statuses, state, row = run(staged, fresh_database, scenario)
    assert statuses == {"wh_gone": "inactive", "wh_watching": "active"}
    assert state["disabled_at"] is not None
    assert state["disabled_reason"] == "the address returned 410 Gone"
    assert row == ("dead", 1, 410)
    assert len(gone.requests) == 1
    assert [message["data"] for message in watching.messages] == [
        {"webhookId": "wh_gone", "reason": "the address returned 410 Gone"}
    ]


def in_seconds(seconds: int) -> str:
    return format_datetime(clock.now() + timedelta(seconds=seconds))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        (lambda: "20", 20, 21), (lambda: in_seconds(3_000), 2_900, 3_001), (lambda: "99999999999", *[RETRY_AFTER_SECONDS_MAX] * 2),
        (lambda: in_seconds(-60), 0, 6), (lambda: "soon", 0, 6), (lambda: "-5", 0, 6), (lambda: "٣٠", 0, 6),
    ],
)  # fmt: skip
def test_one_that_is_busy_is_left_alone_for_as_long_as_it_asks(
    staged, fresh_database, receiver, status, asked, least, most
):
    there = receiver(lambda *_: status)
    there.headers["Retry-After"] = asked().encode().decode("latin-1")

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, there.url, events=["transaction.created"])
        await pay(stage, "ann")
        await deliver_all(stage, passes=3)
        return await stage.fetch("SELECT state, status, next_at, tried_at FROM deliveries")

    (row,) = run(staged, fresh_database, scenario)
    later: datetime = row["next_at"]
    assert (row["state"], row["status"]) == ("waiting", status)
    assert least <= (later - row["tried_at"]).total_seconds() <= most


def test_a_response_counts_though_its_body_never_ends(staged, fresh_database, receiver, monkeypatch):
    monkeypatch.setattr("plaudit.delivery.webhooks.ATTEMPT_SECONDS", 3)
    there = receiver()
    there.ends = False

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, there.url, events=["transaction.created"])
        await pay(stage, "ann")
        await deliver_all(stage, passes=3)
        return await stage.fetch("SELECT state, attempts, status, error FROM deliveries")

    (row,) = run(staged, fresh_database, scenario)
    assert tuple(row) == ("delivered", 1, 200, None)


def test_what_no_header_can_carry_is_in_the_body_only(staged, fresh_database, receiver):
    there = receiver()
    given = ["fine-1", "grüße", "two\r\nX-Evil: 1"]

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, there.url, events=["transaction.created"])
        await pay(stage, "ann", "bob", "eve")
        rows = await stage.fetch("SELECT message_id FROM outbox")
        for row, correlation_id in zip(rows, given, strict=True):
            await stage.fetch(
                "UPDATE outbox SET payload = jsonb_set(payload::jsonb, '{correlationId}', to_jsonb($2::text))"
                " WHERE message_id = $1 RETURNING 1",
                row["message_id"], correlation_id,
            )  # fmt: skip
        await deliver_all(stage)

    run(staged, fresh_database, scenario)
    assert sorted(message["correlationId"] for message in there.messages) == sorted(given)
    assert sorted(headers.get("x-correlation-id", "none") for headers, _, _ in there.requests) == [
        "fine-1",
        "none",
        "none",
    ]
    assert not any("x-evil" in headers for headers, _, _ in there.requests)
