"""A real Hive Metastore behind two gateways: who is who, with it, without it, and with it again; and Spark SQL all the while."""

import argparse
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import thriftpy2
from thriftpy2.rpc import make_client
from thriftpy2.thrift import TApplicationException
from thriftpy2.transport import TTransportException

ROOT = pathlib.Path(__file__).resolve().parents[2]
METASTORE = thriftpy2.load(str(ROOT / "idl/metastore.thrift"), module_name="metastore_thrift")
SERVICE = METASTORE.ThriftHiveMetastore
TIMES = 20


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def until(holds, what, seconds=90):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"it never came to hold: {what}")
        time.sleep(0.2)


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def holds(claim, is_so):
    print(("holds:  " if is_so else "FAILS:  ") + claim, flush=True)
    if not is_so:
        raise SystemExit(1)


class Metastore:
    """The metastore of Spark's own jars, which keeps all in a folder and asks the file system who may read a table."""

    def __init__(self, spark, folder):
        self.spark, self.folder, self.port, self.process = spark, folder, free_port(), None
        (folder / "warehouse").mkdir()
        site = (ROOT / "tests/hive/hive-site.xml").read_text().replace("@FOLDER@", str(folder))
        (folder / "hive-site.xml").write_text(site)

    def start(self):
        classes = f"{self.folder}:{self.spark}/jars/*"
        command = ["java", "-Xmx512m", "-cp", classes, "org.apache.hadoop.hive.metastore.HiveMetaStore", "-p", str(self.port)]
        log = open(self.folder / "metastore.log", "a")
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(lambda: listens(self.port), "the metastore listens")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Gateway:
    """A gateway with the example's configuration, or with one that takes nobody for anybody."""

    def __init__(self, folder, name, metastore, redis, knows_who=True):
        self.port, admin = free_port(), free_port()
        text = (ROOT / "config/examples/metastore.toml").read_text()
        for before, after in [
            ("127.0.0.1:9083", f"127.0.0.1:{self.port}"),
            ("127.0.0.1:9084", f"127.0.0.1:{metastore.port}"),
            ("127.0.0.1:9098", f"127.0.0.1:{free_port()}"),
            ("../../idl/metastore.thrift", str(ROOT / "idl/metastore.thrift")),
        ]:
            assert before in text, before
            text = text.replace(before, after)
        if not knows_who:
            for rule in ['session = "identity"', 'session = "state"']:
                assert rule in text, rule
                text = text.replace(rule, "")
            text = text.replace('backend = "metastore"', 'backend = "metastore"\nsessions = "shared"', 1)
        if redis:
            text += f'\n[cache.shared]\nurl = "redis://127.0.0.1:{redis}"\n'
        text += f'\n[admin]\nbind = "127.0.0.1:{admin}"\n'
        path = folder / f"{name}.toml"
        path.write_text(text)
        log = open(folder / f"{name}.log", "w")
        self.process = subprocess.Popen([os.environ["LARDER"], "serve", path], stdout=log, stderr=log)
        until(lambda: listens(self.port), f"gateway {name} listens")

    def session(self, who):
        client = make_client(SERVICE, "127.0.0.1", self.port, timeout=30_000)
        assert client.set_ugi(who, [who]) is not None
        return client


def reads(client):
    """Who owns the table, as the client is told; or why he is not told."""
    try:
        return client.get_table("default", "secret").owner
    except METASTORE.MetaException:
        return "denied"
    except (TApplicationException, TTransportException):
        return "away"


def make_table(metastore):
    client = make_client(SERVICE, "127.0.0.1", metastore.port, timeout=60_000)
    client.set_ugi("root", ["root"])
    place = metastore.folder / "warehouse/secret"
    storage = METASTORE.StorageDescriptor(
        cols=[METASTORE.FieldSchema("a", "int", "")],
        location=place.as_uri(),
        inputFormat="org.apache.hadoop.mapred.TextInputFormat",
        outputFormat="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        compressed=False,
        numBuckets=-1,
        serdeInfo=METASTORE.SerDeInfo("s", "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", {}),
        bucketCols=[],
        sortCols=[],
        parameters={},
    )
    table = METASTORE.Table(
        tableName="secret", dbName="default", owner="root", createTime=0, lastAccessTime=0, retention=0, sd=storage,
        partitionKeys=[], parameters={"EXTERNAL": "TRUE"}, tableType="EXTERNAL_TABLE",
    )
    client.create_table(table)
    place.mkdir(exist_ok=True)
    place.chmod(0o700)
    client.close()


class SparkSql:
    """A session of Spark SQL at a gateway, which is told one statement after another."""

    def __init__(self, spark, folder, port):
        settings = {
            "spark.ui.enabled": "false",
            "spark.hadoop.hive.metastore.uris": f"thrift://127.0.0.1:{port}",
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.sql.catalogImplementation": "hive",
        }
        command = [f"{spark}/bin/spark-sql", "--master", "local[1]", "--driver-memory", "600m"]
        for name, value in settings.items():
            command += ["--conf", f"{name}={value}"]
        self.said = folder / f"spark-{free_port()}.out"
        self.process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "SPARK_HOME": str(spark)}, text=True,
            stdin=subprocess.PIPE, stdout=open(self.said, "w"), stderr=open(self.said.with_suffix(".err"), "w"),
        )
        self.count = 0

    def asks(self, statement, seconds=180):
        """What a statement is answered, up to a mark that is asked for behind it."""
        self.count += 1
        mark = f"end-{self.count}"
        already = len(self.said.read_text())
        self.process.stdin.write(f"{statement};\nselect '{mark}';\n")
        self.process.stdin.flush()

        def told():
            # It repeats each statement, behind its prompt.
            lines = self.said.read_text()[already:].splitlines()
            return [line for line in lines if line and not line.endswith(";")]

        until(lambda: mark in told() or self.process.poll() is not None, statement, seconds)
        return told()[: told().index(mark)] if mark in told() else None

    def ends(self):
        self.process.stdin.close()
        self.process.wait()


def who_is_who(metastore, gateways):
    old = {who: [gateway.session(who) for gateway in gateways] for who in ("root", "ann")}
    told = [(who, reads(client)) for _ in range(TIMES) for who in old for client in old[who]]
    holds(f"root reads his table, {TIMES} of {TIMES} times at each gateway", all(said == "root" for who, said in told if who == "root"))
    holds(f"ann is denied it, {TIMES} of {TIMES} times at each gateway", all(said == "denied" for who, said in told if who == "ann"))
    metastore.kill()
    told = [reads(client) for _ in range(TIMES) for client in old["root"]]
    holds("the metastore is dead: root reads on in his old sessions", set(told) == {"root"})
    told = [reads(gateway.session("root")) for _ in range(TIMES) for gateway in gateways]
    holds("and in new ones", set(told) == {"root"})
    told = [reads(client) for _ in range(TIMES) for client in old["ann"]]
    told += [reads(gateway.session("ann")) for _ in range(TIMES) for gateway in gateways]
    holds("ann is told nothing, in old sessions and in new ones", set(told) == {"away"})
    strangers = []
    for gateway in gateways:
        try:
            gateway.session("ben")
            strangers.append("let in")
        except (TApplicationException, TTransportException):
            strangers.append("away")
    holds("who was never known opens no session", set(strangers) == {"away"})
    metastore.start()
    until(lambda: reads(old["ann"][0]) == "denied", "the metastore is back")
    told = [(who, reads(client)) for _ in range(TIMES) for who in old for client in old[who]]
    told = {(who, said) for who, said in told}
    holds("it is back: what they said is said again for them, in their old sessions", told == {("root", "root"), ("ann", "denied")})


def spark_goes_on(spark, metastore, gateway, folder):
    session = SparkSql(spark, folder, gateway.port)
    session.asks("create table numbers(a int) using parquet")
    session.asks("insert into numbers values (1), (2)")
    holds("Spark SQL reads what it wrote", session.asks("select sum(a) from numbers") == ["3"])
    session.asks("create table later(a int) using parquet")
    holds("and a table that it has just made", session.asks("select count(*) from later") == ["0"])
    time.sleep(3)
    session.asks("select sum(a) from numbers")
    metastore.kill()
    holds("the metastore is dead: Spark SQL goes on in its old session", session.asks("select sum(a) from numbers") == ["3"])
    new = SparkSql(spark, folder, gateway.port)
    holds("and in a new one", new.asks("select sum(a) from numbers") == ["3"])
    for one in (session, new):
        one.ends()


def without_identities(metastore, gateway):
    root = gateway.session("root")
    reads(root)
    # The metastore is told on one connection who calls, once: it closes that on the second, and Hive's own client goes on without.
    ann = make_client(SERVICE, "127.0.0.1", gateway.port, timeout=30_000)
    with contextlib.suppress(TApplicationException):
        ann.set_ugi("ann", ["ann"])
    leaked = [reads(ann) for _ in range(TIMES)].count("root")
    print(f"for comparison, without session rules: ann reads root's table {leaked} of {TIMES} times", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--spark", type=pathlib.Path, required=True, help="the folder with Spark's jars and bin")
    arguments.add_argument("--without-spark", action="store_true", help="asks the metastore by thriftpy2 alone")
    arguments.add_argument("--keep", action="store_true", help="keeps the folder with all logs")
    given = arguments.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="larder-hive-"))
    running = []
    try:
        metastore = Metastore(given.spark, folder)
        metastore.start()
        make_table(metastore)
        redis = free_port() if shutil.which("redis-server") else None
        if redis:
            running.append(subprocess.Popen(["redis-server", "--port", str(redis), "--save", ""], stdout=subprocess.DEVNULL))
            until(lambda: listens(redis), "redis listens")
        gateways = [Gateway(folder, name, metastore, redis) for name in ("one", "other")]
        open_to_all = Gateway(folder, "open", metastore, None, knows_who=False)
        running += [gateway.process for gateway in (*gateways, open_to_all)]
        without_identities(metastore, open_to_all)
        who_is_who(metastore, gateways)
        if not given.without_spark:
            spark_goes_on(given.spark, metastore, gateways[0], folder)
    finally:
        for process in running + [metastore.process]:
            if process:
                process.kill()
                process.wait()
        if given.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
