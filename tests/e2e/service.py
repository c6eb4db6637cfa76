# SPDX-License-Identifier: MIT
"""An authority's HTTPS service for tests, and a client of it that is made of
the interpreter's own ssl and sockets."""
import http.client
import json
import os
import re
import socket
import sqlite3
import ssl
import struct
import subprocess
import threading
import time
import types

import jsonschema
import pytest
import yaml

import demo
import made_once

from test_authority import (ALPHABET, BIN, REPO, Authority, Host, blake,
                            label)

SAYS_S = 90  # until it says that it listens
STOP_S = 90
BAD_DISK = os.path.join(REPO, "build/tests/bad_disk.so")
LATE_STOP = os.path.join(REPO, "build/tests/late_stop.so")
SQL_SEEN = os.path.join(REPO, "build/tests/sql_seen.so")

with open(os.path.join(REPO, "doc/openapi.yaml")) as f:
    OPENAPI = yaml.safe_load(f)
SEEN = set()  # (path, method, status, code) of the answers that were checked


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True,
                   timeout=90)


def make_certificates(folder):
    """A CA of the test's own and a P-256 certificate for loopback."""
    def p(name):
        return os.path.join(folder, name)
    for name in ("ca", "tls"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout",
                "-out", p(name + ".key"))
        os.chmod(p(name + ".key"), 0o600)
    openssl("req", "-x509", "-new", "-key", p("ca.key"), "-subj", "/CN=Test CA",
            "-days", "365", "-out", p("ca.pem"), "-addext",
            "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-new", "-key", p("tls.key"), "-subj", "/CN=localhost",
            "-out", p("tls.csr"))
    with open(p("ext"), "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n"
                "basicConstraints=critical,CA:FALSE\n"
                "keyUsage=critical,digitalSignature\n"
                "extendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", p("tls.csr"), "-CA", p("ca.pem"), "-CAkey",
            p("ca.key"), "-CAcreateserial", "-days", "365", "-extfile",
            p("ext"), "-out", p("tls.pem"))


def resolved(node):
    while "$ref" in node:
        at = OPENAPI
        for name in node["$ref"].lstrip("#/").split("/"):
            at = at[name]
        node = at
    return node


def check(method, path, answer):
    """Is this answer one that doc/openapi.yaml describes?"""
    path = path.split("?")[0]
    code = answer.json.get("code") if b'"code"' in answer.body else None
    slot = re.fullmatch(r"/v1/hosts/\d{1,3}", path)
    template = "/v1/hosts/{slot}" if slot else path
    verbs = OPENAPI["paths"].get(template)
    if verbs is None or method.lower() not in verbs:
        verb = OPENAPI["paths"]["/v1/hosts"]["get"]
        assert answer.status in (404, 405, 413, 429), answer.status
    else:
        verb = verbs[method.lower()]
    described = verb["responses"].get(str(answer.status))
    if described is None:
        assert answer.status in (404, 405), (method, path, answer.status)
        described = verb["responses"]["default"]
    described = resolved(described)
    kind = answer.headers["Content-Type"].split(";")[0]
    schema = {**described["content"][kind]["schema"],
              "components": OPENAPI["components"]}
    body = answer.json if kind.endswith("json") else answer.body.decode()
    jsonschema.Draft202012Validator(schema).validate(body)
    if kind.endswith("json") and answer.status >= 400:
        assert body["status"] == answer.status
    if "Retry-After" in described.get("headers", {}) and code != "no_issuer":
        assert int(answer.headers["Retry-After"]) >= 1
    SEEN.add((template, method, answer.status, code))
    return answer


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    def problem(self, status, code):
        assert self.status == status, (self.status, self.body)
        assert self.headers["Content-Type"] == "application/problem+json"
        p = self.json
        assert (p["status"], p["code"]) == (status, code), p
        assert p["title"] and p["detail"] and p["next_step"]
        return p


class Service:
    """The authority's folder, and the program that serves it."""

    def __init__(self, folder, **settings):
        self.a = Authority(folder)
        made_once.copy("service", self.a.folder, self.publish)
        self.context = ssl.create_default_context(
            cafile=self.a.path("ca.pem"))
        self.process = None
        self.port = None
        self.conf = self.a.path("authority.conf")
        self.configure(**settings)

    @staticmethod
    def publish(folder):
        make_certificates(folder)
        Authority(folder).sign()

    def configure(self, **settings):
        values = {"dir": self.a.dir, "listen": "127.0.0.1:0",
                  "tls_cert": self.a.path("tls.pem"),
                  "tls_key": self.a.path("tls.key"), "rate": 0}
        values.update(settings)
        with open(self.conf, "w") as f:
            for name, value in values.items():
                f.write(f"{name} = {json.dumps(value)};\n")
        os.chmod(self.conf, 0o600)

    def start(self, program=(os.path.join(BIN, "muster-authority"),), **how):
        self.process = subprocess.Popen(
            [*program, "serve", "--config", self.conf],
            stderr=subprocess.PIPE, text=True, **how)
        self.log = []
        # the line itself may be what cannot be written
        late = threading.Timer(SAYS_S, self.process.terminate)
        late.start()
        for line in self.process.stderr:
            self.log.append(line)
            m = re.search(r"listening: (\S+) port (\d+)", line)
            if m:
                self.port = int(m.group(2))
                late.cancel()
                break
        else:
            late.cancel()
            p, self.process = self.process, None
            raise AssertionError(f"exit {p.wait()}: {self.log}")
        self.reader = threading.Thread(
            target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()
        return self

    def stop(self, kill=False):
        """The exit code."""
        p, self.process = self.process, None
        if p is None:
            return None
        p.kill() if kill else p.terminate()
        rc = p.wait(STOP_S)
        self.reader.join(STOP_S)
        p.stderr.close()
        return rc

    def connect(self, context=None):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=90)
        return (context or self.context).wrap_socket(
            raw, server_hostname="localhost")

    def ask(self, method, path, body=None, headers=None, sock=None):
        c = http.client.HTTPConnection("localhost", timeout=90)
        c.sock = sock or self.connect()
        try:
            c.request(method, path, body=body, headers=headers or {})
            return check(method, path, Answer(c.getresponse()))
        finally:
            if sock is None:
                c.close()

    def enrol(self, request, **more):
        return self.ask("POST", "/v1/hosts",
                        json.dumps({"request": request.hex()}),
                        {"Content-Type": "application/json"}, **more)

    def slots(self, key, **more):
        return self.ask("GET", "/v1/hosts", headers={
            "Muster-Ask": slots_ask(self.a, key, **more).hex()})

    def release(self, key, slot, activation=1, path=None, sock=None, **more):
        ask = slots_ask(self.a, key, act=2, slot=slot, activation=activation,
                        **more)
        return self.ask("DELETE", f"/v1/hosts/{path or slot}",
                        headers={"Muster-Ask": ask.hex()}, sock=sock)

    def metrics(self):
        """Each sample by its name with labels."""
        text = self.ask("GET", "/metrics").body.decode()
        return {k: float(v) for k, v in (
            line.rsplit(" ", 1) for line in text.splitlines()
            if not line.startswith("#"))}

    def wait_for_queue(self, n):
        """Until n requests wait for the database, which somebody holds."""
        end = time.monotonic() + STOP_S
        while self.metrics()["muster_authority_queue_length"] < n:
            assert time.monotonic() < end and self.process.poll() is None

    def query(self, sql, *args):
        db = sqlite3.connect(os.path.join(self.a.dir, "authority.db"),
                             timeout=90)
        try:
            with db:
                return db.execute(sql, args).fetchall()
        finally:
            db.close()


def preloaded(library, **variables):
    """The environment of a program with a library of tests/preload."""
    assert os.path.exists(library)
    # a sanitizer's own library would come first, and what is freed before
    # late_stop.so is ready looks lost
    asan = os.environ.get("ASAN_OPTIONS", "").split(":")
    leaks = ["detect_leaks=0"] if library == LATE_STOP else []
    return {**os.environ, **variables, "LD_PRELOAD": library,
            "ASAN_OPTIONS": ":".join([*filter(None, asan), *leaks,
                                      "verify_asan_link_order=0"])}


def served_site(folder):
    """A demonstration's publisher, and its service."""
    s = demo.Site(folder)
    s.publish()
    made_once.copy("certificates", s.folder, make_certificates)
    s.service = object.__new__(Service)
    s.service.a = types.SimpleNamespace(path=s.path, dir=s.path("authority"))
    s.service.context = ssl.create_default_context(cafile=s.path("ca.pem"))
    s.service.conf = s.path("authority.conf")
    s.service.configure()
    s.service.start()
    return s


def slots_ask(a, key, act=1, slot=0, activation=0, at=None, publisher=None,
              number=None):
    """From the protocol's text."""
    value = 0
    for c in key.replace("-", ""):
        value = value << 5 | ALPHABET.index(c)
    keyno = (value >> 90) & 0xffffffff
    secret = ((value >> 16) & (1 << 74) - 1).to_bytes(10, "big")
    publisher = publisher or a.publisher
    pk = blake(label("muster/hkey/1") + publisher +
               struct.pack(">I", keyno) + secret)
    body = publisher + struct.pack(
        ">IIIIq", number or keyno, act, slot, activation,
        int(time.time()) if at is None else at)
    return (b"MUSTERQ1" + struct.pack(">I", 1) + body +
            blake(label("muster/proof/1") + body, key=pk))


def wrong(key):
    """The same number, another secret, and its check put right."""
    value = 0
    for c in key.replace("-", ""):
        value = value << 5 | ALPHABET.index(c)
    value ^= 1 << 60
    return "".join(ALPHABET[value >> s & 31] for s in range(120, -1, -5))


@pytest.fixture(scope="module")
def s(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("service"))
    service.start()
    yield service
    service.stop()


__all__ = ["Answer", "BAD_DISK", "Host", "LATE_STOP", "SQL_SEEN", "Service",
           "preloaded", "s", "served_site", "slots_ask", "wrong"]
