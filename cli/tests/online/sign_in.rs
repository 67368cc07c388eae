//! Tokens by the development issuer: through a browser, and by a code.

use std::io::{BufRead, BufReader};
use std::process::Child;

use crate::desk::Desk;

/// Does what a person with a browser does at the printed URL.
fn visit(child: &mut Child, subject: &str) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.find(|line| line.starts_with("http://")).unwrap();
    let answer = ureq::get(format!("{url}&subject={subject}")).call().unwrap();
    assert_eq!(answer.status(), 200);
    // The pipe stays open until the command has said all.
    std::thread::spawn(move || lines.for_each(drop));
}

#[test]
fn one_signs_in_by_a_browser_or_a_code() {
    let desk = Desk::new();
    let (url, issuer) = (desk.text("admin_url"), desk.text("issuer_url"));
    for flags in ["", " --device"] {
        let mut child = desk.start(&format!("setup --url {url} --issuer {issuer}{flags}"));
        visit(&mut child, "admin");
        assert!(child.wait().unwrap().success(), "{flags}");
        let who = desk.run("whoami --json").ok().json();
        assert_eq!((&who["subject"], &who["credential"]), (&"dev:admin".into(), &"oauth".into()));
    }
    let mut child = desk.start("login");
    visit(&mut child, "member");
    assert!(child.wait().unwrap().success());
    assert_eq!(desk.run("whoami --json").ok().json()["subject"], "dev:member");
    assert_eq!(desk.run("config show --key workspace").ok().line(), "DEM0WS");
    desk.feed("login --token-stdin", &desk.token("owner")).ok();
    assert_eq!(desk.run("whoami --json").ok().json()["subject"], "dev:owner");
    let plain = format!("setup --url {url} --issuer http://issuer.example");
    desk.run(&plain).failed(2, "use https://");
    let nowhere = format!("login --issuer {url}");
    desk.run(&nowhere).failed(1, "no openid-configuration");
}
