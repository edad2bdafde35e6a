"""Orders behind an HTTP port, in the database that the first argument names: `server.py KIND PORT LINES`.

Each request reads one item, and one line of its order after the other.
"""

import http.server
import os
import sys
import threading

KIND, PORT, LINES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
HOST, DATABASE_PORT = os.environ["DATABASE"].split(":")
ITEM, LINE = "SELECT name FROM item WHERE id = %s", "SELECT id FROM item WHERE name = %s"


def postgresql():
    import pg8000.dbapi

    connection = pg8000.dbapi.connect("orders", host=HOST, port=int(DATABASE_PORT), database="postgres")
    connection.autocommit = True
    return sql(connection.cursor())


def mariadb():
    import pymysql

    connection = pymysql.connect(host=HOST, port=int(DATABASE_PORT), user="orders", database="test", autocommit=True)
    return sql(connection.cursor())


def sql(cursor):
    cursor.execute("CREATE TABLE IF NOT EXISTS item (id INT PRIMARY KEY, name VARCHAR(20))")

    def answer(number):
        cursor.execute(ITEM, (number % 100,))
        cursor.fetchall()
        for line in range(LINES):
            cursor.execute(LINE, (f"secret-{number}-{line}",))
            cursor.fetchall()

    return answer


def redis():
    import redis

    client = redis.Redis(HOST, int(DATABASE_PORT), protocol=3)

    def answer(number):
        client.get(f"secret:{number}")
        for line in range(LINES):
            client.hget(f"secret:{number}", line)

    return answer


class Orders(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    answer = staticmethod({"postgresql": postgresql, "mariadb": mariadb, "redis": redis}[KIND]())
    lock = threading.Lock()
    number = 0

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with Orders.lock:
            Orders.number += 1
            Orders.answer(Orders.number)
        self.do_GET()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Orders).serve_forever()
