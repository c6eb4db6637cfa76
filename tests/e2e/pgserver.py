# SPDX-License-Identifier: MIT
"""PostgreSQL servers of a test's own, from the distribution's package.

PostgreSQL refuses to run as root; then the servers run as `nobody`."""
import atexit
import contextlib
import functools
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import demo

BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1:]
MIGRATIONS = os.path.join(demo.BIN, "../share/muster/postgresql/*.sql")
ROLE, GROUP = "muster_host", "muster"
PASSWORD = "a word for tests"
WAIT_S = 60
# psql and the server's session cost 30 ms of a processor each time one looks
LOOK_S = 0.1


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def as_user(*args):
    """The command as somebody who is not root."""
    if os.geteuid() != 0:
        return list(args)
    user = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
            "--clear-groups", *args]


def run(*args, **how):
    p = subprocess.run(as_user(*args), capture_output=True, text=True,
                       timeout=480, cwd="/", **how)
    assert p.returncode == 0, (args, p.stdout, p.stderr)
    return p.stdout


def folder(base="/tmp"):
    """One of the user's own, whose name is short: sockets are in it."""
    at = tempfile.mkdtemp(prefix="m.pg.", dir=base)
    if os.geteuid() == 0:
        shutil.chown(at, "nobody")
    return at


@functools.cache
def fresh():
    """The data of a server that never ran; initdb takes longer than most
    tests, so every server but a standby begins as a copy of this."""
    at = folder()
    atexit.register(shutil.rmtree, at, ignore_errors=True)
    data = os.path.join(at, "data")
    run(os.path.join(BIN[0], "initdb"), "-D", data, "-A", "trust", "-U",
        "postgres", "--locale=C", "-E", "UTF8", "--no-sync")
    return data


class Server:
    """A cluster in a folder of its own; `standby_of` makes a copy of one."""

    def __init__(self, standby_of=None, name="one", port=None, base="/tmp",
                 link=None, **settings):
        """`link`: the port by which a standby follows."""
        assert BIN, "postgresql-15 is not installed"
        self.bin = BIN[0]
        self.folder = folder(base)
        self.data = os.path.join(self.folder, "data")
        self.port, self.name = port or free_port(), name
        self.process = None
        if standby_of is None:
            run("cp", "-a", fresh(), self.data)
        else:
            run(self.program("pg_basebackup"), "-D", self.data, "-R", "-X",
                "stream", "-h", self.folder_of(standby_of), "-p",
                str(standby_of.port), "-U", "postgres", "--no-sync",
                "--checkpoint=fast")
            self.append("postgresql.auto.conf",
                        "primary_conninfo = 'host=127.0.0.1 user=postgres "
                        f"port={link or standby_of.port} "
                        f"application_name={name}'\n"
                        # the copy has none of its own yet
                        "synchronous_standby_names = ''\n")
        self.append("postgresql.conf", self.settings(**settings))
        self.allow("trust")

    @staticmethod
    def folder_of(server):
        return server.folder

    def settings(self, **more):
        values = {"port": self.port, "listen_addresses": "'127.0.0.1'",
                  "unix_socket_directories": f"'{self.folder}'",
                  "max_connections": 60, "shared_buffers": "'64MB'",
                  "log_min_messages": "warning", **more}
        return "".join(f"{k} = {v}\n" for k, v in values.items())

    def program(self, name):
        return os.path.join(self.bin, name)

    def append(self, name, text):
        with open(os.path.join(self.data, name), "a") as f:
            f.write(text)

    def allow(self, how, kind="host"):
        """How the hosts' role gets in by TCP; a person always by the
        socket."""
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as f:
            f.write("local all all trust\nlocal replication all trust\n"
                    "host all postgres 127.0.0.1/32 trust\n"
                    "host replication all 127.0.0.1/32 trust\n"
                    f"{kind} all {ROLE} 127.0.0.1/32 {how}\n")
        if self.process is not None:
            self.reload()

    def wait(self, question, answer, database="postgres"):
        """Until the server says so, each time in a session of its own."""
        end = time.monotonic() + WAIT_S
        while (got := self.try_sql(question, database)) != answer:
            assert time.monotonic() < end, (question, got,
                                            open(self.log.name).read())
            time.sleep(LOOK_S)

    def reload(self):
        """The files are in force, for each session, and for commits.

        pg_reload_conf() only sends a signal.  A session that names a new time
        is a child of a postmaster that has read the files, pg_hba.conf too,
        and has sent its other children to read them: one that is asked from
        now on has.  Whether a commit waits for a standby is said by the
        checkpointer alone; it looks into the files before it looks for the
        next checkpoint, hence the second of two is begun with them."""
        before = self.sql("SELECT pg_conf_load_time()", "postgres")
        self.sql("SELECT pg_reload_conf()", "postgres")
        self.wait(f"SELECT pg_conf_load_time() > '{before.strip()}'", "t\n")
        for _ in range(2):
            self.sql("CHECKPOINT", "postgres")

    def configure(self, text):
        """One ALTER SYSTEM, in force when this returns."""
        self.sql(f"ALTER SYSTEM {text}", "postgres")
        self.reload()

    def end_sessions(self):
        """The hosts' sessions of this moment; they may come back."""
        gone = self.sql("SELECT pid, pg_terminate_backend(pid) FROM "
                        f"pg_stat_activity WHERE usename = '{ROLE}'")
        pids = ",".join(line.split("|")[0] for line in gone.split())
        self.wait("SELECT count(*) FROM pg_stat_activity WHERE pid = "
                  f"ANY('{{{pids}}}')", "0\n")

    def start(self):
        self.log = open(os.path.join(self.folder, "log"), "a")
        self.process = subprocess.Popen(
            as_user(self.program("postgres"), "-D", self.data), cwd="/",
            stdout=self.log, stderr=self.log)
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            assert self.process.poll() is None, open(self.log.name).read()
            if self.try_sql("SELECT 1") == "1\n":
                return self
            time.sleep(LOOK_S)
        raise AssertionError(open(self.log.name).read())

    def stop(self, how=signal.SIGINT):
        """By SIGINT (fast), SIGQUIT (a crash) or SIGKILL."""
        if self.process is None:
            return
        if how == signal.SIGKILL:
            # the children would outlive their parent, and hold its memory;
            # stopped, it starts no more of them
            self.process.send_signal(signal.SIGSTOP)
            self.kill_children()
        self.process.send_signal(how)
        self.process.wait(WAIT_S)
        self.process = None
        self.log.close()

    def kill_children(self):
        """They are killed, and have let go of all that they held."""
        end = time.monotonic() + WAIT_S
        for pid in self.children():
            try:
                os.kill(pid, signal.SIGKILL)
                while " Z " not in open(f"/proc/{pid}/stat").read():
                    assert time.monotonic() < end, pid
                    time.sleep(0.01)
            except (ProcessLookupError, FileNotFoundError):
                pass  # its parent had waited for it already

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children"
                  ) as f:
            return [int(pid) for pid in f.read().split()]

    def restart(self, how=signal.SIGINT):
        self.stop(how)
        return self.start()

    def promote(self):
        run(self.program("pg_ctl"), "promote", "-D", self.data, "-w")

    def wait_standby(self, name):
        """Commits wait for that standby from now on, and it follows."""
        self.configure(f"SET synchronous_standby_names = '{name}'")
        self.wait("SELECT sync_state FROM pg_stat_replication "
                  f"WHERE application_name = '{name}'", "sync\n")

    def wait_replayed(self, standby):
        """Until a standby has all that is written here so far."""
        end = self.sql("SELECT pg_current_wal_lsn()", "postgres").strip()
        standby.wait(f"SELECT pg_last_wal_replay_lsn() >= '{end}'", "t\n")

    def remove(self):
        if self.process is not None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def psql(self, *args, database="muster"):
        return [self.program("psql"), "-X", "-q", "-h", self.folder, "-p",
                str(self.port), "-U", "postgres", "-d", database, *args]

    def try_sql(self, text, database="postgres"):
        p = subprocess.run(as_user(*self.psql("-At", "-c", text,
                                              database=database)),
                           capture_output=True, text=True, timeout=240,
                           cwd="/")
        return p.stdout if p.returncode == 0 else None

    def sql(self, text, database="muster"):
        """Lines of fields that are parted by |."""
        return run(*self.psql("-At", "-v", "ON_ERROR_STOP=1", "-c", text,
                              database=database))

    @contextlib.contextmanager
    def holding(self, text):
        """A person's transaction that has done this, for so long."""
        p = subprocess.Popen(as_user(*self.psql("-At")), cwd="/", text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            p.stdin.write(f"BEGIN; {text};\n")
            p.stdin.flush()
            assert p.stdout.readline() != ""
            yield
        finally:
            p.communicate("ROLLBACK;\n")

    def migrate(self, group=GROUP):
        for path in sorted(glob.glob(MIGRATIONS)):
            with open(path) as f:
                run(*self.psql("-v", f"group={group}", "-v", f"role={ROLE}"),
                    input=f.read())

    def make(self):
        """Database, role and tables, as doc/cluster.md says."""
        self.sql("CREATE DATABASE muster", "postgres")
        self.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
        self.migrate()
        return self

    def address(self, *others, port=None, **more):
        """For `store` of musterd.conf."""
        ports = [port or self.port, *(o.port for o in others)]
        at = ",".join(f"127.0.0.1:{p}" for p in ports)
        more.setdefault("sslmode", "disable")
        options = "&".join(f"{k}={v}" for k, v in more.items())
        return f"postgresql://{ROLE}@{at}/muster?{options}"


@contextlib.contextmanager
def made(**settings):
    """A server that has begun, with the tables of a group, for so long."""
    s = Server(**settings)
    try:
        yield s.start().make()
    finally:
        s.remove()


def store(address, group=GROUP):
    """Lines of musterd.conf."""
    return f'store = "{address}";\nstore_group = "{group}";\n'
