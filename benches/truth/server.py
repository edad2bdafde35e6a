#!/usr/bin/env python3
"""The service of server.c in Python: `server.py [--plant NAME]`, APP_PORT is the port to listen on.

A body begins with `items=N`; the work is so many passes over the body. The answer has the number of
items, so that a wrong one shows.
"""

import argparse
import itertools
import json
import os
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PLANTS = [
    "bytes", "close", "cpu-3", "fails", "first-answer", "improvement", "large-twice", "leak-16k", "lock", "memory",
    "one-in-ten-twice", "quadratic", "sleep-1ms", "stall", "start", "wrong",
]
ROUNDS = {"cpu-3": 103, "improvement": 92}
LOST = []
NUMBERS = itertools.count(1)
STORE = threading.Lock()


def work(plant, body, items, number):
    rounds = ROUNDS.get(plant, 100)
    if (plant == "one-in-ten-twice" and number % 10 == 0) or (plant == "large-twice" and len(body) > 100000):
        rounds *= 2
    checksum = number
    for _ in range(rounds):
        checksum = zlib.adler32(body, checksum)
    if plant == "quadratic":
        checksum += sum(i ^ j for i in range(0, len(body), 4096) for j in range(0, len(body), 4096))
    if plant == "memory":
        checksum += (body * 64)[checksum % len(body)]
    if plant == "leak-16k":
        LOST.append(os.urandom(16384))
    return checksum


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.plant == "close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        self.answer(200, b"{}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        plant, number = self.server.plant, next(NUMBERS)
        items = int(body[:20].split()[0].removeprefix(b"items="))
        if plant == "first-answer" and number == 1:
            time.sleep(1.5)
        work(plant, body, items, number)
        # Stands for a store that takes 300 us to answer, any number of requests at once.
        if plant == "lock":
            with STORE:
                time.sleep(300e-6)
        else:
            time.sleep(300e-6)
        if plant == "stall" and number % 100 == 0:
            time.sleep(0.03)
        if plant == "sleep-1ms":
            time.sleep(0.001)
        if plant == "wrong" and number % 1000 == 0:
            items += 1
        answer = {"items": items, "checks": [i * 37 % 100 for i in range(100)]}
        if plant == "bytes":
            answer["note"] = "0" * 120
        self.answer(500 if plant == "fails" and number % 500 == 0 else 200, json.dumps(answer).encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", choices=PLANTS)
    plant = parser.parse_args().plant
    if plant == "start":
        time.sleep(2)
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["APP_PORT"])), Handler)
    server.daemon_threads = True
    server.plant = plant
    server.serve_forever()


main()
