//! What is told of a call before it comes, against what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::world::*;
use crate::accept::Asker;
use crate::cache::shared::{Counts, Memory, Store};
use crate::clock::{Clock, Millis};
use crate::explain::report::{CallReport, Explanation, TierReport};
use crate::mark::Kind;
use crate::outcome::Outcome;
use crate::purge::Orderer;
use crate::purge::order::{Order, What};

const IDL: &str = "service S { i32 get(1: i32 n), i32 far(1: i32 n), i32 safe(1: i32 n), i32 seen(1: i32 n),
                               i32 pass(1: i32 n), void wait(1: i32 n), oneway void tell(1: i32 n) }";
const RULES: &str = "[rules.'S.get']\nttl = '5s'\nstale_while_revalidate = '5s'\nstale_if_error = '60s'\n\
                     tags = ['n:{n}']\non_coherence_loss = 'serve'\n\
                     [rules.'S.far']\nttl = '5s'\nstale_if_error = '60s'\ntiers = ['shared']\n\
                     [rules.'S.safe']\nttl = '5s'\nfallback = '7'\n\
                     [rules.'S.seen']\nttl = '5s'\nmode = 'observe'";

async fn world() -> World {
    let clock = Clock::starting_at(Millis(1_000_000));
    let store: Arc<dyn Store> = Arc::new(Memory::new(clock, Duration::from_millis(50), Counts::default()));
    World::new(Given { rules: RULES, idl: Some(IDL), store: Some(store), ..Given::default() }).await
}

impl World {
    async fn explains(&self, method: &str, n: i32) -> Explanation {
        self.gateway.explainer().explain(&format!("S.{method}"), &json!({ "n": n })).await.unwrap()
    }

    /// What is told of a call of a method by its plain name.
    async fn told(&self, method: &str, n: i32) -> CallReport {
        let Explanation { listeners, .. } = self.explains(method, n).await;
        listeners[0].calls[0].clone()
    }

    fn outcomes(&self, method: &str) -> Vec<f64> {
        let count = |outcome: Outcome| {
            let outcome = outcome.as_str();
            let labels = format!("listener=\"it\",method=\"S.{method}\",outcome=\"{outcome}\"");
            self.metric(&format!("larder_calls_total{{{labels}}}"))
        };
        Outcome::ALL.map(count).to_vec()
    }

    async fn purge(&self, what: What, kind: Kind) {
        let order = Order { what, kind, why: String::new(), force: false };
        let from = "10.0.0.8:1".parse().unwrap();
        self.gateway
            .purges()
            .purge(&order, Orderer { by: "test", from: Asker::Address(from) })
            .await
            .unwrap();
    }
}

/// That a call becomes what is told of it before, and that this is `outcome`.
async fn becomes(world: &World, client: &mut Client, (method, n): (&str, i32), outcome: Outcome) {
    let told = world.told(method, n).await;
    assert_eq!(told.now, outcome.as_str(), "{told:?}");
    let before = world.outcomes(method);
    client.call(&[(method, n)]).await;
    client.reply().await.unwrap();
    let after = world.outcomes(method);
    let came =
        Outcome::ALL.into_iter().zip(before.iter().zip(&after)).find(|(_, (before, after))| before != after);
    assert_eq!(came.map(|(came, _)| came), Some(outcome), "{method} {n}: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_becomes_what_is_told_of_it() {
    let world = world().await;
    let mut client = world.client().await;
    let client = &mut client;
    for (wait, call, outcome) in [
        (0, ("get", 1), Outcome::Miss),
        (0, ("get", 1), Outcome::HitLocal),
        (6_000, ("get", 1), Outcome::Stale),
        (11_000, ("get", 1), Outcome::Miss),
        (0, ("far", 1), Outcome::Miss),
        (100, ("far", 1), Outcome::HitShared),
        (6_000, ("far", 1), Outcome::Miss),
        (0, ("safe", 1), Outcome::Miss),
        (0, ("seen", 1), Outcome::ObservedMiss),
        (0, ("seen", 1), Outcome::ObservedHit),
        (0, ("pass", 1), Outcome::Passed),
    ] {
        pass(wait).await;
        becomes(&world, client, call, outcome).await;
    }
    assert_eq!(world.told("tell", 1).await.now, "oneway");
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_it_becomes_what_was_told_before() {
    let world = world().await;
    let mut client = world.client().await;
    for method in ["get", "far", "safe", "seen", "pass"] {
        client.call(&[(method, 1)]).await;
        client.reply().await.unwrap();
    }
    pass(11_000).await;
    let calls = [("get", 1), ("far", 1), ("safe", 1), ("seen", 1), ("pass", 1), ("get", 2)];
    let mut told = Vec::new();
    for (method, n) in calls {
        told.push(world.told(method, n).await.in_outage);
    }
    assert_eq!(told, ["stale_if_error", "stale_if_error", "fallback", "failed", "failed", "failed"]);
    world.dies();
    client.call(&[("get", 3)]).await;
    client.reply().await.unwrap();
    eventually(|| world.metric("larder_backend_down") > 0.0).await;
    for ((method, n), told) in calls.into_iter().zip(told) {
        let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == told).unwrap();
        becomes(&world, &mut client, (method, n), outcome).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_declared_wrong_is_told_with_what_it_leaves() {
    let world = world().await;
    let mut client = world.client().await;
    for n in [1, 2] {
        client.call(&[("get", n)]).await;
        client.reply().await.unwrap();
    }
    pass(1_000).await;
    world.purge(What::Tags(vec!["n:1".to_owned()]), Kind::Soft).await;
    world.purge(What::Method("S.get".to_owned()), Kind::Soft).await;
    world.purge(What::Tags(vec!["n:2".to_owned()]), Kind::Hard).await;
    pass(500).await;
    let marks =
        |told: &CallReport| told.marks.iter().map(|mark| (mark.on.clone(), mark.kind)).collect::<Vec<_>>();
    let of_method = || ("method S.get".to_owned(), Kind::Soft);
    let (soft, hard) = (world.told("get", 1).await, world.told("get", 2).await);
    assert_eq!(marks(&soft), [of_method(), ("tag n:1".to_owned(), Kind::Soft)]);
    assert_eq!(marks(&hard), [of_method(), ("tag n:2".to_owned(), Kind::Hard)]);
    assert_eq!(hard.marks[1].age, 0.5);
    assert_eq!([soft.in_outage.as_str(), hard.in_outage.as_str()], ["stale_if_error", "failed"]);
    let TierReport::Entry(local) = soft.local else { panic!("{soft:?}") };
    assert_eq!((local.state.as_str(), local.age), ("stale_if_error", 1.5));
    assert_eq!(local.because, ["a soft mark covers it"]);
    becomes(&world, &mut client, ("get", 1), Outcome::Miss).await;
    becomes(&world, &mut client, ("get", 2), Outcome::Miss).await;
}

#[tokio::test(start_paused = true)]
async fn to_ask_changes_nothing() {
    let world = world().await;
    let mut client = world.client().await;
    client.call(&[("get", 1), ("far", 1), ("seen", 1)]).await;
    for _ in 0..3 {
        client.reply().await.unwrap();
    }
    pass(7_000).await;
    world.purge(What::Tags(vec!["n:1".to_owned()]), Kind::Soft).await;
    let counted = || {
        let page = world.gateway.subject().metrics();
        let of_calls = page
            .lines()
            .filter(|line| ["calls", "shared", "local", "flights"].iter().any(|part| line.contains(part)));
        of_calls.map(str::to_owned).collect::<Vec<_>>()
    };
    let (heard, before) = (world.heard(), counted());
    for method in ["get", "far", "seen", "pass"] {
        let first = world.explains(method, 1).await;
        assert_eq!(first, world.explains(method, 1).await);
    }
    assert_eq!((world.heard(), counted()), (heard, before));
}

#[tokio::test(start_paused = true)]
async fn it_is_said_which_rule_governs_and_why_nothing_is_kept() {
    let world = world().await;
    for (method, pattern, why) in [
        ("get", Some("S.get"), None),
        ("seen", Some("S.seen"), None),
        ("pass", None, Some("no rule is for it")),
        ("tell", None, Some("no rule is for it")),
    ] {
        let Explanation { listeners, .. } = world.explains(method, 1).await;
        let rule = &listeners[0].rule;
        assert_eq!((rule.pattern.as_deref(), rule.not_kept.as_deref()), (pattern, why), "{method}");
    }
}
