#!/usr/bin/env python3
"""Asks a DNS server for who.test.penstock TXT every 50 ms from one port, and writes who answered, or `lost`, until it is ended.

    constant_sender.py ADDRESS OWN_PORT
"""
import socket
import sys
import time

PAUSE = 0.05
# The name of the query, type TXT, class IN; the first two bytes number it.
QUERY = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03who\x04test\x08penstock\x00\x00\x10\x00\x01"

address, port = sys.argv[1], int(sys.argv[2])
own = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
own.bind(("", port))
own.connect((address, 53))
number = 0
while True:
    number = (number + 1) % 65536
    began = time.monotonic()
    said = "lost"
    try:
        own.send(number.to_bytes(2, "big") + QUERY)
        while (left := began + PAUSE - time.monotonic()) > 0:
            own.settimeout(left)
            reply = own.recv(512)
            if reply[:2] == number.to_bytes(2, "big"):
                said = reply[-3:].decode()
                break
    except OSError:
        pass
    print(said, flush=True)
    time.sleep(max(0.0, began + PAUSE - time.monotonic()))
