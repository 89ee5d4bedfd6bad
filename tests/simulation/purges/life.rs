//! Orders as they are given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Order;
use crate::history::{Reach, What};
use crate::stage::{Stage, host};

/// Gives all orders of a world, each at its time.
pub(crate) async fn live(stage: Arc<Stage>) {
    let mut given = JoinSet::new();
    for (number, order) in stage.world.orders.iter().enumerate() {
        stage.until(order.at).await;
        given.spawn(give(Arc::clone(&stage), number, *order));
    }
    while given.join_next().await.is_some() {}
}

async fn give(stage: Arc<Stage>, number: usize, order: Order) {
    let Order { gateway, wrong, kind, .. } = order;
    stage.note(What::Ordered { order: number, gateway, wrong, kind });
    let told = timeout(PATIENCE, post(&stage, &order)).await.ok().flatten();
    if let Some(reach) = told.as_deref().and_then(reach) {
        stage.note(What::Obeyed { order: number, reach });
    }
}

/// What the gateway's admin endpoint says to an order.
async fn post(stage: &Stage, order: &Order) -> Option<String> {
    let network = stage.network.host(host(OPERATORS, order.gateway));
    let admin = SocketAddr::new(host(2, order.gateway), ADMIN_PORT);
    let mut socket = network.dial_socket(admin).await.ok()?;
    let body = order.json();
    let head = format!(
        "POST /v1/purge HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.ok()?;
    let mut said = String::new();
    socket.read_to_string(&mut said).await.ok()?;
    Some(said)
}

/// How far an order has got, if it was obeyed.
fn reach(said: &str) -> Option<Reach> {
    let (_, rest) = said.starts_with("HTTP/1.1 200 ").then(|| said.split_once("\"reached\":\""))??;
    match rest.split_once('"')?.0 {
        "fleet" => Some(Reach::Fleet),
        "gateway" | "redis" => Some(Reach::Gateway),
        other => panic!("an order has reached {other:?}"),
    }
}

/// What shows who may give orders.
pub(crate) const TOKEN: &str = "sesame";
/// Where gateways find it in their environment.
pub(crate) const TOKEN_VARIABLE: &str = "LARDER_TOKEN";
/// The kind of host that orders come from.
const OPERATORS: u8 = 4;
const ADMIN_PORT: u16 = 9099;
/// Longer than telling an order to all gateways takes.
const PATIENCE: Duration = Duration::from_secs(5);
