#!/usr/bin/env python3
"""Lets every program that opens one of these files wait, as on a disk or a file server that hangs, until SIGTERM.

    hold-files.py FILE...

A mark of fanotify asks for a permission that is never given. Prints a line once that holds.
"""

import ctypes
import os
import signal
import sys

CLASS_CONTENT, MARK_ADD, OPEN_PERM, AT_FDCWD = 0x4, 0x1, 0x10000, -100


def main():
    libc = ctypes.CDLL(None, use_errno=True)

    def checked(result, what):
        if result == -1:
            raise OSError(ctypes.get_errno(), what)
        return result

    group = checked(libc.fanotify_init(CLASS_CONTENT, os.O_RDONLY), "fanotify_init")
    for path in sys.argv[1:]:
        mark = libc.fanotify_mark(group, MARK_ADD, ctypes.c_uint64(OPEN_PERM), AT_FDCWD, os.fsencode(path))
        checked(mark, path)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("held", flush=True)
    while True:
        signal.pause()


main()
