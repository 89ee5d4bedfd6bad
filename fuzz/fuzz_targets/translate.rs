//! What is translated, there and back again.
#![no_main]

use larder::wire::Protocol;
use larder::wire::translate::translate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [binary, compact] = [Protocol::Binary, Protocol::Compact];
    for (from, to) in [(binary, compact), (compact, binary)] {
        if let Ok(there) = translate(from, to, bytes) {
            let back = translate(to, from, &there).expect("what was translated can be translated");
            assert_eq!(translate(from, to, &back).as_ref(), Ok(&there));
        }
    }
});
