/**
 * A part of the interface of Apache Hive's metastore, as its clients call it: what the example of a service that reads and writes needs.
 * A gateway needs to know only the fields that its rules name; all others pass as they are.
 */

namespace rs metastore
namespace py metastore

struct Database {
  1: string name,
  2: string description,
  3: string locationUri,
  4: map<string, string> parameters,
}

struct Table {
  1: string tableName,
  2: string dbName,
  3: string owner,
  4: i32 createTime,
  5: i32 lastAccessTime,
  6: i32 retention,
  9: map<string, string> parameters,
  12: string tableType,
}

exception MetaException {
  1: string message,
}

exception NoSuchObjectException {
  1: string message,
}

exception AlreadyExistsException {
  1: string message,
}

exception InvalidObjectException {
  1: string message,
}

exception InvalidOperationException {
  1: string message,
}

service ThriftHiveMetastore {
  Database get_database(1: string name) throws (1: NoSuchObjectException o1, 2: MetaException o2),

  Table get_table(1: string dbname, 2: string tbl_name) throws (1: MetaException o1, 2: NoSuchObjectException o2),

  list<string> get_all_tables(1: string db_name) throws (1: MetaException o1),

  void create_table(1: Table tbl) throws (
    1: AlreadyExistsException o1, 2: InvalidObjectException o2, 3: MetaException o3, 4: NoSuchObjectException o4),

  void alter_table(1: string dbname, 2: string tbl_name, 3: Table new_tbl) throws (
    1: InvalidOperationException o1, 2: MetaException o2),

  void drop_table(1: string dbname, 2: string name, 3: bool deleteData) throws (
    1: NoSuchObjectException o1, 2: MetaException o3),
}
