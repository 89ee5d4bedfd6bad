//! Memory: what the gateway holds with idle connections, and what a full cache adds.

use std::net::TcpStream;
use std::rc::Rc;

use crate::Fallible;
use crate::call::{CACHED, Speech};
use crate::cell::Cell;
use crate::ids::Ids;
use crate::load::{Load, Order};
use crate::process::Core;
use crate::servers::Place;

/// One figure and its target.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) what: String,
    pub(crate) limit: f64,
    pub(crate) reached: f64,
}

/// Measures a fresh gateway for each size of reply.
///
/// # Errors
/// When the gateway does not start or answers wrongly.
pub(crate) fn run(place: &Place) -> Fallible<Vec<Memory>> {
    let (_backend, behind) = place.echo(Core::Client)?;
    let mut found = Vec::new();
    for size in [100, 1024] {
        let (larder, address) = place.larder(behind, "64MiB")?;
        let idle = (0..IDLE).map(|_| TcpStream::connect(address)).collect::<Result<Vec<_>, _>>()?;
        let cell = Cell { connections: 16, depth: 16, size };
        let load = |keys| Load {
            address,
            speech: Speech::Thrift(CACHED),
            order: Order::Kept,
            cell,
            ids: Rc::new(Ids::each(keys)),
        };
        // One entry shows that every idle connection before it was accepted.
        load(1).fill()?;
        let empty = larder.resident()?;
        // Twice what fits, were each entry its reply alone.
        load((2 * CAPACITY / size) as u32).fill()?;
        let full = larder.resident()?;
        drop(idle);
        found.push(Memory {
            what: format!("MiB resident, {IDLE} idle connections, empty cache"),
            limit: 40.0,
            reached: empty as f64 / 1024.0,
        });
        found.push(Memory {
            what: format!("memory a full cache adds / its 64 MiB, {size} B replies"),
            limit: 1.25,
            reached: full.saturating_sub(empty) as f64 * 1024.0 / CAPACITY as f64,
        });
    }
    Ok(found)
}

const IDLE: usize = 256;
const CAPACITY: usize = 64 << 20;
