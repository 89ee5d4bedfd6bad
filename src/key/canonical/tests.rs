//! Arguments in their one spelling, and what has none.

use super::*;

fn canonical(protocol: Protocol, body: &[u8]) -> Result<Vec<u8>, Unkeyable> {
    without(protocol, body, &Ignored::default())
}

fn without(protocol: Protocol, body: &[u8], ignored: &Ignored) -> Result<Vec<u8>, Unkeyable> {
    let mut out = Vec::new();
    Canonical::new(64).put(protocol, body, ignored, &mut out).map(|()| out)
}

const TWO: &[u8] = &[8, 0, 1, 0, 0, 0, 7, 2, 0, 2, 1, 0];

#[test]
fn what_is_canonical_is_copied() {
    assert_eq!(canonical(Protocol::Binary, TWO).unwrap(), TWO);
}

#[test]
fn fields_come_in_order() {
    let swapped = [2, 0, 2, 1, 8, 0, 1, 0, 0, 0, 7, 0];
    assert_eq!(canonical(Protocol::Binary, &swapped).unwrap(), TWO);
}

#[test]
fn both_protocols_have_one_form() {
    assert_eq!(canonical(Protocol::Compact, &[0x15, 14, 0x11, 0]).unwrap(), TWO);
}

#[test]
fn sets_and_maps_come_in_order() {
    let set = |a, b| [14, 0, 1, 3, 0, 0, 0, 2, a, b, 0];
    assert_eq!(canonical(Protocol::Binary, &set(9, 4)).unwrap(), set(4, 9));
    let map = |a, b| [13, 0, 1, 3, 3, 0, 0, 0, 2, a, a, b, b, 0];
    assert_eq!(canonical(Protocol::Binary, &map(9, 4)).unwrap(), map(4, 9));
    let list = |a, b| [15, 0, 1, 3, 0, 0, 0, 2, a, b, 0];
    assert_eq!(canonical(Protocol::Binary, &list(9, 4)).unwrap(), list(9, 4));
}

#[test]
fn what_is_given_twice_has_no_form() {
    let field = [2, 0, 1, 1, 2, 0, 1, 1, 0];
    assert_eq!(canonical(Protocol::Binary, &field), Err(Unkeyable::Twice("field")));
    let set = [14, 0, 1, 3, 0, 0, 0, 2, 4, 4, 0];
    assert_eq!(canonical(Protocol::Binary, &set), Err(Unkeyable::Twice("set element")));
    let map = [13, 0, 1, 3, 3, 0, 0, 0, 2, 4, 1, 4, 2, 0];
    assert_eq!(canonical(Protocol::Binary, &map), Err(Unkeyable::Twice("map key")));
}

#[test]
fn a_boolean_of_two_has_no_form() {
    assert_eq!(canonical(Protocol::Binary, &[2, 0, 1, 2, 0]), Err(Unkeyable::Bool(2)));
}

#[test]
fn ignored_fields_are_left_out_at_their_depth() {
    let ignored = Ignored::new([&[2_i16][..], &[3, 1]]);
    let body = [8, 0, 1, 0, 0, 0, 7, 2, 0, 2, 1, 12, 0, 3, 3, 0, 1, 9, 3, 0, 2, 8, 0, 0];
    let kept = [8, 0, 1, 0, 0, 0, 7, 12, 0, 3, 3, 0, 2, 8, 0, 0];
    assert_eq!(without(Protocol::Binary, &body, &ignored).unwrap(), kept);
}

#[test]
fn what_is_left_out_is_not_read_without_bound() {
    let ignored = Ignored::new([&[1_i16][..], &[2], &[3], &[4]]);
    let list = |id| [&[15, 0, id, 3, 0, 2, 0, 0][..], &[0].repeat(2 << 16)].concat();
    let lists = [list(1), list(2), list(3), list(4), vec![0]].concat();
    assert_eq!(without(Protocol::Binary, &lists, &ignored), Err(Unkeyable::Values));
    assert_eq!(without(Protocol::Binary, &lists[list(1).len()..], &ignored), Ok(vec![0]));
}

#[test]
fn a_declared_count_costs_nothing_before_its_elements_come() {
    let body = [15, 0, 1, 12, 0x7f, 0xff, 0xff, 0xff, 0];
    assert!(canonical(Protocol::Binary, &body).is_err());
}
