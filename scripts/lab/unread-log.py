#!/usr/bin/env python3
"""Becomes a program whose standard error is not read before a file says so.

    unread-log.py pipe|socket LOG COMMAND...

Once LOG.read is there, all that comes is written to LOG. `socket` is a stream as systemd gives one to its services.
"""

import os
import shutil
import socket
import sys
import time


def ends(kind):
    if kind == "pipe":
        return os.pipe()
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def main():
    kind, log, *command = sys.argv[1:]
    ours, theirs = ends(kind)
    if os.fork() == 0:
        # Twice, so that the program has no child that it does not know of.
        if os.fork() != 0:
            os._exit(0)
        os.close(theirs)
        os.setsid()
        while not os.path.exists(log + ".read"):
            time.sleep(0.05)
        with open(ours, "rb", buffering=0) as source, open(log, "wb", buffering=0) as target:
            shutil.copyfileobj(source, target, 1 << 16)
        os._exit(0)
    os.wait()
    os.close(ours)
    os.dup2(theirs, 2)
    os.close(theirs)
    os.execvp(command[0], command)


main()
