//! The scene in which what is kept is lost at full load: that must not become the loss of the backend.
//!
//! The backend can just bear what it is asked while nearly all calls are answered from the cache. Above that it gets slower with each call that
//! waits in it, and what it answers late is of no use: a service that is asked too much for long enough does nothing useful any more, and goes on
//! so for as long as it is asked (metastable failures; Bronson et al., HotOS 2021).

mod load;
mod workers;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use larder::cache::shared::{Counts, Memory, State, Store};
use larder::clock::{Clock, Millis};
use larder::config::Config;
use larder::dial::Simulated;
use larder::files::Memory as Files;
use larder::server::{self, Running, Surroundings, Watch};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep_until};

use crate::service::IDL;
use load::{Load, Second};
use workers::Workers;

/// How clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loop {
    /// Whatever becomes of the calls before.
    Open,
    /// Each client when its call before is answered.
    Closed,
}

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// What lies in the shared tier, where alone the rule keeps something.
    Emptied,
    /// The gateway, and what lies in the shared tier.
    Restarted,
    /// The gateway, and the shared tier.
    RestartedAlone,
}

/// One scene's parts.
struct Scene {
    network: Simulated,
    memory: Memory,
    workers: Workers,
    load: Arc<Load>,
    gateway: Option<Running>,
    began: Instant,
}

impl Scene {
    async fn begin(way: Loop, tiers: &str) -> Self {
        let network = Simulated::default();
        let workers = Workers::serve(&network, BACKEND.parse().unwrap());
        let memory = Memory::new(clock(), Duration::from_millis(50), Counts::default());
        let gateway = Some(start(&network, &memory, tiers).await);
        let (load, began) = (Load::new(&network), Instant::now());
        load.warm().await;
        sleep_until(began + Duration::from_secs(WARM as u64)).await;
        load.begin(way);
        Self { network, memory, workers, load, gateway, began }
    }

    /// Waits until so many seconds have passed.
    async fn until(&self, second: usize) {
        sleep_until(self.began + Duration::from_secs(second as u64)).await;
    }

    async fn lose(&mut self, loss: Loss, tiers: &str) {
        match loss {
            Loss::Emptied => self.memory.empty(),
            Loss::Restarted => {
                self.memory.empty();
                self.restart(tiers).await;
            }
            Loss::RestartedAlone => {
                self.memory.set(State::Down);
                self.restart(tiers).await;
            }
        }
    }

    async fn restart(&mut self, tiers: &str) {
        let running = self.gateway.take().unwrap();
        running.stop(Duration::ZERO).await;
        self.gateway = Some(start(&self.network, &self.memory, tiers).await);
    }
}

/// What each second came to: of the clients' calls, and of the backend's work.
struct Record {
    calls: Vec<Second>,
    useful: Vec<usize>,
}

fn play(way: Loop, loss: Loss) -> Record {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let tiers = if loss == Loss::Emptied { r#"["shared"]"# } else { r#"["local", "shared"]"# };
        let mut scene = Scene::begin(way, tiers).await;
        scene.until(LOST).await;
        scene.lose(loss, tiers).await;
        scene.until(OVER).await;
        Record { calls: scene.load.seconds(), useful: scene.workers.useful(OVER) }
    })
}

async fn start(network: &Simulated, memory: &Memory, tiers: &str) -> Running {
    let text = format!(
        "[admin]\nbind = \"10.2.0.1:9099\"\n\
         [listeners.sim]\nbind = \"10.2.0.1:9090\"\nservice = \"Sim\"\nbackend = \"sim\"\nidl = \"sim.thrift\"\n\
         [backends.sim]\nendpoints = [\"{BACKEND}\"]\nprotocol = \"binary\"\ntransport = \"framed\"\n\
         [cache.shared]\nurl = \"redis://10.4.0.1:6379\"\n\
         [rules.\"Sim.get\"]\nttl = \"3m\"\ntimeout = \"1s\"\nignore = [\"2\"]\ntiers = {tiers}\n"
    );
    let read = |path: &Path| Ok(if path.ends_with("sim.thrift") { IDL.to_owned() } else { text.clone() });
    let loaded = Config::load(Path::new("sim.toml"), &read, &|_| None);
    let config = loaded.config.unwrap_or_else(|| panic!("{:#?}", loaded.problems));
    let network = network.host(GATEWAY.parse::<SocketAddr>().unwrap().ip());
    let surroundings = Surroundings {
        clock: clock(),
        dial: Arc::new(network.clone()),
        bind: network,
        files: Arc::new(Files::default()),
        seed: 1,
        store: Some(Arc::new(memory.seen_by(clock())) as Arc<dyn Store>),
        watch: Watch::Beside,
    };
    server::start(config, surroundings).await.unwrap()
}

fn clock() -> Clock {
    Clock::starting_at(Millis(1_700_000_000_000))
}

impl Record {
    /// The second after the loss from which on all calls are answered as before.
    fn recovered(&self) -> Option<usize> {
        let bad = self.calls.iter().rposition(|second| second.answered * 100 < second.asked * 99);
        let from = bad.map_or(0, |bad| bad + 1);
        (from < self.calls.len()).then(|| from.saturating_sub(LOST))
    }

    /// The least part of its capacity, in percent, to which the backend was of use, in any five seconds after the loss until all was as before.
    fn least_useful(&self, until: usize) -> usize {
        let windows = (LOST..LOST + until.saturating_sub(WINDOW)).map(|from| {
            let useful: usize = self.useful[from..from + WINDOW].iter().sum();
            useful * 100 / (workers::CAPACITY * WINDOW)
        });
        windows.min().unwrap_or(100)
    }

    /// The calls that no rule caches, in percent of which were answered in time after the loss.
    fn passed(&self) -> usize {
        let (passed, of) = self.calls[LOST..]
            .iter()
            .fold((0, 0), |(passed, of), second| (passed + second.passed_answered, of + second.passed));
        passed * 100 / of
    }
}

fn survives(way: Loop, loss: Loss) {
    let record = play(way, loss);
    let recovered = record.recovered();
    let least = record.least_useful(recovered.unwrap_or(OVER - LOST));
    let passed = record.passed();
    let seconds = record.calls.iter().zip(&record.useful).enumerate().skip(LOST - 3);
    let told: Vec<String> =
        seconds.map(|(n, (calls, useful))| format!("{n}: {calls:?}, {useful} useful")).collect();
    let told = format!("{way:?} {loss:?}\n{}", told.join("\n"));
    assert!(recovered.is_some_and(|after| after <= 60), "recovered after {recovered:?} s: {told}");
    assert!(least >= 80, "the backend is of use to {least} % of its capacity: {told}");
    assert!(passed >= 99, "{passed} % of the calls that no rule caches are answered: {told}");
}

#[test]
fn a_shared_tier_that_is_emptied_at_full_load_takes_no_backend_with_it() {
    survives(Loop::Open, Loss::Emptied);
}

#[test]
fn a_shared_tier_that_is_emptied_takes_no_backend_with_it_whose_clients_wait() {
    survives(Loop::Closed, Loss::Emptied);
}

#[test]
fn a_restart_at_full_load_with_an_empty_shared_tier_takes_no_backend_with_it() {
    survives(Loop::Open, Loss::Restarted);
}

#[test]
fn a_restart_without_a_shared_tier_takes_no_backend_with_it_whose_clients_wait() {
    survives(Loop::Closed, Loss::RestartedAlone);
}

const GATEWAY: &str = "10.2.0.1:9090";
const BACKEND: &str = "10.3.0.1:9191";
/// The second in which the load begins: by then all keys are kept.
const WARM: usize = 45;
/// The second in which all is lost.
const LOST: usize = 60;
/// The second that ends a scene.
const OVER: usize = LOST + 75;
/// Seconds over which the backend's use is measured.
const WINDOW: usize = 5;
