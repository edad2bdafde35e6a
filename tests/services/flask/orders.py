"""Orders in SQLite behind a session cookie, with Flask."""

import os
import sqlite3
import threading
import xml.etree.ElementTree as ET

from flask import Flask, Response, abort, request, session

app = Flask(__name__)
app.secret_key = "not a secret: of a test"
local = threading.local()


def database():
    """The connection of this thread."""
    if not hasattr(local, "database"):
        local.database = sqlite3.connect(os.environ["ORDERS_DB"], timeout=30)
        local.database.executescript(
            """pragma journal_mode = wal;
            pragma synchronous = normal;
            create table if not exists orders (
                id integer primary key, number text unique, item text, state text);
            create index if not exists by_state on orders (state, id);"""
        )
    return local.database


def xml(root, status=200, **headers):
    text = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(text, status, headers, content_type="application/xml")


def element(row):
    order = ET.Element("Order", id=str(row[0]), number=row[1])
    ET.SubElement(order, "Item").text = row[2]
    ET.SubElement(order, "State").text = row[3]
    return order


@app.before_request
def guard():
    if request.endpoint not in ("health", "login") and "user" not in session:
        abort(401)


@app.get("/health")
def health():
    database()
    return "ok"


@app.post("/login")
def login():
    session["user"] = ET.fromstring(request.data).get("user")
    return xml(ET.Element("Session"))


@app.post("/orders")
def create():
    order = ET.fromstring(request.data)
    values = (order.get("number"), order.findtext("Item"), "open")
    try:
        with database() as connection:
            query = "insert into orders (number, item, state) values (?, ?, ?)"
            created = connection.execute(query, values).lastrowid
    except sqlite3.IntegrityError:
        abort(409)
    return xml(element((created, *values)), 201, Location=f"/orders/{created}")


@app.get("/orders/<int:order_id>")
def read(order_id):
    query = "select id, number, item, state from orders where id = ?"
    row = database().execute(query, (order_id,)).fetchone()
    if row is None:
        abort(404)
    return xml(element(row))


@app.get("/orders")
def search():
    query = "select id, number, item, state from orders where state = ? order by id desc limit 10"
    found = ET.Element("Orders", state=request.args["state"])
    found.extend(element(row) for row in database().execute(query, (request.args["state"],)))
    return xml(found)
