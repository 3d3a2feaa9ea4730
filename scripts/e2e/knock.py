#!/usr/bin/env python3
"""Begins a request every few milliseconds, whatever became of those before, until SIGTERM.

Then writes a line for each: when it began (seconds since 1970), how it ended, who answered, and the port it came from.
    knock.py ADDRESS PORT MILLISECONDS
"""
import selectors
import signal
import socket
import sys
import time

PATIENCE = 1.5  # seconds for a request

address, port, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1000
family = socket.AF_INET6 if ":" in address else socket.AF_INET
selector = selectors.DefaultSelector()
lines = []
asked = {}


class Request:
    def __init__(self):
        self.began = time.time()
        self.reply = b""
        self.sent = False
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.connect_ex((address, port))
        self.port = self.socket.getsockname()[1]
        asked[self] = None
        selector.register(self.socket, selectors.EVENT_WRITE, self)

    def end(self, how):
        del asked[self]
        selector.unregister(self.socket)
        self.socket.close()
        body = self.reply.rpartition(b"\r\n\r\n")[2].decode(errors="replace").strip()
        lines.append(f"{self.began:.6f} {how} {body or '-'} {self.port}")

    def ready(self):
        try:
            if not self.sent:
                error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    return self.end(f"error-{error}")
                self.socket.send(b"GET / HTTP/1.0\r\n\r\n")
                self.sent = True
                selector.modify(self.socket, selectors.EVENT_READ, self)
                return None
            piece = self.socket.recv(4096)
        except OSError as error:
            return self.end(f"error-{error.errno}")
        if piece:
            self.reply += piece
            return None
        return self.end("ok" if b" 200 " in self.reply else "empty")


going = True


def stop(*_):
    global going
    going = False


signal.signal(signal.SIGTERM, stop)
due = time.time()
while going or asked:
    now = time.time()
    while going and due <= now:
        Request()
        due += pause
    for request in [request for request in asked if now - request.began > PATIENCE]:
        request.end("timeout")
    for key, _ in selector.select(max(0.0, due - time.time()) if going else 0.1):
        if key.data in asked:
            key.data.ready()
print("\n".join(lines))
