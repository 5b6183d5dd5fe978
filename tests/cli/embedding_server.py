#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server of embeddings for tests, which misbehaves when its address says so.

    embedding_server.py LOG [CERTIFICATE KEY]
                                 serves on a free port of this machine until its standard input ends; prints the port
    embedding_server.py --check DIMS [halfway]
                                 reads records as `embedcache get --json` writes them and holds each vector to what the
                                 text's vector is

The first part of the path is a list of modes, "/slow=0.2,fail=2/v1/embeddings". "if=WORD" confines those behind it to
requests that have a text with WORD in it. "tag=X" does nothing, but counts (fail=2: the first two) begin anew for each
different path. The log has a line of JSON for each request: its texts, its connection, when it came, and how many were
being answered at once.
"""
import base64
import decimal
import email.utils
import hashlib
import http.server
import json
import os
import random
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

DIMS = 8


def vector_of(text, dims, halfway=False):
    """The vector of a text: float32 values from its digest. Halfway: as decimals that lie above the middle between
    that value and the next one by less than a double can tell, so that the next one is the nearest."""
    values = []
    for number in range(dims):
        digest = hashlib.sha256(b"%d %s" % (number, text.encode())).digest()
        bits = struct.unpack("<I", digest[:4])[0] & 0x3FFFFFFF | 0x30000000
        values.append(float_of(bits + 1 if halfway == "nearest" else bits))
        if halfway == "written":
            with decimal.localcontext() as context:
                context.prec = 400
                middle = (decimal.Decimal(float_of(bits)) + decimal.Decimal(float_of(bits + 1))) / 2
            values[-1] = format(middle, "f") + "0" * 40 + "1"
    return values


def float_of(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


class State:
    def __init__(self, log):
        self.lock = threading.Lock()
        self.log = log
        self.counts = {}
        self.busy = 0
        self.connections = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        with state.lock:
            state.connections += 1
            self.connection_number = state.connections

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.send_whole(405, b'{"error": {"message": "use POST"}}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = json.loads(body)
        with state.lock:
            state.busy += 1
            count = state.counts[self.path] = state.counts.get(self.path, 0) + 1
            record = {"came": time.monotonic(), "path": self.path, "connection": self.connection_number,
                      "texts": request["input"], "busy": state.busy, "count": count,
                      "request": {name: request[name] for name in request if name != "input"},
                      "headers": {name: value for name, value in self.headers.items() if name != "Authorization"},
                      "has_key": "Authorization" in self.headers}
            # Before the answer: who has that finds the request here.
            state.log.write(json.dumps(record) + "\n")
            state.log.flush()
        try:
            self.misbehave(request, count)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with state.lock:
                state.busy -= 1

    def modes(self, texts):
        modes = {}
        for part in urllib.parse.unquote(self.path.split("/")[1]).split(","):
            name, _, value = part.partition("=")
            if name == "if" and not any(value in text for text in texts):
                break
            modes[name] = value
        return modes

    def misbehave(self, request, count):
        texts, modes = request["input"], self.modes(request["input"])
        if "lost" in modes or not self.path.endswith("/v1/embeddings"):
            return self.send_whole(404, b'404 page not found')
        if "slow" in modes:
            time.sleep(float(modes["slow"]))
        if "auth" in modes and self.headers.get("Authorization") != "Bearer " + modes["auth"]:
            return self.fail(401, "Incorrect key provided: %s" % self.headers.get("Authorization"))
        if "escaped" in modes:
            told = "".join("\\u%04x" % ord(letter) for letter in self.headers.get("Authorization", ""))
            return self.send_whole(200, b'{"error": "%s"}' % told.encode())
        if "plain" in modes:
            return self.send_whole(401, b"you sent " + self.headers.get("Authorization", "").encode())
        if "echo" in modes:
            return self.fail(int(modes["echo"]), "you sent %s" % self.headers.get("Authorization"))
        if count <= int(modes.get("limit", 0)):
            after = modes.get("after", "1")
            if after.startswith("date"):
                after = email.utils.formatdate(time.time() + float(after[4:]), usegmt=True)
            return self.fail(429, "slow down", {"Retry-After": after})
        if count <= int(modes.get("fail", 0)):
            return self.fail(int(modes.get("status", 500)), "an \x1b[31minternal\x1b[0m error")
        if count <= int(modes.get("reset", 0)):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return None
        if "redirect" in modes:
            return self.fail(307, "elsewhere", {"Location": "http://localhost:%s/v1/embeddings" % modes["redirect"]})
        if "refuse" in modes and any(modes["refuse"] in text for text in texts):
            return self.fail(int(modes.get("as", 400)), "input is too long for this model")
        if "batchmax" in modes and len(texts) > int(modes["batchmax"]):
            return self.fail(413, "batch size %d > maximum allowed batch size" % len(texts))
        return self.answer(request, modes, count)

    def answer(self, request, modes, count):
        texts = request["input"]
        dims = int(modes.get("dims", request.get("dimensions", DIMS)))
        if "changing" in modes and count > int(modes["changing"]):
            dims += 1
        body = json.dumps(self.document(request, modes, texts, dims)).replace('"@', "").replace('@"', "").encode()
        if "cutjson" in modes:
            body = body[:len(body) // 2]
        if "empty" in modes:
            body = b""
        if "html" in modes:
            body = b"<!DOCTYPE html><title>\x1b]0;owned\x07Sign in</title>"
        if "mutate" in modes:
            body = mutate(body, random.Random(modes["mutate"]))
        if "cut" in modes:
            return self.send_cut(body)
        if "huge" in modes:
            return self.send_huge(modes["huge"])
        kind = "text/html" if "html" in modes or "type" in modes else "application/json"
        return self.send_whole(200, body, {"Content-Type": kind})

    def document(self, request, modes, texts, dims):
        data = []
        for index, text in enumerate(texts):
            values = vector_of(text, dims, "written" if "halfway" in modes else False)
            if index == len(texts) - 1:
                values = spoil(values, modes)
            if "halfway" in modes:
                values = ["@%s@" % value for value in values]
            is_base64 = request.get("encoding_format") == "base64" and "decimal" not in modes
            if is_base64 or "base64" in modes:
                values = base64.b64encode(struct.pack("<%df" % len(values), *values)).decode()
            data.append({"object": "embedding", "embedding": values, "index": index})
        if "shuffle" in modes:
            data.reverse()
        if "twice" in modes:
            data[-1]["index"] = 0
        if "beyond" in modes:
            data[-1]["index"] = len(data)
        if "odd" in modes:
            data[-1]["index"] = json.loads(modes["odd"])
        if "noindex" in modes:
            del data[-1]["index"]
        if "missing" in modes:
            data.pop()
        if "surplus" in modes:
            data.append(data[-1])
        document = {"object": "list", "data": data, "model": modes.get("model", request["model"]),
                    "usage": {"prompt_tokens": 3 * len(texts), "total_tokens": 3 * len(texts)}}
        if "usage" in modes:
            document["usage"]["total_tokens"] = int(modes["usage"])
        if "nomodel" in modes:
            del document["model"]
        if "nousage" in modes:
            del document["usage"]
        if "nodata" in modes:
            del document["data"]
        if "nolist" in modes:
            document["data"] = {"0": data}
        return document

    def fail(self, status, message, headers=None):
        self.send_whole(status, json.dumps({"error": {"message": message}}).encode(), headers)

    def send_whole(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_cut(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2])
        self.close_connection = True

    def send_huge(self, how):
        """Says that it is huge, or goes on and on until nobody listens."""
        self.send_response(200)
        self.send_header("Content-Length", "1000000000000" if how == "said" else "100000000000")
        self.end_headers()
        while True:
            self.wfile.write(b" " * 65536)


def spoil(values, modes):
    """The last vector of an answer."""
    if "nan" in modes:
        values[-1] = float("nan")
    if "inf" in modes:
        values[-1] = float("inf")
    if "overflow" in modes:
        values[-1] = 1e300
    if "null" in modes:
        values[-1] = None
    if "word" in modes:
        values[-1] = "0.5"
    if "ragged" in modes:
        values.pop()
    if "novector" in modes:
        values = []
    return values


def mutate(body, chance):
    """A few bytes changed, taken away, doubled or put in."""
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(body))
        how = chance.randrange(4)
        size = chance.choice((1, 1, 2, 8, 40))
        byte = bytes([chance.choice(b'0123456789-+eE.,:[]{}"\\ nul\0\xff')])
        if how == 0:
            body = body[:at] + byte + body[at + 1:]
        elif how == 1:
            body = body[:at] + body[at + size:]
        elif how == 2:
            body = body[:at] + body[at:at + size] + body[at:]
        else:
            body = body[:at] + byte * size + body[at:]
    return body


def check(dims, halfway):
    count = 0
    for line in sys.stdin:
        record = json.loads(line)
        wanted = struct.pack("<%df" % dims, *vector_of(record["text"], dims, "nearest" if halfway else False))
        if len(record["vector"]) != dims or struct.pack("<%df" % dims, *record["vector"]) != wanted:
            sys.exit("the vector of %r is %r" % (record["text"], record["vector"]))
        count += 1
    print(count)


def serve(log, certificate=None, key=None):
    global state
    state = State(open(log, "a"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(int(sys.argv[2]), "halfway" in sys.argv[3:])
    else:
        serve(*sys.argv[1:])
