#!/usr/bin/env python3
"""A bot that answers: `help`, `time`, `count`, and says again whatever else it is told.

    KAMUNE_DAEMON="kamune daemon" ./reminder_bot.py 0.0.0.0:9000 bot.db

It talks with anybody, since it has nothing to hide. A bot that has should ask a person: see kamune_client.py.
"""

import collections
import datetime
import os
import sys

from kamune_client import Kamune, KamuneError


def answer(text, counts, session):
    counts[session] += 1
    if text == "help":
        return "help, time, count, or anything else"
    if text == "time":
        return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    if text == "count":
        return f"{counts[session]} messages"
    return f"You said: {text}"


def main(address, path):
    counts = collections.Counter()
    with Kamune() as kamune:
        kamune.open(path, os.environ.get("KAMUNE_DB_PASSPHRASE"))
        kamune.set_verification_mode(Kamune.ACCEPT_ANYBODY)
        print("listening at", kamune.serve(address, name="reminder bot"), flush=True)
        for event in kamune.events():
            if event.name == "session_started":
                print(repr(event["peer_name"]), "is here", flush=True)
            elif event.name == "session_closed":
                counts.pop(event["session_id"], None)
            elif event.name == "message_received":
                session = event["session_id"]
                try:
                    kamune.send(session, answer(event.text.strip(), counts, session))
                except KamuneError as error:
                    # Whoever leaves in the middle leaves the bot to the others.
                    print("not answered:", error, file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} ADDRESS FILE")
    try:
        main(*sys.argv[1:])
    except KamuneError as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    except KeyboardInterrupt:
        pass
