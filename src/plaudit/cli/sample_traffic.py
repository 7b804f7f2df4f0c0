"""Sample traffic: plausible events of fans, sent over HTTP."""

import asyncio
import random
import time
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from plaudit.errors import PlauditError
from plaudit.storage.orgs import Credentials

BATCH = 200
SEED = 7  # the same events every time


def sample_events(members: int, events: int) -> list[dict[str, Any]]:
    """Return random events: mostly sessions and votes, few check-ins and purchases. A few fans send most of them."""
    rng = random.Random(SEED)  # noqa: S311
    actions: list[dict[str, Any]] = []
    for _ in range(events):
        user = f"fan_{min(int(rng.paretovariate(1.1)), members)}"
        kind = rng.choices(["session_started", "poll_vote", "match_checkin", "shop_purchase"], [50, 35, 5, 10])[0]
        data: dict[str, Any] = {}
        if kind == "poll_vote":
            data = {"option": rng.choice(["home", "draw", "away"])}
        elif kind == "shop_purchase":
            data = {"amount": round(rng.lognormvariate(3.5, 0.7), 2), "currency": "GBP"}
        actions.append({"userId": user, "action": kind, "data": data, "metadata": {"source": "play"}})
    return actions


async def play(console: Console, url: str, credentials: Credentials, *, members: int, events: int, rate: float) -> None:
    """Report events, at `rate` per second unless it is 0, and print what some members got."""
    headers = {
        "Authorization": f"Bearer {credentials.api_secret}",
        "X-Monterosa-Org-ID": str(credentials.org_id),
    }
    actions = sample_events(members, events)
    size = max(1, min(BATCH, int(rate / 5))) if rate else BATCH
    started = time.monotonic()
    accepted = 0
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        with Progress(console=console) as progress:
            task = progress.add_task("events", total=events)
            for start in range(0, events, size):
                batch = actions[start : start + size]
                try:
                    response = await client.post("/api/audience/internal/actions/batch", json=batch)
                except httpx.TransportError as error:
                    raise PlauditError(f"No server is running at {url} ({type(error).__name__})") from None
                if response.status_code != 202:
                    raise PlauditError(f"The server returned {response.status_code}: {response.text[:500]}")
                accepted += response.json()["accepted"]
                progress.advance(task, len(batch))
                if rate:
                    await asyncio.sleep(max(0, started + (start + size) / rate - time.monotonic()))
        seconds = time.monotonic() - started
        await _wait_until_drained(client)
        table = Table(title=f"{accepted:,} events accepted in {seconds:.1f} s ({accepted / seconds:,.0f} a second)")
        for column in ("fan", "points", "xp", "badges", "coupons"):
            table.add_column(column)
        for number in range(1, min(members, 5) + 1):
            response = await client.get(f"/v1/profiles/fan_{number}")
            if response.status_code != 200:
                continue
            fan = response.json()["data"]
            codes = ", ".join(coupon["code"] for coupon in fan["coupons"])
            table.add_row(fan["userId"], str(fan["points"]), str(fan["xp"]), str(len(fan["badges"])), codes)
        console.print(table)


async def _wait_until_drained(client: httpx.AsyncClient) -> None:
    """Wait until the inbox is empty, at most a minute."""
    for _ in range(600):
        response = await client.get("/v1/events", params={"status": "queued", "limit": 1})
        if not response.json()["data"]["events"]:
            return
        await asyncio.sleep(0.1)
