/**
 * What a Larder gateway offers to services beside the calls that it answers.
 */

namespace rs larder
namespace py larder
namespace java larder
namespace js larder

/** What becomes of replies that are declared wrong. */
enum Kind {
  /** They answer only while backends fail. */
  SOFT = 0,
  /** They answer no more. */
  HARD = 1,
}

/** How far an order has got. */
enum Reach {
  /** The gateway that was asked. */
  GATEWAY = 0,
  /** The shared tier too. It may still be lost there. */
  REDIS = 1,
  /** All gateways of the shared tier. */
  FLEET = 2,
}

/** A call of a method that the gateway serves. */
struct Call {
  /** Its method, as "Service.method". */
  1: string method,
  /** Its arguments by name, as a JSON object: those alone that clients send. */
  2: optional string arguments,
}

/** What is wrong, and how wrong it is. Exactly one of the first six is given. */
struct Order {
  /** The replies to one call. */
  1: optional Call call,
  /** The reply under the key with this hash, 32 hexadecimal digits. */
  2: optional string key,
  /** The replies with any of these tags, as rules make them: at most 256. */
  3: optional list<string> tags,
  /** The replies of one method, as "Service.method". */
  4: optional string method,
  /** The replies of all methods of a service. */
  5: optional string service_name,
  /** All replies; true, if given. */
  6: optional bool all,
  /** Without it, SOFT. */
  7: optional Kind kind,
  /** Why, for whoever reads the gateway's log: at most 1024 bytes. */
  8: optional string why,
  /** Purges all, hard, although backends are down. */
  9: optional bool force,
}

/** What came of an order. */
struct Purged {
  /** What was marked. */
  1: list<string> marked,
  2: Kind kind,
  /** The place of the mark in the order of those that this gateway knows. */
  3: i64 tick,
  /** The same among those of all gateways that share a tier, once it has one. */
  4: optional string version,
  5: Reach reached,
  /** What is legal and perhaps not meant. */
  6: list<string> warnings,
}

/** The order names what there is not, or is none. Nothing was marked. */
exception BadOrder {
  1: string message,
}

/** The token is not the gateway's, or the order would take away what answers while backends are down. Nothing was marked. */
exception Refused {
  1: string message,
}

/** For who knows that something a gateway keeps is wrong: a service that has changed something, in its own protocol. */
service Invalidation {
  /**
   * What was asked of a backend before this call answers no more, or only while backends fail. It returns when all gateways know, or after 1.5 s.
   * The token is that of the gateway; where it has none, it is not looked at.
   */
  Purged purge(1: Order order, 2: string token) throws (1: BadOrder bad_order, 2: Refused refused),
}
