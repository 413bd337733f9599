//! A hostile image, through every format's parser: the guest's side of `info`.
//!
//! The first byte picks the format, so that each is reached without guessing its
//! signature; the rest is the image.
#![no_main]

use std::rc::Rc;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, image)) = data.split_first() else {
        return;
    };
    let image: Rc<dyn formats::Storage> = Rc::new(image.to_vec());
    let formats = formats::FORMATS;
    let format = match formats.get(usize::from(*choice)) {
        Some(format) => *format,
        None => match formats::probe::detect(image.as_ref(), b"dmg") {
            Ok(format) => format,
            Err(_) => return,
        },
    };
    if let Ok(opened) = format.open(image) {
        let _ = opened.description();
        let _ = opened.references();
        let _ = opened.visit_parts(&mut |_| Ok(()));
        if let Some(disk) = opened.disk() {
            let _ = formats::contents::of(disk);
        }
    }
});
