//! A value of the shared tier.
#![no_main]

use bytes::Bytes;
use larder::cache::envelope::Codec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Codec::default().decode(b"key", &Bytes::copy_from_slice(bytes));
});
