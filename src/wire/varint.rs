//! Unsigned numbers in as few bytes as they take, seven bits in each, as they are written.

use bytes::BufMut;

/// Bytes that `value` takes.
pub(super) fn varint_length(value: u32) -> usize {
    (38 - (value | 1).leading_zeros() as usize) / 7
}

/// Appends `value`.
pub(super) fn put_varint(value: impl Into<u64>, out: &mut impl BufMut) {
    let mut value = value.into();
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_as_long_as_they_say() {
        for value in [0, 1, 127, 128, 16383, 16384, u32::MAX] {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            assert_eq!(out.len(), varint_length(value), "{value}");
        }
    }
}
