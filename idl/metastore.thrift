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

struct FieldSchema {
  1: string name,
  2: string type,
  3: string comment,
}

struct SerDeInfo {
  1: string name,
  2: string serializationLib,
  3: map<string, string> parameters,
}

struct Order {
  1: string col,
  2: i32 order,
}

struct StorageDescriptor {
  1: list<FieldSchema> cols,
  2: string location,
  3: string inputFormat,
  4: string outputFormat,
  5: bool compressed,
  6: i32 numBuckets,
  7: SerDeInfo serdeInfo,
  8: list<string> bucketCols,
  9: list<Order> sortCols,
  10: map<string, string> parameters,
}

struct Table {
  1: string tableName,
  2: string dbName,
  3: string owner,
  4: i32 createTime,
  5: i32 lastAccessTime,
  6: i32 retention,
  7: StorageDescriptor sd,
  8: list<FieldSchema> partitionKeys,
  9: map<string, string> parameters,
  12: string tableType,
}

struct EnvironmentContext {
  1: map<string, string> properties,
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
  // Whose rights hold for all further calls of the connection; the answer is the names of the user's groups.
  list<string> set_ugi(1: string user_name, 2: list<string> group_names) throws (1: MetaException o1),

  // Settings, which hold for the connection alone.
  void setMetaConf(1: string key, 2: string value) throws (1: MetaException o1),
  string getMetaConf(1: string key) throws (1: MetaException o1),

  Database get_database(1: string name) throws (1: NoSuchObjectException o1, 2: MetaException o2),

  Table get_table(1: string dbname, 2: string tbl_name) throws (1: MetaException o1, 2: NoSuchObjectException o2),

  list<string> get_all_databases() throws (1: MetaException o1),

  list<string> get_tables(1: string db_name, 2: string pattern) throws (1: MetaException o1),

  list<string> get_all_tables(1: string db_name) throws (1: MetaException o1),

  void create_table(1: Table tbl) throws (
    1: AlreadyExistsException o1, 2: InvalidObjectException o2, 3: MetaException o3, 4: NoSuchObjectException o4),

  void create_table_with_environment_context(1: Table tbl, 2: EnvironmentContext environment_context) throws (
    1: AlreadyExistsException o1, 2: InvalidObjectException o2, 3: MetaException o3, 4: NoSuchObjectException o4),

  void alter_table(1: string dbname, 2: string tbl_name, 3: Table new_tbl) throws (
    1: InvalidOperationException o1, 2: MetaException o2),

  void alter_table_with_environment_context(
    1: string dbname, 2: string tbl_name, 3: Table new_tbl, 4: EnvironmentContext environment_context) throws (
    1: InvalidOperationException o1, 2: MetaException o2),

  void drop_table(1: string dbname, 2: string name, 3: bool deleteData) throws (
    1: NoSuchObjectException o1, 2: MetaException o3),

  void drop_table_with_environment_context(
    1: string dbname, 2: string name, 3: bool deleteData, 4: EnvironmentContext environment_context) throws (
    1: NoSuchObjectException o1, 2: MetaException o3),
}
