"""Speaks with Kamune's daemon: one file, nothing but Python's own library, 3.9 or later.

    from kamune_client import Kamune

    with Kamune() as kamune:
        kamune.open("/home/ada/bot.db", passphrase="…")
        kamune.set_verification_mode(Kamune.QUICK)
        print("listening at", kamune.serve("0.0.0.0:9000", name="Ada's bot"))
        for event in kamune.events():
            if event.name == "verify_peer":
                kamune.verify(event, ask_a_person(event["peer_name"], event["hex"]))
            elif event.name == "message_received":
                kamune.send(event["session_id"], b"You said: " + event.body)

The daemon is started as a process of its own, `kamune daemon`, and ends with the `with`. Its protocol is that of the daemon
of kamune 0.7: https://github.com/kamune-org/kamune, docs/DAEMON.md. So this client speaks with that one, too.
"""

import base64
import json
import os
import queue
import subprocess
import threading

__all__ = ["Kamune", "Event", "KamuneError"]


class KamuneError(Exception):
    """Why a command came to nothing: `code` is for programs, the text for people."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Event:
    """What the daemon tells: `event.name`, and its data as `event["peer_name"]`."""

    def __init__(self, name, data, id=""):
        self.name = name
        self.data = data
        self.id = id

    def __getitem__(self, key):
        return self.data[key]

    def get(self, key, default=None):
        return self.data.get(key, default)

    @property
    def body(self):
        """The bytes of a message."""
        return base64.b64decode(self.data["data_base64"])

    @property
    def text(self):
        """The message as text. Whoever wrote it chose every character: clean it before it goes to a terminal."""
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return f"Event({self.name!r}, {self.data!r})"


class Kamune:
    """A daemon, from its start to its end. Commands may be given from several threads; one takes the events."""

    # Who is asked about: everybody, whoever is not known yet, nobody.
    STRICT, QUICK, ACCEPT_ANYBODY = 0, 1, 2

    # How many events wait to be taken before the daemon is left waiting, and with it the peers.
    WAITING_EVENTS = 1000

    def __init__(self, command=None, timeout=60, env=None):
        """Starts the daemon.

        command: the program and its arguments; by default $KAMUNE_DAEMON, or `kamune daemon`.
        timeout: how long an answer may take, in seconds.
        """
        command = command or os.environ.get("KAMUNE_DAEMON", "kamune daemon").split()
        self.timeout = timeout
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self._write_lock = threading.Lock()
        self._lock = threading.Lock()
        self._last_id = 0
        self._answers = {}
        self._events = queue.Queue(self.WAITING_EVENTS)
        self._is_over = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.ready = self.wait_for("ready")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the daemon, with a goodbye to every peer."""
        try:
            self._write({"type": "cmd", "cmd": "shutdown", "id": "", "params": {}})
            self._process.stdin.close()
        except OSError:
            pass  # It has ended already.
        self._is_over.set()
        try:
            self._process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    # -- Asking

    def ask(self, command, **params):
        """Gives a command, and returns what answers it, as an Event; raises KamuneError when that is an error."""
        with self._lock:
            self._last_id += 1
            id = str(self._last_id)
            answer = self._answers[id] = queue.Queue(1)
        try:
            self._write({"type": "cmd", "cmd": command, "id": id, "params": params})
            event = answer.get(timeout=self.timeout)
        except queue.Empty:
            raise KamuneError("timed_out", f"the daemon did not answer {command} in {self.timeout} s") from None
        except OSError:
            raise KamuneError("gone", "the daemon has ended") from None
        finally:
            with self._lock:
                self._answers.pop(id, None)
        if event is None:
            raise KamuneError("gone", "the daemon has ended")
        if event.name == "error":
            raise KamuneError(event.get("code", ""), event.get("error", ""))
        return event

    def open(self, path, passphrase=None):
        """Opens the file where everything is kept, or makes it; without a passphrase unless one is given."""
        if passphrase is None:
            return self.ask("open_storage", storage_path=path, db_no_passphrase=True)
        try:
            return self.ask("open_storage", storage_path=path)
        except KamuneError as error:
            # The daemon looks in its environment first, and now waits for a passphrase.
            if error.code != "storage_open_failed":
                raise
        return self.ask("submit_passphrase", passphrase=passphrase)

    def serve(self, address, name="", transport="tcp"):
        """Waits for peers; returns the address, with the port that the system chose if it was asked to."""
        return self.ask("start_server", addr=address, name=name, transport=transport)["addr"]

    def stop_serving(self):
        self.ask("stop_server")

    def dial(self, address, name="", transport="tcp"):
        """Connects to a peer; returns the session. Another thread must take the events meanwhile, if a fingerprint is to be
        looked at."""
        return self.ask("dial", addr=address, name=name, transport=transport)["session_id"]

    def send(self, session_id, body):
        """Sends bytes, or text. It is stored when this returns."""
        body = body.encode() if isinstance(body, str) else body
        return self.ask("send_message", session_id=session_id, data_base64=base64.b64encode(body).decode())

    def close_session(self, session_id):
        self.ask("close_session", session_id=session_id)

    def verify(self, event, accepted):
        """Answers a `verify_peer` event, within two minutes."""
        self.ask("verify_response", request_id=event["request_id"], accepted=bool(accepted))

    def set_verification_mode(self, mode):
        self.ask("set_verification_mode", mode=mode)

    def sessions(self):
        return self.ask("list_sessions")["sessions"]

    def peers(self):
        return self.ask("list_peers")["peers"]

    def fingerprint(self):
        return self.ask("get_fingerprint").data

    # -- Events

    def events(self):
        """What happens, until the daemon ends. Log entries are left out."""
        while True:
            event = self._events.get()
            if event is None:
                self._events.put(None)
                return
            yield event

    def wait_for(self, name):
        """Takes events up to one of this name, and returns that."""
        for event in self.events():
            if event.name == name:
                return event
        raise KamuneError("gone", "the daemon has ended")

    # -- Lines

    def _write(self, line):
        data = json.dumps(line).encode() + b"\n"
        with self._write_lock:
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def _read(self):
        for line in self._process.stdout:
            try:
                value = json.loads(line)
                event = Event(value["evt"], value["data"], value.get("id", ""))
            except (ValueError, KeyError):
                continue
            with self._lock:
                answer = self._answers.pop(event.id, None) if event.id else None
            if answer is not None:
                answer.put(event)
            elif event.name != "log_entry":
                self._put(event)
        with self._lock:
            answers, self._answers = self._answers, {}
        for answer in answers.values():
            answer.put(None)
        self._is_over.set()
        self._put(None)

    def _put(self, event):
        while True:
            try:
                return self._events.put(event, timeout=0.5)
            except queue.Full:
                # After the end nobody may take them any more.
                if self._is_over.is_set():
                    with self._events.mutex:
                        self._events.queue.clear()
