#!/usr/bin/env python3
"""Asks an address for an echo each millisecond, and says at its end what was lost.

    probe.py ADDRESS [SECONDS]    ends after so long, or at SIGTERM

Prints one line of JSON: probes sent and lost, and the longest time between two answered ones in milliseconds
(outage: less the millisecond that lies between any two).
"""

import json
import os
import select
import signal
import socket
import struct
import sys
import time

STEP = 0.001
LAST = 0.2  # answers may take so long at the end


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class Prober:
    def __init__(self, address):
        self.is_v6 = ":" in address
        family = socket.AF_INET6 if self.is_v6 else socket.AF_INET
        protocol = socket.IPPROTO_ICMPV6 if self.is_v6 else socket.IPPROTO_ICMP
        self.socket = socket.socket(family, socket.SOCK_RAW, protocol)
        self.socket.setblocking(False)
        self.address = address
        self.id = os.getpid() & 0xFFFF
        self.sent = {}
        self.number = 0
        self.answered = []
        self.running = True

    def send(self):
        kind = 128 if self.is_v6 else 8
        body = struct.pack("!I", self.number)
        head = struct.pack("!BBHHH", kind, 0, 0, self.id, self.number & 0xFFFF)
        if not self.is_v6:
            head = struct.pack("!BBHHH", kind, 0, checksum(head + body), self.id, self.number & 0xFFFF)
        self.sent[self.number] = time.monotonic()
        self.number += 1
        try:
            self.socket.sendto(head + body, (self.address, 0))
        except OSError:
            pass  # no neighbour, no route: as good as lost

    def receive(self):
        while True:
            try:
                data = self.socket.recv(2048)
            except OSError:
                return
            if not self.is_v6:
                data = data[(data[0] & 15) * 4 :]
            kind, _, _, ident, _ = struct.unpack("!BBHHH", data[:8])
            if kind == (129 if self.is_v6 else 0) and ident == self.id and len(data) >= 12:
                at = self.sent.pop(struct.unpack("!I", data[8:12])[0], None)
                if at is not None:
                    self.answered.append(at)

    def run(self, seconds):
        end = time.monotonic() + seconds
        due = time.monotonic()
        while self.running and due < end:
            now = time.monotonic()
            if now >= due:
                self.send()
                due = max(due + STEP, now - 10 * STEP)
            select.select([self.socket], [], [], max(0, due - time.monotonic()))
            self.receive()
        last = time.monotonic() + LAST
        while time.monotonic() < last:
            select.select([self.socket], [], [], 0.01)
            self.receive()

    def report(self):
        times = sorted(self.answered)
        gaps = [b - a for a, b in zip(times, times[1:])]
        longest = max(gaps, default=float("inf"))
        # What lies before the first answer and behind the last one is an outage too.
        lost = sorted(self.sent.values())
        if lost and times:
            longest = max(longest, times[0] - lost[0], lost[-1] - times[-1])
        outage = max(0.0, longest - STEP) * 1000 if lost else 0.0
        return {"sent": self.number, "lost": len(self.sent), "outage_ms": round(outage, 1)}


def main():
    prober = Prober(sys.argv[1])

    def stop(*_):
        prober.running = False

    signal.signal(signal.SIGTERM, stop)
    prober.run(float(sys.argv[2]) if len(sys.argv) > 2 else float("inf"))
    print(json.dumps(prober.report()), flush=True)


main()
