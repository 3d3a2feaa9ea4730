#!/usr/bin/env python3
"""Holds many connections to a Unix socket, each with the beginning of a request, until SIGTERM.

    crowd.py SOCKET NUMBER REQUEST

Prints a line once all are connected.
"""

import signal
import socket
import sys


def main():
    path, number, request = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode().decode("unicode_escape").encode()
    held = []
    for _ in range(number):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        connection.send(request)
        held.append(connection)
    print("held", flush=True)
    signal.pause()


main()
