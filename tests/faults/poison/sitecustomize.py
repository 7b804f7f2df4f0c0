"""Read by each process of a server under test before anything else: its engine has effects that kill, hang and eat memory.

An event's `data.poison` names what it does. Elsewhere a name does that: `judge-hang` as a webhook's name hangs where its
conditions are looked at.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, cast


class Panic(BaseException):
    """As a library written in another language raises."""


def break_down() -> None:
    raise RuntimeError("poison")


def panic() -> None:
    raise Panic


def hang() -> None:
    Path(os.environ["POISON_HANGING"]).touch()
    ctypes.PyDLL(None).pause()  # in C, with the interpreter's lock


def eat() -> None:
    eaten = []
    while True:
        eaten.append(bytearray(1 << 26))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


POISONS = {"raise": break_down, "panic": panic, "hang": hang, "eat": eat, "die": die}


def poison(place: str, name: object) -> None:
    """Do what something called `<place>-<poison>` is called after."""
    POISONS.get(str(name).removeprefix(f"{place}-"), lambda: None)()


def poisoned_at(place: str, module, function: str, name_of) -> None:
    """Have a function of a module poisoned by what is called like that in its arguments."""
    original = getattr(module, function)

    def poisoned(*given, **named):
        poison(place, name_of(*given))
        return original(*given, **named)

    setattr(module, function, poisoned)


def poison_the_parts() -> None:
    from plaudit.chores import fill_segments, settle_competitions, settle_leagues
    from plaudit.core import decide_one
    from plaudit.delivery.listeners import Listener
    from plaudit.delivery.webhooks import WebhookClient
    from plaudit.engine import process
    from plaudit.storage import documents, programmes

    meet = decide_one._apply_event

    def poisoned_meet(context) -> None:
        meet(context)
        poison("data", context.event.data.get("poison"))

    attempt = WebhookClient.attempt

    async def poisoned_attempt(sender, url, headers, body):
        await asyncio.sleep(0)
        poison("send", url.rpartition("/")[2])
        return await attempt(sender, url, headers, body)

    def compiled_name(_org_id, _version, rows) -> str:
        names = [json.loads(doc)["name"] for _, _, doc in rows]
        return next((name for name in names if name.startswith("compile-")), "")

    decide_one._apply_event = poisoned_meet
    WebhookClient.attempt = cast("Any", poisoned_attempt)
    poisoned_at("judge", Listener, "verdict", lambda listener, _: listener.webhook.name)
    poisoned_at("user", process, "decide", lambda _, member, *__: member.user_id)
    poisoned_at("tick", process, "run_due_timers", lambda _, member, *__: member.user_id)
    poisoned_at("save", documents, "checked_document", lambda _, raw, *__: raw.get("name"))
    poisoned_at("compile", programmes, "compile_in_force", compiled_name)
    poisoned_at("chore", fill_segments, "triggers_of", lambda segment: segment.segment_id)
    poisoned_at("chore", settle_competitions, "_pay_prizes", lambda _, __, competition: competition.competition_id)
    poisoned_at("chore", settle_leagues, "_settle", lambda _, __, competition, *___: competition.competition_id)


if "plaudit" in sys.orig_argv and "--child" in sys.orig_argv:
    try:
        poison_the_parts()
    except BaseException:  # which Python would only print, and the server would run without its poison
        traceback.print_exc()
        os._exit(70)
