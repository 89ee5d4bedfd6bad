//! What each argument field does to the replies: whether calls that differ in it alone are answered otherwise.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::sample::Sample;
use crate::wire::pick::fields;
use crate::wire::{Protocol, WireError};

/// The fields of a method's arguments that were met.
#[derive(Debug, Default)]
pub(super) struct Fields {
    met: BTreeMap<i16, Field>,
}

/// One field. Calls that have all else in common are held against the one before.
#[derive(Debug)]
pub(super) struct Field {
    rests: Sample<Option<Last>>,
    /// Calls with another value of it than the one before.
    pub(super) others: u64,
    /// Those of them whose reply was another, too.
    pub(super) differing: u64,
    /// Calls with the same value.
    pub(super) again: u64,
    /// Calls with each value.
    values: Sample<u64>,
}

/// The last call of all that have the rest of their arguments in common.
#[derive(Clone, Copy, Debug)]
struct Last {
    value: u64,
    reply: u64,
}

/// The arguments of one call: what each field holds, by hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Of all fields together, in whatever order.
    whole: u64,
    fields: Vec<(i16, u64)>,
}

impl Arguments {
    /// The arguments of a call in canonical form. Those beyond the first [`FIELDS_MAX`] count for the whole alone.
    ///
    /// # Errors
    /// If they are no struct.
    pub(super) fn read(canonical: &[u8], seed: u64) -> Result<Self, WireError> {
        let mut arguments = Self::default();
        fields(Protocol::Binary, canonical, &mut |id, value| {
            // The id is part of the hash: two fields that change places are another call.
            let value = xxh3_64_with_seed(value, seed ^ u64::from(id as u16));
            arguments.whole = arguments.whole.wrapping_add(value);
            if arguments.fields.len() < FIELDS_MAX {
                arguments.fields.push((id, value));
            }
        })?;
        Ok(arguments)
    }

    /// What makes two calls the same.
    pub(super) fn key(&self) -> u64 {
        spread(self.whole)
    }

    fn value(&self, id: i16) -> u64 {
        self.fields.iter().find(|(of, _)| *of == id).map_or(0, |(_, value)| *value)
    }
}

impl Fields {
    /// A call with these arguments had a reply with this hash.
    pub(super) fn answered(&mut self, arguments: &Arguments, reply: u64) {
        for (id, _) in &arguments.fields {
            if !self.met.contains_key(id) && self.met.len() < FIELDS_MAX {
                self.met.insert(*id, Field::default());
            }
        }
        // A field that is left out has a value too.
        for (id, field) in &mut self.met {
            let value = arguments.value(*id);
            field.answered(spread(arguments.whole.wrapping_sub(value)), Last { value, reply });
        }
    }

    /// Each with its id.
    pub(super) fn each(&self) -> impl Iterator<Item = (i16, &Field)> {
        self.met.iter().map(|(id, field)| (*id, field))
    }
}

impl Default for Field {
    fn default() -> Self {
        Self { rests: Sample::new(RESTS), others: 0, differing: 0, again: 0, values: Sample::new(RESTS) }
    }
}

impl Field {
    /// The share of calls that bring a value which no call before has brought: 0 to 1.
    pub(super) fn new_values(&self) -> f64 {
        let (values, calls) =
            self.values.each().fold((0, 0), |(values, calls), (_, count)| (values + 1, calls + count));
        f64::from(values) / (calls.max(1)) as f64
    }

    fn answered(&mut self, rest: u64, now: Last) {
        if let Some(count) = self.values.of(now.value) {
            *count += 1;
        }
        let Some(slot) = self.rests.of(rest) else { return };
        match slot.replace(now) {
            None => {}
            Some(before) if before.value == now.value => self.again += 1,
            Some(before) => {
                self.others += 1;
                self.differing += u64::from(before.reply != now.reply);
            }
        }
    }
}

/// A sum of hashes as a hash again: differences of sums are no random numbers (the finalizer of MurmurHash3).
fn spread(sum: u64) -> u64 {
    let mixed = (sum ^ sum >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ mixed >> 33
}

/// Fields of which something is learnt.
pub(crate) const FIELDS_MAX: usize = 16;
/// Rests of arguments of which the last call is remembered, for each field.
const RESTS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(fields: &[(i16, u64)]) -> Arguments {
        let mut bytes = Vec::new();
        for (id, value) in fields {
            bytes.push(10);
            bytes.extend_from_slice(&id.to_be_bytes());
            bytes.extend_from_slice(&value.to_be_bytes());
        }
        bytes.push(0);
        Arguments::read(&bytes, 7).unwrap()
    }

    #[test]
    fn equal_arguments_are_one_call_and_others_are_not() {
        let one = arguments(&[(1, 5), (2, 6)]).key();
        assert_eq!(one, arguments(&[(1, 5), (2, 6)]).key());
        for other in [&[(1, 6), (2, 5)][..], &[(1, 5)], &[(1, 5), (3, 6)], &[]] {
            assert_ne!(one, arguments(other).key(), "{other:?}");
        }
        assert!(Arguments::read(&[10, 0, 1], 7).is_err());
    }

    #[test]
    fn a_field_that_changes_no_reply_is_told_from_one_that_does() {
        let mut fields = Fields::default();
        for call in 0..1_000 {
            let (id, trace) = (call % 50, call);
            fields.answered(&arguments(&[(1, id), (2, trace)]), id);
        }
        let met: Vec<_> =
            fields.each().map(|(id, field)| (id, field.others, field.differing, field.again)).collect();
        assert_eq!(
            met,
            [(1, 0, 0, 0), (2, 950, 0, 0)],
            "with its trace each call is new; without, each id comes again"
        );
        let mut fields = Fields::default();
        for call in 0..1_000 {
            fields.answered(&arguments(&[(1, call % 50), (2, 9)]), call % 50);
        }
        let met: Vec<_> =
            fields.each().map(|(id, field)| (id, field.others, field.differing, field.again)).collect();
        assert_eq!(met, [(1, 999, 999, 0), (2, 0, 0, 950)]);
    }

    #[test]
    fn a_field_that_is_left_out_now_and_then_has_been_met() {
        let mut fields = Fields::default();
        for call in 0..10 {
            let given = if call % 2 == 0 { vec![(1, 1), (2, 1)] } else { vec![(1, 1)] };
            fields.answered(&arguments(&given), call % 2);
        }
        let (_, second) = fields.each().nth(1).unwrap();
        assert_eq!((second.others, second.differing), (9, 9));
        assert_eq!(second.new_values(), 0.2);
    }
}
