//! A hostile guest: whatever it says on the console, the host neither panics nor
//! keeps more than it was told to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vmm::run::ReplyStream;

/// What the host lets the guest say.
const LIMIT: u64 = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let mut stream = ReplyStream::new(LIMIT);
    for piece in data.chunks(97) {
        if stream.push(piece).is_err() {
            return;
        }
        while let Ok(Some(_)) = stream.next_reply() {}
    }
});
