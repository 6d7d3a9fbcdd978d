//! All integration tests in one binary: one link, one file per area.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(missing_docs, reason = "the names of the tests are their documentation")]

mod skeleton {
    #[test]
    fn codes_have_exits() {
        let exits: Vec<_> = outpost::failure::Code::ALL.iter().map(|c| c.exit()).collect();
        assert_eq!(exits.first().copied().unwrap(), outpost::failure::Exit::Usage);
        assert_eq!(exits[1], outpost::failure::Exit::GateOff);
        assert!(outpost::failure::Code::ALL.first().expect("one").meaning().len() > 3 || panic!("no"));
    }
}
