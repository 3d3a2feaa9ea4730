#!/usr/bin/env python3
"""From each of some client ports, one connection to each address in turn, while those before stay open.

Writes a line for each connection: port, address, which server answered, or why none did. Holds them until its standard
input ends.
    same_port.py tcp|udp FIRST_PORT PORTS DESTINATION_PORT ADDRESS...
"""
import socket
import sys

PATIENCE = 4  # seconds: a SYN and two more

kind, first, count, destination = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
# Asks a DNS server for who.test.penstock TXT, which names the server.
QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03who\x04test\x08penstock\x00\x00\x10\x00\x01"
open_sockets = []


def ask(port, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    own = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.settimeout(PATIENCE)
    open_sockets.append(own)
    own.bind(("", port))
    own.connect((address, destination))
    if kind == "udp":
        own.send(QUERY)
        return own.recv(512)[-3:].decode()
    own.send(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: keep-alive\r\n\r\n")
    reply = b""
    while b"\r\n\r\n" not in reply:
        piece = own.recv(4096)
        if not piece:
            return "closed"
        reply += piece
    return reply.split(b"\r\n", 1)[0].decode().split(" ")[1]


for port in range(first, first + count):
    for address in sys.argv[5:]:
        try:
            print(port, address, ask(port, address), flush=True)
        except OSError as error:
            print(port, address, "failed:", error, flush=True)
sys.stdin.read()
