#!/usr/bin/env python3
"""Stops one thread of a process, and lets it go on at SIGTERM or after a while.

    freeze-thread.py TID SECONDS

SIGSTOP stops all threads of a process; a tracer's PTRACE_INTERRUPT stops one. Prints a line once it stands still.
"""

import ctypes
import os
import signal
import sys
import time

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000  # __WALL: threads that are not this process's children


def main():
    tid, seconds = int(sys.argv[1]), float(sys.argv[2])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long

    def ptrace(request):
        if libc.ptrace(request, tid, None, None) == -1:
            raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {tid}")

    is_over = []
    signal.signal(signal.SIGTERM, lambda *_: is_over.append(True))
    ptrace(SEIZE)
    ptrace(INTERRUPT)
    os.waitpid(tid, WALL)
    print("frozen", flush=True)
    end = time.monotonic() + seconds
    while not is_over and time.monotonic() < end:
        time.sleep(0.02)
    ptrace(DETACH)


main()
