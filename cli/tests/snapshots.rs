//! Help and errors, word for word. `TRYCMD=overwrite` writes them anew.

#[test]
fn help_and_errors_are_as_they_were() {
    trycmd::TestCases::new()
        .env("XDG_CONFIG_HOME", "nowhere")
        .env("COLUMNS", "100")
        .case("tests/cmd/*.trycmd");
}
