"""A real mosquitto that can be killed, and a gate before it, so that a test decides who may connect when."""

from __future__ import annotations

import contextlib
import queue
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.edge.claimed_port import ClaimedPort

PATIENCE_S = 30.0


class Broker:
    """mosquitto on a loopback port of its own, dead or alive; `options` are further lines of its configuration."""

    def __init__(self, binary: str, folder: Path, options: str = "allow_anonymous true") -> None:
        self._claimed = ClaimedPort()
        self.port = self._claimed.number
        self._binary = binary
        self._settings = folder / f"mosquitto-{self.port}.conf"
        self._settings.write_text(f"listener {self.port} 127.0.0.1\n{options}\n")
        # mosquitto gives up root, and must still reach its files.
        self._settings.chmod(0o644)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._binary, "-c", str(self._settings)], stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert self._process.stderr is not None
        told = []
        for line in self._process.stderr:
            told.append(line)
            if "running" in line:
                return
        raise AssertionError("mosquitto did not start: " + "".join(told))

    def hang(self) -> None:
        """SIGSTOP: connections stand, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def read_again(self) -> None:
        """SIGHUP: access lists are read anew."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """SIGKILL: no farewell to clients, nothing saved."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stderr is not None
            self._process.stderr.close()
            self._process = None

    def close(self) -> None:
        """For good: its port is let go, too."""
        self.kill()
        self._claimed.close()


class Gate:
    """Forwards loopback connections to a port while it is open; refuses them while it is shut."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._is_open = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, name="gate", daemon=True).start()

    def open(self) -> None:
        self._is_open.set()

    def shut(self) -> None:
        """Refuse new connections; those that stand go on."""
        self._is_open.clear()

    def cut(self) -> None:
        """Refuse new connections and drop those that stand, in the middle of whatever they carry."""
        self.shut()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def close(self) -> None:
        self.cut()
        # A plain close would leave the accepting thread asleep.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        if not self._is_open.is_set():
            client.close()
            return
        try:
            broker = socket.create_connection(("127.0.0.1", self._target_port))
        except OSError:
            client.close()
            return
        self._sockets += [client, broker]
        for source, sink in ((client, broker), (broker, client)):
            threading.Thread(target=_pump, args=(source, sink), name="gate-pump", daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    source.close()


class Listener:
    """A subscriber; messages arrive in `messages`, in order.

    With QoS 0 it hears all that a broker sent before it was killed. With QoS 1 its own receipt, on its way
    to a dead broker, can end the connection before the rest is read.
    """

    def __init__(
        self, port: int, topic: str, name: str = "listener", login: tuple[str, str] | None = None, qos: int = 0
    ) -> None:
        self.messages: queue.Queue[MQTTMessage] = queue.Queue()
        subscribed = threading.Event()
        self._is_cut_off = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._client.on_message = lambda _client, _data, message: self.messages.put(message)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_disconnect = lambda *_: self._is_cut_off.set()
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos)
        if login is not None:
            self._client.username_pw_set(*login)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(PATIENCE_S)

    def next(self, topic_end: str = "") -> MQTTMessage:
        """The next message whose topic ends so; others are passed over."""
        while True:
            message = self.messages.get(timeout=PATIENCE_S)
            if message.topic.endswith(topic_end):
                return message

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish, and wait until the broker has it."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def left_over(self) -> list[MQTTMessage]:
        """Everything that a broker, dead by now, had still sent; the listener is closed."""
        assert self._is_cut_off.wait(PATIENCE_S)
        self.close()
        return [self.messages.get() for _ in range(self.messages.qsize())]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
