/**
 * The sample service: people and where they live.
 *
 * Reads are safe to answer from a cache, which is what the sample rules do; renameUser and touch change something.
 */

namespace rs users
namespace py users
namespace js users

/** Where somebody lives. */
struct Address {
  1: string street,
  2: string city,
  /** Two letters, as in ISO 3166. */
  3: string country,
}

/** A person. */
struct User {
  1: i64 id,
  2: string name,
  3: string email,
  /** Whatever else is known, such as "team" or "language". */
  4: optional map<string, string> attributes,
  5: Address address,
}

/** Nobody has this id. An answer like any other: it may be cached, for a short while. */
exception NotFound {
  1: i64 id,
}

/** The users cannot be looked up at present. A failure: an older answer is better. */
exception Unavailable {
  1: string reason,
}

service UserService {
  /**
   * One user. The trace_id names the call in logs and does not change the answer, so a cache should ignore it.
   */
  User getUser(1: i64 id, 2: string trace_id) throws (1: NotFound not_found, 2: Unavailable unavailable),

  /** The users with these ids that have all these attributes. */
  list<User> listUsers(1: set<i64> ids, 2: map<string, string> filter),

  /** Does nothing, and says so. */
  void ping(),

  /** Gives a user another name: a write, never cached and never sent twice. */
  void renameUser(1: i64 id, 2: string name),

  /** Marks a user as seen. Nobody waits for it. */
  oneway void touch(1: i64 id),
}
