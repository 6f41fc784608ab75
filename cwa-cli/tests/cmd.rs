//! Every `tests/cmd/*.trycmd` is run against the real binary, and what it prints is compared.

#[test]
fn the_command_line_prints_what_its_snapshots_say() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}
