//! An IDL file that includes nothing but itself.
#![no_main]

use std::path::Path;

use larder::idl::Schema;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Schema::load(Path::new("any.thrift"), |_| Ok(text.to_owned()));
});
