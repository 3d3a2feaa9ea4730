"""SYNs in a VLAN, in raw frames: tagged.py DEVICE VLAN SOURCE TO-MAC ADDRESS PORT...

Three of each, from client ports 40001 to 40003. Linux sends them as they stand; a bridge that they pass takes the tag out of
the frame and hands it on beside it.
"""

import socket
import struct
import sys


def total(data):
    number = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while number >> 16:
        number = (number & 0xFFFF) + (number >> 16)
    return number


def syn(source, destination, from_port, to_port):
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    tcp = struct.pack("!HHIIBBHHH", from_port, to_port, 7, 0, 5 << 4, 2, 64240, 0, 0)
    checksum = 0xFFFF ^ total(ends + struct.pack("!HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", checksum) + tcp[18:]
    if family == socket.AF_INET6:
        return 0x86DD, struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + ends + tcp
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + ends
    return 0x0800, header[:10] + struct.pack("!H", 0xFFFF ^ total(header)) + header[12:] + tcp


def main(device, vlan, source, mac, address, *ports):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((device, 0))
    macs = bytes.fromhex(mac.replace(":", "")) + wire.getsockname()[4]
    for to_port in ports:
        for from_port in range(40001, 40004):
            kind, packet = syn(source, address, from_port, int(to_port))
            tag = struct.pack("!HH", 0x8100, int(vlan)) if int(vlan) else b""
            wire.send(macs + tag + struct.pack("!H", kind) + packet)


main(*sys.argv[1:])
