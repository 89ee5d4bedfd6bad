//! Everything tested from outside: the real binary, real sockets, real Redis, real Thrift libraries.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::needless_pass_by_value,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that meets what it does not expect ends there"
)]
#![allow(clippy::disallowed_types, reason = "these tests run in real time, beside the processes they start")]

// What the tests are written in.
mod harness;

// The peers themselves.
mod peers;
// One test for each sentence of the promise.
mod advising;
mod calling;
mod examples;
mod explaining;
mod packaging;
mod promise;
mod purging;
mod stocktaking;
mod tapping;
mod thrift_orders;
// A whole night, with nothing but the commands; it writes the page of it.
mod night;
// How a gateway is asked and steered, and what it says by itself.
mod access_log;
mod administering;
mod configuring;
mod connecting;
mod fb303;
mod hints;
mod manual;
mod page;
mod steering;
// Real clients and servers, and the exact bytes between them and the gateway.
mod headers;
mod posting;
mod wires;
// Clients of one protocol before a backend of another.
mod translating;
// The same inside TLS, and through the file system.
mod sockets;
mod tls;
// Which calls share a reply.
mod keys;
// Replies that must not be.
mod replies;
// How often a late reply is taken for another call's.
mod late;
// The order of one client's effects, and that nobody else waits for them.
mod oneways;
// One test for each line of the outage matrix.
mod outage;
// What a hung server costs who has an old entry.
mod hanging;
// What the gateway knows of outages, those to come too.
mod knowing;
// The tables of the README.
mod descriptors;
mod docs;
mod links;
// The page of what others ran into.
mod named;
// One test for each row of the fault table.
mod faults;
// Redis, and several gateways on it.
mod shared;
// What is lost with it, and what then comes to the backends.
mod refill;
// Who may write to it.
mod signing;
// What was proved wrong, and older calls that do not know.
mod removal;
// What writes change of what is kept.
mod invalidating;
// The same in all gateways of a shared tier.
mod fleet;
// What is kept there for each user apart.
mod identities;
// The same over sentinels and on a cluster.
mod forms;
// Whatever breaks, as everybody saw it.
mod histories;
// What becomes of calls that make the gateway itself panic.
mod panics;
// What no client may do, and what it gets for trying.
mod limits;
mod memory;
// What a configuration may say, and the IDL, and what reloading does.
mod annotations;
mod rules;
// Several backends behind one listener.
mod routing;
// What changes of a backend under load.
mod reloads;
// Endpoints, connections to them, and tries.
mod backends;
// What others ran into, with real servers and a proxy that breaks what it carries.
mod regressions;
// Services that are easily taken for dead, and dead ones that look alive.
mod scenes;
// Calls that servers die of.
mod deadly;
// Starting, ending, health and monitoring.
mod lifecycle;

// Restarts under load, with sockets that outlive the process.
mod restarts;

// What a gateway knows after a restart.
mod verifying;
mod warm;

// Properties of the codec, held against the official crate.
mod codec;

// Recorded messages, and whatever fuzzing found.
mod corpus;
// IDL of the world.
mod compiler;
// The rules of the house.
mod tidy;
