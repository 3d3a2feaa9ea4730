"""Many UDP flows, as fast as Python can.

answer PORT...                                              a server that answers whoever asks who he is
open COUNT DEVICE VIP PORT SOURCE...                        one datagram of each flow, in raw frames
sample N COUNT SEEN_AS VIP PORT SOURCE...                   asks in N of those flows how the server sees them
flood SECONDS RATE DEVICE VIP PORT                          SYNs from invented sources, in raw frames
"""

import random
import select
import socket
import struct
import subprocess
import sys
import time

QUESTION = b"?"
FIRST_PORT = 1024
PER_SECOND = 60_000


def flows(count, sources):
    """The source address and port of each flow."""
    each = -(-count // len(sources))
    assert FIRST_PORT + each <= 65536, "more sources are needed"
    pairs = ((source, FIRST_PORT + n) for source in sources for n in range(each))
    return [pair for pair, _ in zip(pairs, range(count))]


def answer(*ports):
    sockets = []
    for port in ports:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        server.bind(("0.0.0.0", int(port)))
        sockets.append(server)
    while True:
        for server in select.select(sockets, [], [])[0]:
            data, peer = server.recvfrom(64)
            if data == QUESTION:
                server.sendto(f"{peer[0]} {peer[1]} {server.getsockname()[1]}".encode(), peer)


def mac_of(device, address):
    subprocess.run(["ping", "-qc1", "-W2", address], check=True, stdout=subprocess.DEVNULL)
    shown = subprocess.run(["ip", "neigh", "show", address, "dev", device], check=True, capture_output=True, text=True)
    return bytes.fromhex(shown.stdout.split("lladdr ")[1].split()[0].replace(":", ""))


def ones_complement_sum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def open_flows(count, device, vip, port, *sources):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    wire.bind((device, 0))
    ethernet = mac_of(device, vip) + wire.getsockname()[4] + b"\x08\x00"
    payload = b"!!"
    behind = struct.pack("!HHH", int(port), 8 + len(payload), 0) + payload  # checksum 0: none (RFC 768)
    heads = {}
    for source in sources:
        ip = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0x4000, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(vip)
        )
        heads[source] = ethernet + ip[:10] + struct.pack("!H", 0xFFFF ^ ones_complement_sum(ip)) + ip[12:]
    start = time.monotonic()
    for sent, (source, from_port) in enumerate(flows(int(count), sources)):
        if sent % 64 == 0:
            ahead = start + sent / PER_SECOND - time.monotonic()
            if ahead > 0.001:
                time.sleep(ahead)
        wire.send(heads[source] + from_port.to_bytes(2, "big") + behind)


def flood(seconds, rate, device, vip, port):
    """From 198.18.0.0/15 (RFC 2544, appendix C.2.2), so many a second."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((device, 0))
    ethernet = mac_of(device, vip) + wire.getsockname()[4] + b"\x08\x00"
    to = socket.inet_aton(vip)
    first = struct.unpack("!I", socket.inet_aton("198.18.0.0"))[0]
    ip_sum = ones_complement_sum(struct.pack("!BBHHHBBHI4s", 0x45, 0, 40, 0, 0x4000, 64, 6, 0, 0, to))
    tcp_sum = ones_complement_sum(to + struct.pack("!HHHHIIHHHH", 6, 20, 0, int(port), 0, 0, 0x5002, 64240, 0, 0))
    start, sent = time.monotonic(), 0
    while time.monotonic() < start + float(seconds):
        time.sleep(max(0, start + sent / float(rate) - time.monotonic()))
        for _ in range(64):
            source, from_port, sequence = first + random.getrandbits(17), 1024 + random.getrandbits(15), random.getrandbits(32)
            address = (source >> 16) + (source & 0xFFFF)
            rest = from_port + (sequence >> 16) + (sequence & 0xFFFF)
            frame = ethernet + struct.pack("!BBHHHBBHI4s", 0x45, 0, 40, 0, 0x4000, 64, 6, inverted(ip_sum + address), source, to)
            frame += struct.pack(
                "!HHIIHHHH", from_port, int(port), sequence, 0, 0x5002, 64240, inverted(tcp_sum + address + rest), 0
            )
            wire.send(frame)
            sent += 1
    print(f"{sent} SYNs")


def inverted(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF ^ total


def ask(client):
    """Asks again when nothing comes: the box may have to find out first where the client's address is."""
    client.settimeout(0.5)
    for _ in range(4):
        client.send(QUESTION)
        try:
            return client.recv(64).decode()
        except TimeoutError:
            continue
    raise TimeoutError(f"{client.getsockname()} gets no answer")


def sample(number, count, seen_as, vip, port, *sources):
    seen = set()
    for flow in random.sample(flows(int(count), sources), int(number)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(flow)
            client.connect((vip, int(port)))
            address, *rest = ask(client).split()
            assert address == seen_as, f"{flow} is seen as {address}"
            assert tuple(rest) not in seen, f"{flow} shares {rest} with another flow"
            seen.add(tuple(rest))
    print(f"{len(seen)} flows of {count} were asked, each is one of its own")


if __name__ == "__main__":
    {"answer": answer, "open": open_flows, "sample": sample, "flood": flood}[sys.argv[1]](*sys.argv[2:])
