//! Grants against a matcher of plain text.

use portcullis::scope::{Grants, Scope};
use proptest::prelude::*;

fn side() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just("read".to_owned())]
}

fn grant() -> impl Strategy<Value = String> {
    let wild = || prop_oneof![1 => Just("*".to_owned()), 2 => side()];
    prop_oneof![
        1 => Just("read".to_owned()),
        1 => Just("write".to_owned()),
        6 => (wild(), wild()).prop_map(|(resource, action)| format!("{resource}:{action}")),
    ]
}

fn grants() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(grant(), 0..4)
}

fn parse(texts: &[String]) -> Grants {
    Grants::parse(texts.iter().map(String::as_str)).unwrap()
}

/// Spells out every form of the scope that a grant may have.
fn naive(grants: &[String], resource: &str, action: &str) -> bool {
    let mut forms = vec![
        format!("{resource}:{action}"),
        format!("*:{action}"),
        format!("{resource}:*"),
        "*:*".to_owned(),
    ];
    if ["read", "write"].contains(&action) {
        forms.push(action.to_owned());
    }
    grants.iter().any(|grant| forms.contains(grant))
}

proptest! {
    #[test]
    fn allows_what_the_text_says(texts in grants(), resource in side(), action in side()) {
        let scope = Scope::parse(&format!("{resource}:{action}")).unwrap();
        prop_assert_eq!(parse(&texts).allow(&scope), naive(&texts, &resource, &action));
    }

    #[test]
    fn a_subset_allows_no_more(inner in grants(), outer in grants()) {
        // "fresh" occurs in no grant: it stands for all the names that only a wildcard covers.
        let names = ["a", "b", "read", "write", "fresh"];
        let covered = names.iter().all(|resource| names.iter().all(|action| {
            !naive(&inner, resource, action) || naive(&outer, resource, action)
        }));
        prop_assert_eq!(parse(&inner).subset_of(&parse(&outer)), covered);
    }

    #[test]
    fn any_text_is_refused_or_printed_again(text in "[a-z*:_A-Z0-9 -]{0,12}") {
        if let Ok(grants) = Grants::parse([text.as_str()]) {
            let again = Grants::parse([grants.to_string().as_str()]).unwrap();
            prop_assert_eq!(again, grants);
        }
        if let Ok(scope) = Scope::parse(&text) {
            prop_assert_eq!(scope.to_string(), text);
        }
    }
}
