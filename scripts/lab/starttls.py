#!/usr/bin/env python3
"""A mail server that can greet, begin TLS, and say goodbye: Debian's smtpd cannot sign with its own OpenSSL.

    starttls.py PORT CERTIFICATE KEY
"""
import socketserver
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])


class Dialogue(socketserver.BaseRequestHandler):
    def handle(self):
        stream = self.request
        stream.sendall(b"220 mail.lab.example ESMTP\r\n")
        try:
            while line := stream.recv(1024):
                verb = line.split()[0].upper()
                if verb == b"EHLO":
                    more = b"" if isinstance(stream, ssl.SSLSocket) else b"250-STARTTLS\r\n"
                    stream.sendall(b"250-mail.lab.example\r\n" + more + b"250 SIZE 0\r\n")
                elif verb == b"STARTTLS":
                    stream.sendall(b"220 go ahead\r\n")
                    stream = context.wrap_socket(stream, server_side=True)
                elif verb == b"QUIT":
                    stream.sendall(b"221 bye\r\n")
                    return
                else:
                    stream.sendall(b"502 no\r\n")
        except OSError:
            pass


socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("", int(sys.argv[1])), Dialogue).serve_forever()
