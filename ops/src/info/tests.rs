use alloc::vec;

use abi::info::{Format, Image, Window};

use super::*;
use crate::testing::World;

fn request() -> Request {
    Request {
        image: 0,
        format: None,
        extension: Text::default(),
        window: None,
        follow: false,
        max_depth: 8,
        contents: false,
    }
}

fn images(world: &World) -> Vec<Image> {
    let image = |reply| match reply {
        Reply::Info(InfoReply::Image(image)) => Some(*image),
        _ => None,
    };
    world.replies().into_iter().filter_map(image).collect()
}

#[test]
fn bytes_are_a_raw_image() {
    let world = World::with_image(vec![7; 1000]);
    run(&request(), &world).unwrap();
    let [image] = &images(&world)[..] else { panic!("{:?}", world.replies()) };
    assert_eq!((image.format, image.virtual_size, image.dirty), (Format::Raw, 1024, Some(false)));
}

#[test]
fn a_window_of_a_raw_image_is_one_too() {
    let world = World::with_image(vec![7; 4096]);
    let window = Some(Window { offset: 512, size: Some(1024) });
    run(&Request { window, format: Some(Format::Raw), ..request() }, &world).unwrap();
    assert_eq!(images(&world)[0].virtual_size, 1024);
}

#[test]
fn a_slot_without_a_file_is_an_error() {
    let world = World::with_image(vec![]);
    let error = run(&Request { image: 5, ..request() }, &world).unwrap_err();
    assert_eq!(error, Error::empty_slot(5));
}
