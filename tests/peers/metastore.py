"""A metastore that remembers its tables while it runs. Names are folded, as Hive's are. A table's `retention` counts the calls that it has had; of one whose
parameters say so, its owner alone is told. Each connection has a thread, and that remembers who has called on it."""

import threading


class Metastore:
    """The service itself, for either library's types."""

    def __init__(self, types):
        self.types = types
        self.lock = threading.Lock()
        self.tables = {}
        self.calls = 0
        self.connection = threading.local()

    def set_ugi(self, user_name, group_names):
        if user_name == "nobody":
            raise self.types.MetaException(message="nobody is no user")
        self.connection.user = user_name
        return group_names

    def setMetaConf(self, key, value):
        self.connection.settings = {**getattr(self.connection, "settings", {}), key: value}

    def getMetaConf(self, key):
        return getattr(self.connection, "settings", {}).get(key, "")

    def get_table(self, dbname, tbl_name):
        with self.lock:
            self.calls += 1
            table = self.tables.get((dbname.lower(), tbl_name.lower()))
            if table is None:
                raise self.types.NoSuchObjectException(message="%s.%s table not found" % (dbname, tbl_name))
            if (table.parameters or {}).get("private") and getattr(self.connection, "user", None) != table.owner:
                raise self.types.MetaException(message="permission denied")
            table.retention = self.calls
            return table

    def get_all_tables(self, db_name):
        with self.lock:
            return sorted(name for database, name in self.tables if database == db_name.lower())

    def create_table(self, tbl):
        with self.lock:
            self.tables[(tbl.dbName.lower(), tbl.tableName.lower())] = tbl

    def alter_table(self, dbname, tbl_name, new_tbl):
        with self.lock:
            if self.tables.pop((dbname.lower(), tbl_name.lower()), None) is None:
                raise self.types.InvalidOperationException(message="%s.%s does not exist" % (dbname, tbl_name))
            self.tables[(new_tbl.dbName.lower(), new_tbl.tableName.lower())] = new_tbl

    def drop_table(self, dbname, name, deleteData):
        with self.lock:
            if self.tables.pop((dbname.lower(), name.lower()), None) is None:
                raise self.types.NoSuchObjectException(message="%s.%s table not found" % (dbname, name))
