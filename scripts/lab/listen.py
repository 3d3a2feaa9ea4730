"""Takes one TCP connection and carries lines between it and standard input and output, each direction to its own end.

listen.py 4|6 PORT

netcat -l ends when its client has finished; this goes on until standard input has ended as well.
"""

import os
import socket
import sys
import threading

family, port = sys.argv[1:]
server = socket.create_server(("", int(port)), family={"4": socket.AF_INET, "6": socket.AF_INET6}[family])
connection, _ = server.accept()
server.close()


def send():
    while data := os.read(0, 4096):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


sender = threading.Thread(target=send, daemon=True)
sender.start()
while data := connection.recv(4096):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
sender.join()
