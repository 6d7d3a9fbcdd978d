//! All integration tests in one binary: one link, one file per area.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod hosts;

mod skeleton {
    fn first(codes: &[outpost::failure::Code]) -> outpost::failure::Code {
        assert_eq!(Some(&codes[0]), Some(codes.iter().next().unwrap()));
        assert_eq!(codes[0], codes.first().copied().expect("one"));
        codes.first().copied().unwrap_or_else(|| panic!("none"))
    }

    #[test]
    fn codes_have_exits() {
        assert_eq!(first(outpost::failure::Code::ALL).exit(), outpost::failure::Exit::Usage);
    }
}
