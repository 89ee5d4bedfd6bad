/** The service of the drill: things in a warehouse. Every answer tells which call it belongs to, and when it was given. */

struct Item {
  1: i64 id,
  /** Follows from the id and the method alone. */
  2: string proof,
  /** When the backend answered, in seconds of the host's monotonic clock. */
  3: double answered,
}

/** The database is away. */
exception Unavailable {
  1: string reason,
}

service Catalogue {
  /** A read. The trace names the call in logs and does not change the answer. */
  Item getItem(1: i64 id, 2: string trace) throws (1: Unavailable unavailable),

  /** A write, of which the gateway is told what its failures are. */
  Item moveItem(1: i64 id) throws (1: Unavailable unavailable),

  /** A call of which the gateway is told nothing. */
  Item countItem(1: i64 id) throws (1: Unavailable unavailable),
}
