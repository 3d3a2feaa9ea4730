#!/usr/bin/env python3
"""Clients with addresses of their own, all simultaneously: each connects, or asks a DNS server, once. Ten queries a
millisecond are the most.

    fresh.py tcp|udp VIP PORT FIRST NUMBER   from NUMBER addresses, from FIRST on; the addresses must be there
    fresh.py steady VIP PORT MILLISECONDS    one DNS query each so many milliseconds until SIGTERM

Writes a JSON object: how many there were, how many were answered, SYNs and queries that were sent again (none is,
of queries), and the median and the longest time in milliseconds.
"""
import ipaddress
import json
import resource
import selectors
import signal
import socket
import struct
import sys
import time

PATIENCE = 8.0
TOTAL_RETRANSMISSIONS = 100  # tcpi_total_retrans of struct tcp_info
QUERY = b"\1\0\0\1\0\0\0\0\0\0\3who\4test\10penstock\0\0\x10\0\1"

kind, vip, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in vip else socket.AF_INET


def report(number, times, again):
    times = sorted(times)
    median, worst = (times[len(times) // 2], times[-1]) if times else (None, None)
    result = {"clients": number, "answered": len(times), "again": again, "median_ms": median, "worst_ms": worst}
    print(json.dumps(result))


def fresh(first, number):
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * number + 64, 2 * number + 64))
    addresses = [str(ipaddress.ip_address(first) + n) for n in range(number)]
    sockets, selector, times, again = [], selectors.DefaultSelector(), [], 0
    for address in addresses:
        one = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        one.setblocking(False)
        one.bind((address, 0))
        sockets.append(one)
    def take(patience):
        again = 0
        for key, _ in selector.select(patience):
            now, one = time.monotonic(), key.fileobj
            selector.unregister(one)
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                times.append(round((now - key.data) * 1000, 2))
            if kind == "tcp":
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
                again += struct.unpack_from("I", info, TOTAL_RETRANSMISSIONS)[0]
        return again

    for place, one in enumerate(sockets):
        began = time.monotonic()
        one.connect_ex((vip, port))
        if kind == "udp":
            one.send(b"\0\1" + QUERY)
        selector.register(one, selectors.EVENT_WRITE if kind == "tcp" else selectors.EVENT_READ, began)
        if kind == "udp" and place % 10 == 9:
            again += take(0.001)  # no server's receive buffer takes a thousand
    end = time.monotonic() + PATIENCE
    while selector.get_map() and time.monotonic() < end:
        again += take(0.1)
    report(number, times, again)


def steady(pause):
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.connect((vip, port))
    one.settimeout(pause)
    goes_on, sent, times = [True], {}, []
    signal.signal(signal.SIGTERM, lambda *_: goes_on.clear())
    number, due = 0, time.monotonic()
    while goes_on or time.monotonic() < due + 1:
        now = time.monotonic()
        if goes_on and now >= due:
            number, due = number + 1, due + pause
            sent[number % 65536] = now
            one.send(struct.pack("!H", number % 65536) + QUERY)
        try:
            answer = one.recv(512)
        except (TimeoutError, ConnectionRefusedError):
            continue
        began = sent.pop(struct.unpack_from("!H", answer)[0], None)
        if began is not None:
            times.append(round((time.monotonic() - began) * 1000, 2))
    report(number, times, 0)


if kind == "steady":
    steady(float(sys.argv[4]) / 1000)
else:
    fresh(sys.argv[4], int(sys.argv[5]))
