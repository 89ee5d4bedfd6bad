//! What must hold in every state.

use larder::mark::Standing;

use crate::world::World;

/// What was seen to be wrong while a step was made.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(crate) struct Judged {
    /// A mark was said to be known to the fleet while a gateway held a lease that had not heard it.
    pub told_too_early: bool,
    /// An older entry has replaced a younger one in the shared tier.
    pub went_back: bool,
}

/// What must hold, and whether it does not.
type Sentence = (&'static str, fn(&World) -> bool);

/// The sentence that a state breaks.
pub(crate) fn broken(world: &World) -> Option<&'static str> {
    let sentences: [Sentence; 6] = [
        (KNOWN, |world| world.judged.told_too_early),
        (ACKNOWLEDGED, serves_what_was_marked),
        (LEASED, serves_without_a_lease),
        (HEARD, serves_what_it_knows_to_be_marked),
        (SURVIVES, forgets_what_one_knows),
        (YOUNGER, |world| world.judged.went_back),
    ];
    sentences.into_iter().find(|(_, is_broken)| is_broken(world)).map(|(sentence, _)| sentence)
}

/// What each gateway may answer with, of which value, and how.
fn held(world: &World) -> impl Iterator<Item = (usize, u8, Standing)> {
    (0..2).filter_map(|who| {
        let gateway = &world.gateways[who];
        let near = gateway.local.as_ref()?;
        Some((who, near.far.value, gateway.standing(near, world.now(who))))
    })
}

fn serves_what_was_marked(world: &World) -> bool {
    held(world).any(|(_, value, standing)| standing == Standing::Clear && value < world.known)
}

fn serves_without_a_lease(world: &World) -> bool {
    held(world).any(|(who, _, standing)| {
        standing == Standing::Clear && !world.gateways[who].is_leased(world.now(who))
    })
}

fn serves_what_it_knows_to_be_marked(world: &World) -> bool {
    held(world).any(|(who, value, standing)| standing != Standing::Hard && value < world.gateways[who].heard)
}

fn forgets_what_one_knows(world: &World) -> bool {
    let [one, other] = &world.gateways;
    let last = world.redis.last();
    one.is_quiet(last) && other.is_quiet(last) && one.heard != other.heard
}

const KNOWN: &str = "a mark is known to the fleet when all who hold a lease have heard it";
const ACKNOWLEDGED: &str = "what was asked before a mark that the fleet knows is no fresh answer";
const LEASED: &str = "who holds no lease answers only as an outage allows";
const HEARD: &str = "what was asked before a hard mark that a gateway knows never answers there";
const SURVIVES: &str = "when all is told and heard, what one gateway knows to be marked all know";
const YOUNGER: &str = "an older entry never replaces a younger one";
