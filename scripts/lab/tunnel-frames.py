"""Sends wrapped packets to a backend's kernel and waits for what it answers to each of them.

usage: tunnel-frames.py INTERFACE MAC FILE

A line of FILE is KIND|OUTER|INNER|WHAT|BYTES. The virtual address has no open port, so that the kernel
answers UDP with a port unreachable that quotes the inner packet, TCP with a reset, and pings with a
reply; each of them only after it has found the checksums right. Prints a table; status 1: an answer is
missing.
"""

import select
import socket
import sys
import time

PATIENCE = 3  # seconds
EVERYTHING = 0x0003
BETWEEN = {"ipip": 0, "gre": 4, "gue0": 12, "gue1": 8}
ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
LENGTHS = {4: 20, 6: 40}
UNREACHABLE = {4: b"\x03\x03", 6: b"\x01\x04"}
ICMP = {4: 1, 6: 58}
REPLY = {4: 0, 6: 129}
RST = 0x04


def answers(packet, version, inner):
    """Whether `packet` is what the kernel says to `inner`."""
    length = LENGTHS[version]
    protocol, message = packet[6 if version == 6 else 9], packet[length:]
    asked, question = inner[6 if version == 6 else 9], inner[length:]
    if asked == 17:
        quote = inner[: length + 8]
        return protocol == ICMP[version] and message[:2] == UNREACHABLE[version] and message[8:].startswith(quote)
    if asked == 6:
        return protocol == 6 and message[13] & RST and message[2:4] == question[:2]
    return protocol == ICMP[version] and message[0] == REPLY[version] and message[4:] == question[4:]


class Wire:
    def __init__(self, interface, mac):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
        self.socket.bind((interface, 0))
        self.addresses = bytes.fromhex(mac.replace(":", "")) + self.socket.getsockname()[4]

    def ask(self, frame, version, inner):
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(65536)
        self.socket.send(self.addresses + frame[12:])
        deadline = time.monotonic() + PATIENCE
        while select.select([self.socket], [], [], max(0, deadline - time.monotonic()))[0]:
            reply, (_, _, direction, *_) = self.socket.recvfrom(65536)
            if direction == socket.PACKET_OUTGOING or reply[12:14] != ETHERTYPES[version]:
                continue
            if answers(reply[14:], version, inner):
                return True
        return False


def main():
    interface, mac, path = sys.argv[1:]
    wire, rows, missing = Wire(interface, mac), {}, 0
    with open(path, encoding="ascii") as lines:
        for line in lines:
            kind, outer, inner, what, frame = line.strip().split("|")
            outer, inner, frame = int(outer), int(inner), bytes.fromhex(frame)
            packet = frame[14 + LENGTHS[outer] + BETWEEN[kind] :]
            answered = wire.ask(frame, inner, packet)
            missing += not answered
            word = "ok" if answered else "NO ANSWER"
            rows.setdefault(f"{kind} {inner}in{outer}", []).append(f"{what}: {word}")
    for row, cells in rows.items():
        print(f"{row:10} {', '.join(cells)}")
    sent = sum(map(len, rows.values()))
    print(f"{sent} packets sent, {missing} without an answer")
    return missing > 0 or sent == 0


if __name__ == "__main__":
    sys.exit(main())
