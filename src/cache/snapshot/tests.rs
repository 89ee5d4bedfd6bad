//! What is kept of the local tier, and what the next process has of it.

use bytes::Bytes;

use super::*;
use crate::entry::{Ending, Tags};
use crate::files::Memory;
use crate::mark::{Cover, Covers, Kind, Mark, Standing};
use crate::seed::Seed;
use crate::wire::Protocol;

const NOW: Millis = Millis(1_000_000);
const BOUNDS: Bounds = Bounds { size: 64 << 20, interval: None, restore_time: Duration::from_secs(2) };

fn cache() -> Arc<Cache> {
    Arc::new(Cache::new(Local::new(64 << 20, Seed::new(1)), None, Duration::ZERO))
}

fn snapshot(files: &Memory, bounds: Bounds) -> Snapshot {
    Snapshot::new(Arc::new(State::new(Arc::new(files.clone()), Some("/state".into()))), bounds)
}

fn entry(born: u64, bytes: usize) -> Entry {
    Entry::new(Millis(born), Ending::Result, Protocol::Binary, Bytes::from(vec![7; bytes]))
}

fn put(cache: &Cache, key: &str, entry: Entry) {
    cache.local().put(key.as_bytes(), Slot::Entry(Arc::new(entry)));
}

/// What another process has from these files.
async fn restored(files: &Memory, bounds: Bounds) -> Arc<Cache> {
    let cache = cache();
    snapshot(files, bounds).restore(cache.local(), NOW).await;
    cache
}

fn has(cache: &Cache, keys: &[&str]) -> Vec<bool> {
    keys.iter().map(|key| cache.local().find(key.as_bytes()).is_some()).collect()
}

fn part(number: usize) -> String {
    format!("/state/local-{number}.snapshot")
}

#[tokio::test]
async fn the_next_process_has_it_at_its_age_and_only_for_an_outage() {
    let (files, before) = (Memory::default(), cache());
    let tagged = Tags { made_by: 3, covers: [Cover::tag(b"user:5")].into() };
    put(&before, "one", Entry { tags: tagged.clone(), ..entry(999_000, 10) });
    put(&before, "two", entry(998_000, 20));
    snapshot(&files, BOUNDS).save(&before).await;
    let after = restored(&files, BOUNDS).await;
    let one = after.local().find(b"one").unwrap();
    assert_eq!((one.born, one.body.len(), &one.tags), (Millis(999_000), 10, &tagged));
    let covers = Covers { place: &[], tags: &tagged.covers, key: b"one" };
    assert_eq!(after.marks().standing(&one.seal, covers), Standing::Soft);
    assert_eq!(has(&after, &["one", "two", "three"]), [true, true, false]);
}

#[tokio::test]
async fn what_was_declared_wrong_or_removed_is_not_kept() {
    let (files, before) = (Memory::default(), cache());
    for key in ["marked", "removed", "right"] {
        put(&before, key, entry(999_000, 10));
    }
    let mark = Mark { covers: [Cover::key(b"marked")].into(), kind: Kind::Hard, settle: Duration::ZERO };
    before.mark(mark, NOW);
    before.local().put(b"removed", Slot::Tombstone(Millis(999_500)));
    snapshot(&files, BOUNDS).save(&before).await;
    let after = restored(&files, BOUNDS).await;
    assert_eq!(has(&after, &["marked", "removed", "right"]), [false, false, true]);
}

#[tokio::test]
async fn the_youngest_are_kept_where_not_all_are_and_restored_where_not_all_fit() {
    let (files, before) = (Memory::default(), cache());
    for (key, born) in [("old", 1), ("young", 3), ("middle", 2)] {
        put(&before, key, entry(born, 1_000));
    }
    snapshot(&files, Bounds { size: 2_100, ..BOUNDS }).save(&before).await;
    let keys = ["young", "middle", "old"];
    assert_eq!(has(&*restored(&files, BOUNDS).await, &keys), [true, true, false]);
    assert_eq!(has(&*restored(&files, Bounds { size: 2_100, ..BOUNDS }).await, &keys), [true, false, false]);
    let none = restored(&files, Bounds { restore_time: Duration::ZERO, ..BOUNDS }).await;
    assert_eq!(has(&none, &keys), [false; 3]);
}

#[tokio::test]
async fn it_lies_in_parts_and_those_that_are_no_more_are_emptied() {
    let (files, before) = (Memory::default(), cache());
    for key in 0..5_u64 {
        put(&before, &format!("key {key}"), entry(key, 5 << 20));
    }
    let snapshot = snapshot(&files, BOUNDS);
    snapshot.save(&before).await;
    let lengths = [0, 1, 2, 3].map(|number| files.get(part(number)).map(|part| part.len() >> 20));
    assert_eq!(lengths, [Some(10), Some(10), Some(5), None]);
    assert_eq!(restored(&files, BOUNDS).await.local().count(), 5);
    snapshot.save(&cache()).await;
    assert_eq!(restored(&files, BOUNDS).await.local().count(), 0);
    assert!(files.get(part(2)).unwrap().is_empty());
}

#[tokio::test]
async fn what_is_damaged_costs_an_entry_or_a_part_and_no_more() {
    let (files, before) = (Memory::default(), cache());
    for (key, born) in [("first", 3), ("second", 2), ("third", 1)] {
        put(&before, key, entry(born, 100));
    }
    snapshot(&files, BOUNDS).save(&before).await;
    let whole = files.get(part(0)).unwrap();
    let keys = ["first", "second", "third"];
    let spoilt = |at: usize| {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 1;
        spoilt
    };
    // In the magic, in the first length's highest byte, in the middle of the first entry, in the last checksum.
    for (at, expected) in
        [(0, [false; 3]), (4, [false; 3]), (60, [false, true, true]), (whole.len() - 1, [true, true, false])]
    {
        files.put(part(0), spoilt(at));
        assert_eq!(has(&*restored(&files, BOUNDS).await, &keys), expected, "byte {at}");
    }
    for length in 0..whole.len() {
        files.put(part(0), &whole[..length]);
        let found = has(&*restored(&files, BOUNDS).await, &keys);
        assert!(found.is_sorted_by(|one, next| one >= next) && !found[2], "{length} bytes: {found:?}");
    }
}

#[tokio::test]
async fn what_is_of_a_time_that_has_not_come_is_left_out() {
    let (files, before) = (Memory::default(), cache());
    put(&before, "ahead", entry(NOW.0 + 5_001, 1));
    put(&before, "hardly", entry(NOW.0 + 5_000, 1));
    snapshot(&files, BOUNDS).save(&before).await;
    assert_eq!(has(&*restored(&files, BOUNDS).await, &["ahead", "hardly"]), [false, true]);
}

#[tokio::test(start_paused = true)]
async fn it_is_saved_again_and_again_where_that_is_asked_for() {
    let (files, before) = (Memory::default(), cache());
    put(&before, "one", entry(1, 1));
    snapshot(&files, BOUNDS).save_each(&before).await;
    assert_eq!(files.get(part(0)), None);
    let each = snapshot(&files, Bounds { interval: Some(Duration::from_secs(60)), ..BOUNDS });
    let saving = tokio::time::timeout(Duration::from_secs(61), each.save_each(&before)).await;
    assert!(saving.is_err() && files.get(part(0)).is_some());
    let nothing = snapshot(&Memory::default(), Bounds { size: 0, interval: Some(Duration::ZERO), ..BOUNDS });
    nothing.save_each(&before).await;
}
